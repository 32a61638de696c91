"""The pages of incidents and of delivery: what is open, what was planned, who is told; the figures in words."""

from dataclasses import dataclass

from ciranda.app import home as homes
from ciranda.app.views import feedback
from ciranda.feedback import incidents, items
from ciranda.feedback.delivery import Failure, Figures, Spread
from ciranda.feedback.incidents import Incident
from ciranda.feedback.items import Item
from ciranda.feedback.review import lasted
from ciranda.kernel import clock
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store

HOW = {
    "failed": "did not become live",
    "rolled back": "was rolled back",
    "incident": "had an incident",
    "data": "new data was kept out",
    "job": "a job's data was kept out",
    "worse": "was worse than what is live",
}
TURNS = {"better": "better", "worse": "worse", "same": "as before", "": ""}


@dataclass(frozen=True, slots=True)
class Front:
    """The incidents of a project, its open items and its channels."""

    incidents: tuple[Incident, ...]
    items: tuple[Item, ...]
    channels: tuple[feedback.Channel, ...]
    now_us: int

    @property
    def open(self) -> int:
        """How many incidents are open."""
        return sum(one.state == "open" for one in self.incidents)


@dataclass(frozen=True, slots=True)
class Line:
    """One figure in words: now, in the window before, and whether that is better."""

    name: str
    now: str
    before: str
    turn: str


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of a project (`service` "") or a service."""

    service: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The figures of an environment, and the changes that failed, the newest first."""

    environment: str
    days: float
    tables: tuple[Table, ...]
    failures: tuple[Failure, ...]


def front(home: homes.Home, database: Database, project: str, before: int, most: int) -> Front:
    """Everything of one project."""
    return Front(
        tuple(incidents.listing(database, project, before=before, most=most)),
        tuple(items.listing(database, project, unclosed=True)),
        tuple(feedback.channels(database, home, project)),
        clock.now_us(),
    )


def delivery(database: Database, store: Store, project: str, environment: str, days: float) -> Delivery:
    """The figures in words. Raises errors.NotFound, errors.Invalid."""
    told = feedback.delivery(database, store, project, environment, days)
    tables = tuple(Table(part.service, tuple(lines(part))) for part in told.parts)
    return Delivery(told.environment, told.days, tables, told.parts[0].now.failures[::-1])


def lines(part: feedback.Part) -> list[Line]:
    """The four figures in words."""
    now, before, trend = part.now, part.before, part.trend
    return [
        Line("deployments", _frequency(now), _frequency(before), TURNS[trend.frequency]),
        Line("lead time", _spread(now.lead), _spread(before.lead), TURNS[trend.lead]),
        Line("failed changes", _rate(now), _rate(before), TURNS[trend.rate]),
        Line("time to restore", _spread(now.restore) + _open(now), _spread(before.restore), TURNS[trend.restore]),
    ]


def _frequency(of: Figures) -> str:
    return "no data" if of.deployments is None else f"{of.deployments}, {of.per_week:.1f} a week"


def _spread(of: Spread | None) -> str:
    return "no data" if of is None else f"median {lasted(of.median_us)}, p90 {lasted(of.p90_us)} of {of.count}"


def _rate(of: Figures) -> str:
    return "no data" if of.rate is None else f"{of.rate:.0%}, {len(of.failures)} of {of.changes}"


def _open(of: Figures) -> str:
    return f", {of.open} not over yet" if of.open else ""
