"""Runs as the ledger has them: begun, ended, interrupted; what each found, and how they are called."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ciranda.kernel import clock, errors, events, files, process, statements
from ciranda.kernel.database import Database, Row, Transaction
from ciranda.pipeline import codec, snapshot
from ciranda.pipeline.records import Outcome, RunResult, StepResult
from ciranda.pipeline.request import Request

sql = statements.load("ciranda.pipeline")
State = Literal["running", "finished", "failed", "interrupted"]
_PROCESS = "process"  # the file of a run's folder that says who works in it
_WORK = ("in", "out", "tree")


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the ledger has it."""

    id: str
    project: str
    number: int
    commit: str | None
    dirty: int
    cause: str
    actor: str
    trust: str
    state: State
    started_us: int
    ended_us: int | None
    interpreter: str
    confined: bool
    summary: Mapping[str, Any]  # seconds, problem, counts of steps and checks
    steps_of: str | None

    @property
    def name(self) -> str:
        """`run-119`."""
        return f"run-{self.number}"

    @property
    def clean(self) -> bool:
        """Whether a commit has all that it ran on."""
        return self.commit is not None and not self.dirty


@dataclass(frozen=True, slots=True)
class Last:
    """The last run of a project: what it had, to tell what has changed since."""

    run: str  # whose steps those are
    steps: tuple[tuple[str, str | None, str | None], ...]  # step, key, digest
    checks: tuple[tuple[str, str | None], ...]  # check, key
    whole: bool  # every step has a version, every check an outcome that is known by its key


def last(database: Database, project: str) -> Last | None:
    """What the last finished run of a project had."""
    row = database.one(sql.latest_run, project=project)
    if row is None:
        return None
    run = row["steps_of"] or row["id"]
    steps = [(each["step"], each["key"], each["digest"]) for each in database.query(sql.last_steps, run=run)]
    checks = [(each["check_name"], each["key"]) for each in database.query(sql.last_outcomes, run=run)]
    return Last(run, tuple(steps), tuple(checks), all(step[2] for step in steps))


def begin(tx: Transaction, run: str, request: Request, interpreter: str, confined: bool) -> int:
    """Record that a run goes on in this process; returns its number."""
    return _insert(
        tx, run, request=request, interpreter=interpreter, confined=confined, state="running",
        started_us=clock.now_us(), ended_us=None, same_as=None, summary={},
    )  # fmt: skip


def finish(
    tx: Transaction,
    request: Request,
    result: RunResult,
    *,
    begun: bool,
    started_us: int,
    confined: bool,
    keys: Mapping[str, str],
    same_as: str | None,
) -> int:
    """Record how a run ended, with the event `run.finished`; returns its number.

    `begun`: its row is there already. `keys` are those of its checks; `same_as` is the run whose steps and outcomes it has.
    """
    summary = _summary(result)
    if begun:
        number = result.number
        tx.execute(
            sql.end_run, id=result.run, state=result.state, ended_us=clock.now_us(), interpreter=result.interpreter,
            steps_of=same_as, summary=codec.text(summary),
        )  # fmt: skip
    else:
        state, now = result.state, clock.now_us()
        number = _insert(
            tx, result.run, request=request, interpreter=result.interpreter, confined=confined, state=state,
            started_us=started_us, ended_us=now, same_as=same_as, summary=summary,
        )  # fmt: skip
    if same_as is None:
        _insert_found(tx, result, keys)
    events.append(
        tx,
        chain=request.project.name,
        kind="run.finished",
        subject=f"run-{number}",
        actor=request.actor,
        body={"run": result.run, "state": result.state, **{key: summary[key] for key in ("steps", "checks")}},
    )
    return number


def _insert(
    tx: Transaction,
    run: str,
    *,
    request: Request,
    interpreter: str,
    confined: bool,
    state: State,
    started_us: int,
    ended_us: int | None,
    same_as: str | None,
    summary: Mapping[str, Any],
) -> int:
    counted = tx.one(sql.next_run_number, project=request.project.name)
    assert counted is not None
    number: int = counted["number"]
    tx.execute(
        sql.insert_run,
        id=run,
        project=request.project.name,
        number=number,
        commit_id=request.tree.commit,
        dirty=request.tree.dirty,
        cause=request.trigger,
        actor=request.actor,
        trust=request.trust,
        state=state,
        started_us=started_us,
        ended_us=ended_us,
        interpreter=interpreter,
        confined=int(confined),
        process=_identity(),
        steps_of=same_as,
        summary=codec.text(summary),
    )
    return number


def _insert_found(tx: Transaction, result: RunResult, keys: Mapping[str, str]) -> None:
    for position, step in enumerate(result.steps):
        tx.execute(
            sql.insert_run_step,
            run=result.run,
            position=position,
            step=step.step,
            state=step.state,
            key=step.version.key if step.version else None,
            digest=step.version.digest if step.version else None,
            seconds=step.seconds,
            version=codec.version_text(step.version) if step.version else None,
            error=step.error,
        )
    for position, outcome in enumerate(result.outcomes):
        tx.execute(
            sql.insert_run_outcome,
            run=result.run,
            position=position,
            check_name=outcome.check,
            key=keys.get(outcome.check),
            body=codec.outcome_text(outcome),
        )


def interrupt(tx: Transaction, run: str) -> None:
    """Record that a run was stopped before its end; what it had recorded stays."""
    tx.execute(sql.interrupt_run, id=run, now=clock.now_us())


def sweep(database: Database, folder: Path) -> None:
    """Mark runs whose process is gone as interrupted, and remove what dead processes left in the runs' folders."""
    dead = [row["id"] for row in database.query(sql.running) if not _lives(row["process"])]
    if dead:

        def work(tx: Transaction) -> None:
            for run in dead:
                interrupt(tx, run)

        database.write(work)
    if folder.is_dir():
        for entry in os.scandir(folder):
            owner = Path(entry.path, _PROCESS)
            if owner.exists() and not _lives(owner.read_text()):
                clear(Path(entry.path))


def orphaned(database: Database) -> list[tuple[str, str]]:
    """The runs that say that they go on though their process is gone: project and name. The next run marks them (`sweep`)."""
    rows = database.query(sql.running)
    return [(row["project"], f"run-{row['number']}") for row in rows if not _lives(row["process"])]


def occupy(folder: Path) -> None:
    """Make a run's folder: in/ for what workers are given, out/ for what they make. Raises errors.StorageFull."""
    with files.room(folder.parent):
        folder.mkdir(parents=True)
        (folder / _PROCESS).write_text(_identity())
        (folder / "in").mkdir()
        (folder / "out").mkdir()


def clear(folder: Path) -> None:
    """Remove everything of a run's folder but its log; nothing if there is no folder."""
    for name in _WORK:
        snapshot.remove(folder / name)
    for path in folder.glob("worker-*.txt"):
        path.unlink(missing_ok=True)
    (folder / _PROCESS).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def history(database: Database, project: str, limit: int = 20) -> list[Run]:
    """The runs of a project, the last one first."""
    return [_run(row) for row in database.query(sql.runs, project=project, limit=limit)]


def page(database: Database, project: str, before: int, most: int) -> list[Run]:
    """The runs of a project whose number is below `before`, the last one first."""
    return [_run(row) for row in database.query(sql.runs_before, project=project, before=before, most=most)]


def projects(database: Database) -> list[str]:
    """Every project that has run in this home, by name."""
    return [row["project"] for row in database.query(sql.projects)]


def get(database: Database, project: str, number: int) -> Run:
    """A run by its number. Raises errors.NotFound."""
    row = database.one(sql.run_by_number, project=project, number=number)
    if row is None:
        raise errors.NotFound(f"{project} has no run-{number}", hint="what there is: ciranda show")
    return _run(row)


def by_id(database: Database, run: str) -> Run | None:
    """A run by its identity; None: it is not there."""
    row = database.one(sql.run_by_id, id=run)
    return None if row is None else _run(row)


def takes(database: Database, run: Run) -> dict[str, tuple[str, ...]]:
    """Which assets of a run each of its steps was made from; of a step that was not made, what it would have taken."""
    rows = database.query(sql.parts_of_run, run=run.steps_of or run.id)
    found = {row["step"]: tuple(json.loads(row["parts"])["inputs"]) for row in rows}
    unmade: Mapping[str, Sequence[str]] = run.summary.get("unmade", {})
    return found | {step: tuple(assets) for step, assets in unmade.items()}


def steps(database: Database, run: Run) -> list[StepResult]:
    """What a run found of each step, in its order; what an unchanged run shares with an earlier one is unchanged in it."""
    rows = database.query(sql.run_steps, run=run.steps_of or run.id)
    found = [
        StepResult(
            row["step"],
            row["state"],
            codec.version(row["version"]) if row["version"] else None,
            row["seconds"],
            row["error"],
        )
        for row in rows
    ]
    return [StepResult(s.step, "unchanged", s.version, 0.0) for s in found] if run.steps_of else found


def outcomes(database: Database, run: Run) -> list[Outcome]:
    """What the checks of a run found."""
    return [codec.outcome(row["body"]) for row in database.query(sql.run_outcomes, run=run.steps_of or run.id)]


def _run(row: Row) -> Run:
    return Run(
        id=row["id"],
        project=row["project"],
        number=row["number"],
        commit=row["commit_id"],
        dirty=row["dirty"],
        cause=row["cause"],
        actor=row["actor"],
        trust=row["trust"],
        state=row["state"],
        started_us=row["started_us"],
        ended_us=row["ended_us"],
        interpreter=row["interpreter"],
        confined=bool(row["confined"]),
        summary=json.loads(row["summary"]),
        steps_of=row["steps_of"],
    )


def _summary(result: RunResult) -> dict[str, Any]:
    return {
        "seconds": result.seconds,
        "problem": result.problem,
        "steps": count([step.state for step in result.steps]),
        "checks": count([verdict(outcome) for outcome in result.outcomes]),
        **({"unmade": unmade} if (unmade := _unmade(result)) else {}),
    }


def _unmade(result: RunResult) -> dict[str, list[str]]:
    """What the steps without a version would have taken: of the others their keys tell."""
    missing = {each.step for each in result.steps if each.version is None}
    steps = result.description.steps if result.description and missing else ()
    return {
        step.name: [given.asset for given in step.inputs if given.marker is None]
        for step in steps
        if step.name in missing
    }


def verdict(outcome: Outcome) -> str:
    """An outcome in one word: passed, warned, failed, or unsure."""
    if outcome.passed:
        return "passed"
    return "warned" if outcome.severity == "warn" else "unsure" if outcome.passed is None else "failed"


def count(words: Sequence[str]) -> dict[str, int]:
    """How often each word is there, in the order of their first appearance."""
    return {word: words.count(word) for word in dict.fromkeys(words)}


def _identity() -> str:
    mine = process.of(os.getpid())
    assert mine is not None
    return codec.text(asdict(mine))


def _lives(said: str | None) -> bool:
    try:
        return said is not None and process.alive(process.Identity(**json.loads(said)))
    except (ValueError, TypeError):
        return False
