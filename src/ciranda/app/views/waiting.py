"""Wait until a release is live in an environment, or will not be: read from the ledger, woken by its commits."""

import time
from dataclasses import dataclass
from typing import Literal

from ciranda.environment import revisions
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.release import manifest, releases

LOOK = 2.0  # seconds, in case a wake-up was lost


@dataclass(frozen=True, slots=True)
class Ended:
    """How waiting ended. `seconds`: from the revision's target to its end, where it has one."""

    state: Literal["reached", "failed", "superseded", "timeout"]
    revision: str
    text: str
    seconds: float | None = None


def for_release(
    database: Database, store: Store, project: str, release: str, environment: str, *, timeout: float
) -> Ended:
    """Wait at most `timeout` seconds. Raises errors.NotFound for a release that is not there, or never goes there."""
    wanted = releases.get(database, project, release)
    content = releases.manifest(store, wanted)
    if environment not in content.environments:
        there = ", ".join(content.environments) or "no environment"
        raise errors.NotFound(f"{wanted.name} does not go to {environment}", hint=f"it goes to: {there}")
    until = time.monotonic() + timeout
    waiter = database.waiter()
    try:
        while True:
            found = look(database, wanted, content, environment)
            if found is not None:
                return found
            left = until - time.monotonic()
            if left <= 0:
                return Ended("timeout", "", f"{_where(database, wanted, environment)} after {timeout:g} s")
            waiter.wait(min(LOOK, left))
    finally:
        waiter.close()


def for_revision(database: Database, revision: str, *, timeout: float) -> revisions.Revision:
    """Wait at most `timeout` seconds for the end of a revision; it may not have come."""
    until = time.monotonic() + timeout
    waiter = database.waiter()
    try:
        while True:
            found = revisions.by_id(database, revision)
            left = until - time.monotonic()
            if found.state != "target" or left <= 0:
                return found
            waiter.wait(min(LOOK, left))
    finally:
        waiter.close()


def look(database: Database, wanted: releases.Release, content: manifest.Manifest, environment: str) -> Ended | None:
    """Whether it is decided: in the environment itself, or in one that it comes after."""
    place: str | None = environment
    while place is not None:
        revision = revisions.of_release(database, wanted.project, place, wanted.id)
        if revision is not None and revision.state != "target":
            ended = _ended(database, revision, wanted)
            if place == environment or ended.state != "reached":
                return ended
        place = content.environments[place].after if place in content.environments else None
    return _kept_out(database, wanted, environment)


def _kept_out(database: Database, wanted: releases.Release, environment: str) -> Ended | None:
    """Whether a release's delivery has ended without its having entered the environment."""
    change = None if wanted.change is None else changes.get(database, wanted.change)
    if change is None or change.state != "settled" or not change.reason:
        return None
    if revisions.of_release(database, wanted.project, environment, wanted.id) is not None:
        return None  # somebody has let it in by hand since
    return Ended("failed", "", f"{wanted.name} does not enter {environment}: {change.reason}")


def _ended(database: Database, revision: revisions.Revision, wanted: releases.Release) -> Ended:
    seconds = ((revision.ended_us or 0) - revision.created_us) / 1e6
    match revision.state:
        case "reached":
            text = f"{wanted.name} is live in {revision.environment} ({revision.name}) after {seconds:.1f} s"
            now = revisions.live(database, wanted.project, revision.environment)
            if now is not None and now.release != wanted.id:
                other = releases.by_id(database, now.release).name
                text = f"{wanted.name} was live in {revision.environment} ({revision.name}); {other} is now"
            return Ended("reached", revision.name, text, seconds)
        case "superseded":
            text = f"{wanted.name} did not become live in {revision.environment}: {revision.reason}"
            return Ended("superseded", revision.name, text, seconds)
        case _:
            text = f"{wanted.name} failed in {revision.environment}: {revision.reason}"
            return Ended("failed", revision.name, text, seconds)


def _where(database: Database, wanted: releases.Release, environment: str) -> str:
    revision = revisions.of_release(database, wanted.project, environment, wanted.id)
    if revision is not None:
        return f"{wanted.name} is on its way to {environment} ({revision.name}), but not live"
    held = [one for one in revisions.environments(database, wanted.project) if one.held]
    names = " and ".join(one.name for one in held)
    return f"{wanted.name} has not entered {environment}" + (f" ({names} held)" if held else "")
