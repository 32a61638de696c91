"""One environment: what is live and what is on its way, its configuration, its history, and the plan to the newest release."""

from collections.abc import Mapping
from dataclasses import dataclass

from ciranda.app import home as homes
from ciranda.app.views import plan as plans
from ciranda.app.views import rollout as rollouts
from ciranda.app.views import status
from ciranda.app.views.pages import traffic
from ciranda.environment import revisions
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.release import releases


@dataclass(frozen=True, slots=True)
class Past:
    """A revision and the name of its release."""

    revision: revisions.Revision
    release: str


@dataclass(frozen=True, slots=True)
class Told:
    """An environment. `current` is what should run there; `more`: there are older revisions than those of this page."""

    at_us: int
    server: bool
    state: status.Environment
    rates: Mapping[str, traffic.Rate]  # by service
    current: Past | None
    past: tuple[Past, ...]
    plan: plans.View | None
    unplanned: str  # why there is no plan
    rollout: rollouts.View | None = None  # while it goes on, and until another revision is the newest


def gather(
    home: homes.Home,
    database: Database,
    store: Store,
    seen: traffic.Traffic,
    project: str,
    environment: str,
    *,
    before: int,
    most: int,
) -> Told:
    """One environment, with a page of its history. Raises errors.NotFound."""
    now = status.gather(home, database, project, environment=environment)
    state = now.projects[0].environments[0]
    current = revisions.current(database, project, environment)
    names: dict[str, str] = {}

    def past(revision: revisions.Revision) -> Past:
        if revision.release not in names:
            names[revision.release] = releases.by_id(database, revision.release).name
        return Past(revision, names[revision.release])

    rates: dict[str, traffic.Rate] = {}
    if current is not None:
        for service in current.instances:
            found = seen.rate(f"/{project}/{environment}/{service}", past(current).release)
            rates |= {} if found is None else {service: found}
    planned, unplanned = None, ""
    try:
        planned = plans.gather(database, store, project, environment)
    except (errors.Refused, errors.Corrupt) as error:
        unplanned = str(error)
    return Told(
        now.at_us,
        now.server,
        state,
        rates,
        None if current is None else past(current),
        tuple(past(each) for each in revisions.page(database, project, environment, before, most)),
        planned,
        unplanned,
        _rollout(database, project, environment),
    )


def _rollout(database: Database, project: str, environment: str) -> rollouts.View | None:
    """The rollout that goes on, or that of the newest revision."""
    found = next(iter(rollouts.gather(database, project, environment)), None)
    newest = next(iter(revisions.history(database, project, environment, 1)), None)
    return found if found is not None and newest is not None and found.revision == newest.name else None
