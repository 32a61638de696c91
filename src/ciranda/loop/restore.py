"""A manifest that the store lost is made again: all that is in it, ledger and repository know."""

from ciranda.environment import revisions
from ciranda.kernel import errors, log
from ciranda.loop import changes, contents
from ciranda.loop.places import Workshop
from ciranda.release import releases
from ciranda.release.manifest import Manifest
from ciranda.versions import repositories

LATEST = 10  # revisions of an environment whose manifests are looked at: what runs, and what may be gone back to


def manifest(places: Workshop, release: releases.Release) -> Manifest:
    """The content of a release, put back into the store if it is not there any more.

    Raises errors.Corrupt or errors.NotFound when it cannot be made again either.
    """
    try:
        return releases.manifest(places.store, release)
    except (errors.Corrupt, errors.NotFound):
        change = None if release.change is None else changes.get(places.database, release.change)
        if change is None:
            raise
        again = contents.of_change(change, repositories.path(places.repositories, change.repository))
        if again.digest != release.digest:
            raise
    places.store.discard(release.manifest)
    releases.keep(places.store, again)
    return again


def sweep(places: Workshop) -> None:
    """Look at the manifests of what runs and of what may be gone back to, and make those again that are lost."""
    seen = set()
    for place in revisions.environments(places.database):
        for revision in revisions.history(places.database, place.project, place.name, LATEST):
            if revision.release in seen:
                continue
            seen.add(revision.release)
            release = releases.by_id(places.database, revision.release)
            try:
                manifest(places, release)
            except (errors.CirandaError, OSError) as error:
                log.say(f"{release.name} of {release.project}: {error}")
