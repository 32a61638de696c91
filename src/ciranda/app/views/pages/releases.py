"""One release: what it would run, what was said of it, where it ran, and what it changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ciranda.app.views import diff
from ciranda.environment import plan, revisions
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.pipeline import runs
from ciranda.release import manifest, releases

SAID = 50  # statements that are shown: the last ones
Part = Mapping[str, Any]  # as app/views/diff.py tells it


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
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between two releases."""

    now: releases.Release
    then: releases.Release
    parts: Sequence[Part]


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
    parts: Sequence[Part] = ()
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


def _parts(database: Database, store: Store, now: releases.Release | None, then: releases.Release) -> list[Part]:
    before = diff.One("", plan.Side(), {}) if now is None else diff.of_release(database, store, now)
    parts: list[Part] = diff.between(before, diff.of_release(database, store, then)).document()["parts"]
    return parts
