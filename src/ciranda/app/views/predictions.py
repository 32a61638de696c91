"""What is kept of the predictions of an environment, and how good they were."""

import datetime
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.app import matching
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.monitor.predictions import batches, reading
from ciranda.monitor.predictions.batches import Kept
from ciranda.monitor.predictions.reading import Known, Measured
from ciranda.monitor.predictions.segments import Place
from ciranda.project import names


@dataclass(frozen=True, slots=True)
class Service:
    """What is kept of one service: all releases together. `feedback`: how often something was said of a prediction."""

    environment: str
    name: str
    releases: tuple[Kept, ...]
    rows: int
    dropped: int
    feedback: int
    until_us: int


@dataclass(frozen=True, slots=True)
class View:
    """The predictions of one service since a time: figures by release, the newest first, and the rows that were asked for.

    `newest`: so many of the newest rows were looked at, where there were more.
    """

    place: Place
    since_us: int
    dropped: int
    measured: tuple[Measured, ...]
    found: matching.Rows
    newest: int | None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            **asdict(self.place),
            "since_us": self.since_us,
            "dropped": self.dropped,
            "releases": [
                {
                    "release": one.release,
                    "rows": one.rows,
                    "with_truth": one.figures.pairs,
                    "rated": one.figures.ratings,
                }
                | {"figures": one.figures.told()}
                | ({"columns": {name: each.told() for name, each in one.columns.items()}} if one.columns else {})
                for one in self.measured
            ],
            "rows": [dict(zip(self.found.columns, map(plain, row), strict=True)) for row in self.found.rows],
            "count": self.found.count,
            "newest": self.newest,
        }


def listing(database: Database, project: str, environment: str = "") -> list[Service]:
    """The services of a project that kept something."""
    found: dict[tuple[str, str], list[Kept]] = {}
    for one in batches.kept(database, project, environment):
        found.setdefault((one.environment, one.service), []).append(one)
    return [_service(*key, each) for key, each in found.items()]


def place(database: Database, project: str, environment: str, service: str) -> Place:
    """A service that kept something. Raises errors.NotFound."""
    known = listing(database, project)
    there = [one.environment for one in known if one.name == service]
    if environment in there:
        return Place(project, environment, service)
    if there:
        raise errors.NotFound(
            f"nothing is kept of {service} in {environment}", hint=f"something is in: {', '.join(there)}"
        )
    services = sorted({one.name for one in known})
    hint = names.suggestion(service, services) or "keep them: predictions = {} in its section of ciranda.toml"
    raise errors.NotFound(f"nothing is kept of what {service} predicts in {project}", hint=hint)


def gather(
    database: Database, store: Store, where: Place, *, since_us: int, condition: str = "", most: int = 5
) -> View:
    """The predictions of a service since a time. Raises errors.Invalid for a condition, errors.NotFound, errors.Corrupt."""
    there = batches.of_service(database, where, batches.PREDICTIONS, since_us)
    table = reading.rows(database, store, where, since_us)
    said = reading.feedback(database, store, where, since_us)
    looked = reading.joined(table, said)
    if not looked.width or "request_id" not in looked.columns:
        found = matching.Rows((), (), 0)
    elif condition:
        found, _ = matching.select(looked.lazy(), condition, most)
    else:
        last = looked.tail(most)
        found = matching.Rows(tuple(last.columns), tuple(last.rows()), looked.height)
    total = sum(one.row_count for one in there)
    return View(
        where, since_us, sum(one.dropped for one in there), tuple(reading.measured(table, said)), found,
        looked.height if total > reading.ROWS else None,
    )  # fmt: skip


def of_request(database: Database, store: Store, where: Place, identity: str, at_us: int) -> Known:
    """What is kept of a request."""
    return reading.request(database, store, where, identity, at_us)


def plain(value: Any) -> Any:
    """A value of a table as JSON can say it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value


def _service(environment: str, name: str, kept: Sequence[Kept]) -> Service:
    own = tuple(one for one in kept if one.kind == batches.PREDICTIONS)
    said = sum(one.row_count for one in kept if one.kind == batches.FEEDBACK)
    newest = sorted(own, key=lambda one: one.until_us, reverse=True)
    return Service(
        environment, name, tuple(newest), sum(one.row_count for one in own), sum(one.dropped for one in own), said,
        max((one.until_us for one in kept), default=0),
    )  # fmt: skip
