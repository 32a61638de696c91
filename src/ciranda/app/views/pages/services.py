"""One service in one environment: its instances, and rate, errors and latency of each release that answers for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from ciranda.app import home as homes
from ciranda.app.views import status
from ciranda.app.views.pages import traffic
from ciranda.environment import revisions
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.project import names
from ciranda.service import counters

OLD = 8  # releases that are shown of those that answered before


@dataclass(frozen=True, slots=True)
class Answered:
    """What one release answered since it was first routed here; `rate` of the last minutes where it was watched."""

    release: str
    live: bool
    counted: counters.Counted
    rate: traffic.Rate | None


@dataclass(frozen=True, slots=True)
class Told:
    """A service of an environment. `course` is its rate over the last minutes, all releases together, oldest first."""

    environment: str
    environments: tuple[str, ...]
    service: status.Service | None
    live: str | None  # the release that should answer
    server: bool
    url: str
    answered: tuple[Answered, ...]
    course: tuple[traffic.Point, ...]


def gather(
    home: homes.Home, database: Database, seen: traffic.Traffic, project: str, service: str, environment: str | None
) -> Told:
    """One service; in the last environment where none is named. Raises errors.NotFound."""
    there = status.gather(home, database, project)
    state = there.projects[0]
    places = {place.name: place for place in state.environments if _runs(place, service)}
    if not places:
        known = sorted({one.name for place in state.environments for one in place.services})
        hint = names.suggestion(service, known) or f"what there is: {', '.join(known) or 'none'}"
        raise errors.NotFound(f"{project} runs no service {service}", hint=hint)
    chosen = environment or next(reversed(places))
    if chosen not in places:
        raise errors.NotFound(f"{service} does not run in {chosen}", hint=f"it runs in: {', '.join(places)}")
    place = places[chosen]
    prefix = f"/{project}/{chosen}/{service}"
    current = revisions.current(database, project, chosen)
    serving = place.target if place.target is not None and place.live is None else place.live
    live = None if serving is None or current is None else serving.release
    counted = _counted(home, prefix)
    return Told(
        chosen,
        tuple(places),
        next((one for one in place.services if one.name == service), None),
        live,
        there.server,
        f"{homes.gateway(home)}{prefix}/",
        tuple(_answered(counted, seen, prefix, live)),
        _together(seen.points(prefix)),
    )


def _runs(place: status.Environment, service: str) -> bool:
    return any(one.name == service for one in place.services)


def _counted(home: homes.Home, prefix: str) -> dict[str, counters.Counted]:
    try:
        found = counters.read(home.state / "counters")
    except errors.Corrupt:
        return {}
    return {release: counted for (route, release), counted in found.items() if route == prefix}


def _answered(
    counted: Mapping[str, counters.Counted], seen: traffic.Traffic, prefix: str, live: str | None
) -> list[Answered]:
    newest = sorted(counted, key=lambda release: (release == live, int(release[1:] or 0)), reverse=True)[:OLD]
    return [Answered(name, name == live, counted[name], seen.rate(prefix, name)) for name in newest]


def _together(courses: Mapping[str, tuple[traffic.Point, ...]]) -> tuple[traffic.Point, ...]:
    """The courses of several releases added up: looks at the counters are looks at all of them."""
    added: dict[float, traffic.Point] = {}
    for course in courses.values():
        for point in course:
            known = added.get(point.ago)
            added[point.ago] = (
                point
                if known is None
                else traffic.Point(
                    point.ago,
                    known.per_second + point.per_second,
                    known.failed_per_second + point.failed_per_second,
                )
            )
    return tuple(added[ago] for ago in sorted(added, reverse=True))
