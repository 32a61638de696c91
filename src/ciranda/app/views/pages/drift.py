"""Drift of an environment: each service and table with the columns that differ, and how good its predictions were."""

from dataclasses import dataclass

from ciranda.app.views import drift, predictions
from ciranda.app.views.drift import Seen, Subject, Window
from ciranda.kernel import clock
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.monitor.predictions import batches, reading
from ciranda.monitor.predictions.reading import Measured
from ciranda.monitor.predictions.segments import Place

MEASURED_US = 86_400_000_000  # µs: the time whose figures are shown
ROWS = 100_000  # predictions of it, the newest, that are measured


@dataclass(frozen=True, slots=True)
class Shown:
    """A service or a table: what drifts, and every column in the window that tells most of it."""

    subject: Subject
    kept: predictions.Service | None
    measured: tuple[Measured, ...]
    columns: tuple[tuple[Window, Seen], ...]


@dataclass(frozen=True, slots=True)
class Told:
    """An environment. `now_us` is when it was looked at."""

    environment: str
    shown: tuple[Shown, ...]
    now_us: int


def gather(database: Database, store: Store, project: str, environment: str) -> Told:
    """All that is compared in an environment. Raises errors.NotFound."""
    kept = {one.name: one for one in predictions.listing(database, project, environment)}
    shown = tuple(
        Shown(
            one,
            kept.get(one.name),
            _measured(database, store, Place(project, environment, one.name)) if one.name in kept else (),
            tuple(_columns(one)),
        )
        for one in drift.gather(database, store, project, environment)
    )
    return Told(environment, shown, clock.now_us())


def _measured(database: Database, store: Store, place: Place) -> tuple[Measured, ...]:
    """How good the predictions of the last day were; nothing where nobody said what was true."""
    since_us = clock.now_us() - MEASURED_US
    if not batches.of_service(database, place, batches.FEEDBACK, since_us):
        return ()
    said = reading.feedback(database, store, place, since_us)
    return tuple(reading.measured(reading.rows(database, store, place, since_us, most=ROWS), said))


def _columns(subject: Subject) -> list[tuple[Window, Seen]]:
    """The columns that drift, each in the window of its episode, then the others in their shortest one."""
    found = {seen.name: (window, seen) for window, seen in drift.worst(subject)}
    for window in subject.windows:
        for seen in window.columns:
            found.setdefault(seen.name, (window, seen))
    return list(found.values())
