"""Who asks Terraform, and when: people and releases for plans, the clock for drift and for what waits for its turn."""

from ciranda.environment import resolve, revisions
from ciranda.environment.infra import places, runs, standing
from ciranda.environment.infra.runs import Run
from ciranda.environment.infra.standing import Standing
from ciranda.kernel import clock, digest, errors
from ciranda.kernel.database import Database, Transaction
from ciranda.loop import restore
from ciranda.loop.changes import Change
from ciranda.loop.places import Workshop
from ciranda.project.infra import SHORTEST
from ciranda.release import releases
from ciranda.release.manifest import Manifest

SECOND = 1_000_000
CLOCK = "schedule"  # the actor of what nobody asked for by hand


def plan(
    workshop: Workshop, project: str, environment: str, release: str | None, *, actor: str, again: bool = False
) -> tuple[Run | None, Standing]:
    """Have what a release (None: everything goes) makes of an environment's infrastructure planned, unless it is.

    `again`: also where nothing of ours has changed, so that what drifted is found and can be put right.
    Raises errors.NotFound where there is no infrastructure.
    """
    wanted = None if release is None else releases.get(workshop.database, project, release)
    content = None if wanted is None else restore.manifest(workshop, wanted)

    def work(tx: Transaction) -> tuple[Run | None, Standing]:
        found = stands(tx, project, environment, content)
        if found is None or found.state == "left":
            raise errors.NotFound(
                f"{environment} of {project} has no infrastructure", hint=f'declare it: [environments.{environment}] infra = "infra/"'
            )  # fmt: skip
        if found.state != "unplanned" and not again:
            return None, found
        made = runs.look(
            tx, project, environment, "plan", found.question, release=found.release if wanted is None else wanted.id,
            actor=actor, destroy=wanted is None,
        )  # fmt: skip
        return made, found

    return workshop.database.write(work)


def first(workshop: Workshop, release: releases.Release, content: Manifest, environment: str, *, actor: str) -> None:
    """Have a release on its way planned, unless it is, or is being."""

    def work(tx: Transaction) -> None:
        found = stands(tx, release.project, environment, content)
        if found is not None and found.state == "unplanned":
            runs.look(tx, release.project, environment, "plan", found.question, release=release.id, actor=actor)

    workshop.database.write(work)


def unplannable(
    workshop: Workshop, change: Change, release: releases.Release, content: Manifest, environment: str
) -> str:
    """Why Terraform could not plan a release since its change came in; "" where it could, or has not tried."""
    if environment not in content.infra:
        return ""
    found = stands(workshop.database, release.project, environment, content)
    if found is None or found.state != "unplanned":
        return ""
    last = runs.asked(workshop.database, release.project, environment, "plan", found.question)
    if last is None or last.state != "failed" or last.queued_us < change.recorded_us:
        return ""
    return f"infra could not be planned: {last.reason}"


def drift(workshop: Workshop, project: str, environment: str, *, actor: str) -> Run:
    """Look whether an environment's infrastructure is as it was left. Raises errors.NotFound, errors.Refused while it changes."""

    def work(tx: Transaction) -> Run:
        place = places.get(tx, project, environment)
        if place is None:
            raise errors.NotFound(
                f"{environment} of {project} has no infrastructure yet", hint=f"see: ciranda plan -e {environment}"
            )
        runs.refuse_busy(tx, project, environment)
        return runs.look(tx, project, environment, "drift", _drift(place), release=place.release, actor=actor)

    return workshop.database.write(work)


def look(workshop: Workshop) -> None:
    """What is due by the clock: runs whose turn has come, and looks for drift. Safe to repeat and to be killed in."""
    for run, revision in runs.unqueued(workshop.database):
        _advance(workshop, run, revision)
    now_us = clock.now_us()
    for place in places.every(workshop.database):
        if _due(workshop, place, now_us):
            drift(workshop, place.project, place.environment, actor=CLOCK)


def stands(
    database: Database | Transaction, project: str, environment: str, content: Manifest | None
) -> Standing | None:
    """How infrastructure stands to a release, or (None) to nothing at all."""
    if content is None:
        return standing.leaving(database, project, environment)
    return resolve.furnished(database, content, environment, resolve.plain(database, content, environment))


def _advance(workshop: Workshop, run: Run, revision: str | None) -> None:
    """What is destroyed goes when its services are gone; when they stay, it stays."""

    def work(tx: Transaction) -> None:
        if revision == "reached":
            runs.queue(tx, run)
        elif revision != "target":
            runs.end(tx, run, "failed", reason=f"{run.environment} was not destroyed after all")

    if revision != "target":
        workshop.database.write(work)


def _due(workshop: Workshop, place: places.Place, now_us: int) -> bool:
    """Whether it is time to look for drift again; a look that failed counts as one."""
    last = runs.asked(workshop.database, place.project, place.environment, "drift", _drift(place))
    looked_us = max(place.applied_us, place.checked_us or 0, 0 if last is None else last.queued_us)
    if now_us - looked_us < int(SHORTEST * SECOND):
        return False
    content = restore.manifest(workshop, releases.by_id(workshop.database, place.release))
    declared = content.infra.get(place.environment)
    if declared is None or now_us - looked_us < int(declared.check * SECOND):
        return False
    live = revisions.live(workshop.database, place.project, place.environment)
    return live is not None and runs.changing(workshop.database, place.project, place.environment) is None


def _drift(place: places.Place) -> str:
    return digest.of("plan", ["infra", "drift", place.digest, place.serial])
