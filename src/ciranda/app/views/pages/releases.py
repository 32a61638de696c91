"""One release: what it would run, what was said of it, where it ran, and what it changed."""

from dataclasses import dataclass

from ciranda.app.views import difference as wording
from ciranda.app.views import facts
from ciranda.environment import plan, resolve, revisions
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.pipeline import runs
from ciranda.release import manifest, releases

SAID = 50  # statements that are shown: the last ones


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that lies between two releases, in words; `where` and `back` are of plans alone."""

    kind: str
    name: str
    sign: plan.Sign
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """A release. `lost` says why its content cannot be shown."""

    release: releases.Release
    content: manifest.Manifest | None
    lost: str
    statements: tuple[releases.Statement, ...]
    revisions: tuple[revisions.Revision, ...]
    change: changes.Change | None
    run: runs.Run | None
    before: releases.Release | None
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between two releases."""

    now: releases.Release
    then: releases.Release
    parts: tuple[Part, ...]


def gather(database: Database, store: Store, project: str, name: str) -> Told:
    """One release. Raises errors.NotFound."""
    release = releases.get(database, project, name)
    content, lost = None, ""
    try:
        content = releases.manifest(store, release)
    except (errors.NotFound, errors.Corrupt) as error:
        lost = str(error)
    change = None if release.change is None else changes.get(database, release.change)
    before = next(iter(releases.page(database, project, release.number, 1)), None)
    parts: tuple[Part, ...] = ()
    if content is not None:
        try:
            parts = _parts(database, store, before, release)
        except (errors.NotFound, errors.Corrupt) as error:
            lost = str(error)
    return Told(
        release,
        content,
        lost,
        tuple(releases.stated(database, release)[-SAID:]),
        tuple(revisions.where(database, release.id)),
        change,
        None if change is None or change.run is None else runs.by_id(database, change.run),
        before,
        parts,
    )


def difference(database: Database, store: Store, project: str, now: str, then: str) -> Difference:
    """What changes from one release to another. Raises errors.NotFound, errors.Corrupt."""
    old, new = releases.get(database, project, now), releases.get(database, project, then)
    return Difference(old, new, _parts(database, store, old, new))


def _parts(database: Database, store: Store, now: releases.Release | None, then: releases.Release) -> tuple[Part, ...]:
    old = None if now is None else releases.manifest(store, now)
    new = releases.manifest(store, then)
    before = {} if now is None or old is None else facts.of_release(database, now, old)
    after = facts.of_release(database, then, new)
    there = "" if now is None else now.name
    found = []
    for part in plan.difference(plan.Side() if old is None else _side(old), _side(new)):
        known, made = before.get(part.name), after.get(part.name)
        told = facts.compared(known, made, there=there) if part.sign == "change" else facts.told(made)
        found.append(Part(part.kind, part.name, part.sign, wording.said(part, {part.name: told})))
    return tuple(found)


def _side(content: manifest.Manifest) -> plan.Side:
    """A release as it would be in the last environment of its chain, where nothing was set by hand."""
    last = next(reversed(content.environments), "")
    config = resolve.configuration(content, last, {})
    return plan.of_release(content, resolve.Resolved(config=config, instances=resolve.scale_of(content, None)))
