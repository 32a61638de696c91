"""The loop of each project at a glance, and of one project in detail."""

from collections.abc import Mapping
from dataclasses import dataclass

from ciranda.app import home as homes
from ciranda.app.views import status
from ciranda.app.views.pages import traffic
from ciranda.kernel.database import Database
from ciranda.loop import changes
from ciranda.release import releases

LATEST = 10  # changes and releases on a project's page


@dataclass(frozen=True, slots=True)
class Loop:
    """One project: its state, its latest changes, the releases made lately, and rates by environment and service."""

    project: status.Project
    latest: tuple[changes.Change, ...]
    made: tuple[releases.Release, ...]
    rates: Mapping[tuple[str, str], traffic.Rate]

    @property
    def at_gate(self) -> changes.Change | None:
        """The change that is judged now, else the newest one."""
        judged = [one for one in self.latest if one.state in ("judging", "passed", "merging")]
        return next(iter([*judged, *self.latest]), None)


@dataclass(frozen=True, slots=True)
class Front:
    """Every project of a home, or one. `server`: whether the processes of the home run."""

    at_us: int
    server: bool
    loops: tuple[Loop, ...]


def gather(home: homes.Home, database: Database, seen: traffic.Traffic, project: str | None = None) -> Front:
    """The state now. Raises errors.NotFound for a project that is not here."""
    now = status.gather(home, database, project)
    return Front(now.at_us, now.server, tuple(_loop(database, one, seen) for one in now.projects))


def _loop(database: Database, project: status.Project, seen: traffic.Traffic) -> Loop:
    rates: dict[tuple[str, str], traffic.Rate] = {}
    for place in project.environments:
        serving = place.target if place.target is not None and place.live is None else place.live
        for service in place.services:
            if serving is not None:
                found = seen.rate(f"/{project.name}/{place.name}/{service.name}", serving.release)
                rates |= {} if found is None else {(place.name, service.name): found}
    return Loop(
        project,
        tuple(changes.latest(database, project.name, LATEST)),
        tuple(releases.history(database, project.name, LATEST)),
        rates,
    )
