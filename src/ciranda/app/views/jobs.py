"""A job of an environment: its runs, what the last one found, and the versions that the environment has from it."""

from dataclasses import asdict, dataclass
from typing import Any

from ciranda.checks import gate, verdicts
from ciranda.environment import jobs, outputs
from ciranda.kernel import digest, errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import wording
from ciranda.pipeline import runs
from ciranda.project import cron, names
from ciranda.release import releases


@dataclass(frozen=True, slots=True)
class Entry:
    """A run of the job: `due` on the clock of its schedule; `release` and `run` as people call them, "" where there is none."""

    of: jobs.Run
    due: str
    release: str
    run: str


@dataclass(frozen=True, slots=True)
class Output:
    """A version that the environment has: of which occurrence, and whether that is the last run's."""

    asset: str
    digest: str
    rows: int | None
    due: str
    run: str


@dataclass(frozen=True, slots=True)
class View:
    """Everything that `ciranda job show` says. `found`: what the last run found, as a push would print it."""

    project: str
    listed: jobs.Listed
    entries: tuple[Entry, ...]
    verdicts: tuple[dict[str, Any], ...]
    found: tuple[str, ...]
    outputs: tuple[Output, ...]

    def document(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


def find(database: Database, project: str, environment: str, name: str) -> jobs.Listed:
    """A job of what is live in an environment. Raises errors.NotFound."""
    there = {one.name: one for one in jobs.listing(database, project, environment)}
    if name not in there:
        known = f"what there is: {', '.join(there) or 'none'}"
        hint = "        ".join(part for part in (names.suggestion(name, there), known) if part)
        raise errors.NotFound(f"what is live in {environment} of {project} has no job {name}", hint=hint)
    return there[name]


def gather(database: Database, store: Store, project: str, environment: str, name: str, most: int = 10) -> View:
    """A job with its newest runs, at most `most`. Raises errors.NotFound for one that what is live does not have."""
    listed = find(database, project, environment, name)
    schedule = cron.parse(listed.schedule or "* * * * *")
    entries = tuple(
        Entry(run, schedule.said(run.due_us), _release(database, run), _run(database, run))
        for run in jobs.history(database, project, environment, name, most)
    )
    has = []
    for asset, output in outputs.current(database, project, environment).items():
        of = jobs.get(database, output.job_run)
        if asset in listed.run and of is not None:
            due, run = schedule.said(of.due_us), _run(database, of)
            has.append(Output(asset, output.version.digest, output.version.rows, due, run))
    last = next((entry.of for entry in entries if entry.of.state != "skipped"), None)
    said = () if last is None else tuple(verdicts.of(database, last.id))
    found = () if last is None else _found(database, store, last, [gate.Verdict(**one) for one in said])
    return View(project, listed, entries, said, found, tuple(has))


def _release(database: Database, run: jobs.Run) -> str:
    return "" if run.release is None else releases.by_id(database, run.release).name


def _run(database: Database, run: jobs.Run) -> str:
    found = None if run.run is None else runs.by_id(database, run.run)
    return "" if found is None else found.name


def _found(database: Database, store: Store, of: jobs.Run, said: list[gate.Verdict]) -> tuple[str, ...]:
    run = None if of.run is None else runs.by_id(database, of.run)
    if run is None:
        return ()
    results = runs.steps(database, run)
    width = max([8, *(len(each.step) for each in results)])
    lines = list(wording.problem(run.summary["problem"], width=width)) if run.summary.get("problem") else []
    for result in results:
        own = [verdict for verdict in said if verdict.subject == result.step]
        if own or result.version is None or result.version.kind != "source":
            lines += wording.asset(result, own, width=width, evidence=_evidence(store, own), run=run.number)
    return tuple(lines)


def _evidence(store: Store, own: list[gate.Verdict]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for verdict in own:
        if verdict.evidence and verdict.blocks:
            try:
                found[verdict.evidence] = digest.parse(store.get(verdict.evidence))
            except (errors.Corrupt, errors.NotFound):
                continue  # what it found is said without its rows
    return found
