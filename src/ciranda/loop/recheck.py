"""Checks that compare with what is live, run again when that has moved between a release's gate and its last environment.

A gate judges a change against the versions that are live then. Before the release replaces them, the loop asks whether they
still are; where they are not, the task `recheck` runs these checks on the release's own assets, and says so in a statement of
the release that names what it was compared with. Nothing here is asked of a rollback.
"""

import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ciranda.checks import gate, policy
from ciranda.environment import revisions
from ciranda.kernel import errors, tasks
from ciranda.kernel.database import Transaction
from ciranda.loop import benches, changes, live, receive, tell
from ciranda.loop.changes import Change
from ciranda.loop.places import Workshop
from ciranda.pipeline import engine, records
from ciranda.release import manifest, releases
from ciranda.versions import repositories

KIND = "recheck"  # of the task and of the statement

Compared = Mapping[str, str | None]  # asset → digest of the version that is live, None: there is none


@dataclass(frozen=True, slots=True)
class Barred:
    """Why a release does not enter: it `waits` for its checks to run again, or they did not pass."""

    waits: bool
    reason: str


def needed(change: Change, content: manifest.Manifest, environment: str, places: Workshop) -> Compared | None:
    """What a release would have to be compared with before it enters, None when its gate has seen just that."""
    if environment != next(reversed(content.environments), None):
        return None
    then: Compared | None = change.outcome.get("live")
    if then is not None and not then:
        return None  # no check of it looks at what is live
    now = _digests(live.running(places, content.project, environment), then)
    return None if now == then else now


def barred(
    change: Change, release: releases.Release, content: manifest.Manifest, environment: str, places: Workshop
) -> Barred | None:
    """Whether a release may not enter an environment because live has moved; None: it may."""
    now = needed(change, content, environment, places)
    if now is None:
        return None
    said = [each.body for each in releases.stated(places.database, release) if each.kind == KIND]
    found = next((body for body in reversed(said) if body["compared"] == now), None)
    if found is None:
        there = against(content.project, environment, places)
        return Barred(True, f"{there} is live now: checks that compare with it run again")
    return None if found["passed"] else Barred(False, f"{found['reason']}, compared with {found['against']}, live now")


def ask(tx: Transaction, release: releases.Release) -> None:
    """Have these checks run; asked twice is asked once."""
    tasks.put(tx, kind=KIND, subject=release.id, body={})


def refuse_worse(release: releases.Release, content: manifest.Manifest, environment: str, places: Workshop) -> None:
    """What `promote` asks by hand. Raises errors.NotYet while the checks run, errors.Refused when they did not pass.

    A failure is not taken from memory: the checks run once more for whoever asks again.
    """
    change = None if release.change is None else changes.get(places.database, release.change)
    if change is None or not _may_enter(release, content, environment, places):
        return  # whoever applies the plan says why
    found = barred(change, release, content, environment, places)
    if found is None:
        return
    places.database.write(lambda tx: ask(tx, release))
    again = f"try again in a moment: ciranda promote {release.name} -e {environment}"
    if found.waits:
        raise errors.NotYet(f"{release.name} does not enter {environment} yet: {found.reason}", hint=again)
    raise errors.Refused(
        f"{release.name} does not enter {environment}: {found.reason}", hint=f"the checks run once more; {again}"
    )


def _may_enter(release: releases.Release, content: manifest.Manifest, environment: str, places: Workshop) -> bool:
    """Whether nothing else keeps a release out: neither a hold nor the environment before."""
    place = content.environments.get(environment)
    if place is None or revisions.environment(places.database, release.project, environment).held:
        return False
    before = (
        None if place.after is None else revisions.of_release(places.database, release.project, place.after, release.id)
    )
    return place.after is None or (before is not None and before.state == "reached")


def against(project: str, environment: str, places: Workshop) -> str:
    """The release that is live: `r43`, or `nothing`."""
    now = revisions.live(places.database, project, environment)
    return "nothing" if now is None else releases.by_id(places.database, now.release).name


def perform(task: tasks.Task, workshop: Workshop) -> None:
    """Run the checks of a release that compare with what is live; its statement and the task end in one transaction."""
    release = releases.by_id(workshop.database, task.subject)
    change = None if release.change is None else changes.get(workshop.database, release.change)
    if change is None:
        raise errors.NotFound(f"{release.name} has no change that its checks could be read from")
    for earlier in workshop.runs.glob(f"{KIND}-{release.id}-*"):
        shutil.rmtree(earlier, ignore_errors=True)
    folder = workshop.runs / f"{KIND}-{release.id}-{task.fence}"  # an earlier process may still be at work in its own
    try:
        body = _judged(change, workshop, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    def work(tx: Transaction) -> None:
        releases.state(tx, release, kind=KIND, body=body, actor="ciranda")
        tasks.finish(tx, task, state="done", result={"passed": body["passed"], "reason": body["reason"]})

    workshop.database.write(work)


def give_up(task: tasks.Task, workshop: Workshop, reason: str) -> None:
    """What cannot be compared has not passed."""
    release = releases.by_id(workshop.database, task.subject)
    change = None if release.change is None else changes.get(workshop.database, release.change)
    said = f"its checks could not run again: {reason}"

    def work(tx: Transaction) -> None:
        if change is not None:
            environment, now = _now(change, workshop)
            there = against(change.project, environment, workshop)
            body = {"environment": environment, "compared": now, "against": there, "passed": False, "reason": said}
            releases.state(tx, release, kind=KIND, body=body, actor="ciranda")
        tasks.finish(tx, task, state="failed", result={"reason": said})

    workshop.database.write(work)


def _now(change: Change, workshop: Workshop) -> tuple[str, Compared]:
    """The last environment of a change's chain, and the versions there that its checks compare with."""
    project = receive.declared(repositories.path(workshop.repositories, change.repository), change.head)
    environment = live.last(project.environments) or ""
    running = live.running(workshop, project.name, environment) if environment else {}
    return environment, _digests(running, change.outcome.get("live"))


def _digests(running: Mapping[str, manifest.Asset], names: Iterable[str] | None) -> Compared:
    """What is live of these assets; of all where it is not known which ones count."""
    return {name: running[name].digest if name in running else None for name in (running if names is None else names)}


def _judged(change: Change, workshop: Workshop, folder: Path) -> dict[str, Any]:
    environment, _ = _now(change, workshop)
    there = against(change.project, environment, workshop)
    bench = benches.prepare(change, workshop, folder, tell.Teller(workshop.lines, change.id))
    ruled = benches.ruled(bench, workshop)
    names = set(benches.comparing(ruled.described))
    effective = _only(ruled.policy, names)
    assets = {name: records.Version(**version) for name, version in change.outcome["assets"].items()}
    outcomes = engine.check(
        benches.request(bench, workshop),
        benches.parts(workshop),
        names=names,
        assets=assets,
        interpreter=bench.interpreter,
    )
    rerun = benches.rerun(bench, effective, outcomes, assets, workshop)
    decision = gate.decide(gate.of_checks(effective, outcomes, rerun))
    looked: Iterable[str] = change.outcome.get("live", bench.live)
    return {
        "environment": environment,
        "compared": {name: bench.live[name].digest if name in bench.live else None for name in looked},
        "against": there,
        "passed": decision.passed,
        "reason": decision.reason,
        "verdicts": [dict(gate.as_mapping(verdict)) for verdict in decision.verdicts],
    }


def _only(effective: policy.Policy, names: Collection[str]) -> policy.Policy:
    """The rules of these checks alone."""
    return replace(
        effective,
        checks={name: rule for name, rule in effective.checks.items() if name in names},
        rerun=tuple(name for name in effective.rerun if name in names),
        additional={name: rule for name, rule in effective.additional.items() if name in names},
    )
