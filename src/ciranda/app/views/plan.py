"""The plan of a release for an environment, from ledger and store."""

from ciranda.app.views import waiting
from ciranda.environment import plan, resolve, revisions
from ciranda.environment.times import SECOND, STANDBY_US
from ciranda.kernel import clock, errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.pipeline import cache, records
from ciranda.release import manifest, releases

BACK = f"a swap (warm {STANDBY_US // SECOND // 60} min)"


def gather(database: Database, store: Store, project: str, environment: str, release: str | None = None) -> plan.Plan:
    """What a release (the newest one when none is named) would change. Raises errors.NotFound."""
    wanted = releases.latest(database, project) if release is None else releases.get(database, project, release)
    if wanted is None:
        raise errors.NotFound(f"{project} has no release yet", hint="push: git push ciranda main")
    content = releases.manifest(store, wanted)
    known = [place.name for place in revisions.environments(database, project)]
    if environment not in content.environments and environment not in known:
        raise errors.NotFound(
            f"{project} has no environment {environment}",
            hint=f"what there is: {', '.join(dict.fromkeys([*content.environments, *known])) or 'none'}",
        )
    live = revisions.current(database, project, environment)
    would = resolve.resolve(database, wanted, content, environment)
    then = plan.Side(wanted.name, content, would.config, would.instances, _versions(database, content))
    now = None if live is None else _now(database, store, live)
    return plan.Plan(
        project=project,
        environment=environment,
        live=None if live is None or now is None else (live.name, now.release),
        release=wanted.name,
        parts=plan.difference(now, then, back=BACK),
        warm=_is_warm(database, project, environment, wanted, then),
        blocked=_held(database, project, environment) or _failed_before(database, wanted, content, environment),
    )


def _now(database: Database, store: Store, live: revisions.Revision) -> plan.Side:
    release = releases.by_id(database, live.release)
    content = releases.manifest(store, release)
    return plan.Side(release.name, content, live.config, live.instances, _versions(database, content))


def _versions(database: Database, content: manifest.Manifest) -> dict[str, records.Version]:
    """What the runs recorded of the assets of a release: rows and figures."""
    known = cache.Known(database, content.project, None)
    found = {}
    for name, asset in content.assets.items():
        result = known.result(asset.key)
        if result is not None and result.version.digest == asset.digest:
            found[name] = result.version
    return found


def _is_warm(database: Database, project: str, environment: str, wanted: releases.Release, then: plan.Side) -> bool:
    """Whether instances of just this content stand by, as far as the ledger knows."""
    since_us = clock.now_us() - STANDBY_US
    left = revisions.reached_since(database, project, environment, since_us)
    return any(one.release == wanted.id and one.config == then.config for one in left)


def _held(database: Database, project: str, environment: str) -> str:
    for place in revisions.environments(database, project):
        if place.name == environment and place.held:
            reason = f": {place.held_reason}" if place.held_reason else ""
            return f"{environment} is held by {place.held_by}{reason}: let it in with  ciranda hold {environment} --release"
    return ""


def _failed_before(database: Database, wanted: releases.Release, content: manifest.Manifest, environment: str) -> str:
    """What became of it in an environment that comes before, where that keeps it from entering."""
    place = content.environments.get(environment)
    ended = None if place is None or place.after is None else waiting.look(database, wanted, content, place.after)
    return "" if ended is None or ended.state == "reached" else ended.text
