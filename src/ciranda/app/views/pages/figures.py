"""The figures of a service and of the models of its project, as a page shows them."""

from dataclasses import dataclass

from ciranda.app.views import figures
from ciranda.kernel import clock
from ciranda.kernel.database import Database
from ciranda.monitor.alerts import wording
from ciranda.monitor.series.levels import DAY, HOUR
from ciranda.monitor.series.samples import Reading

SPANS = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
LATELY = 60 * DAY  # µs in which models are told


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: its name and values as people read them."""

    figure: figures.Figure
    whole: str
    now: str
    week: str


@dataclass(frozen=True, slots=True)
class Model:
    """A figure of a model, release by release, oldest first: (release, value)."""

    asset: str
    name: str
    values: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A service over a span. `rows` are empty where nothing was sampled."""

    told: figures.Told
    service: str
    span: str
    spans: tuple[str, ...]
    releases: tuple[str, ...]
    rows: tuple[Row, ...]
    models: tuple[Model, ...]
    now_us: int


def gather(database: Database, reading: Reading, project: str, service: str, environment: str, span: str) -> Told:
    """One service; over a day where the span is none of SPANS. Raises errors.NotFound."""
    now = clock.now_us()
    chosen = span if span in SPANS else "24h"
    told = figures.gather(database, reading, project, environment, service, since_us=SPANS[chosen], now_us=now)
    its = next((one for one in told.services if one.name == service), None)
    rows = () if its is None else tuple(_row(figure) for figure in its.figures)
    releases = () if its is None else its.releases
    return Told(told, service, chosen, tuple(SPANS), releases, rows, _models(reading, project, now), now)


def said(name: str, value: float | None) -> str:
    """A value with its unit; "no data" where nothing is known."""
    return "no data" if value is None else wording.said(name, value)


def _row(figure: figures.Figure) -> Row:
    week = "" if figure.week is None else said(figure.name, figure.week)
    return Row(figure, said(figure.name, figure.whole), said(figure.name, figure.now), week)


def _models(reading: Reading, project: str, now: int) -> tuple[Model, ...]:
    names = [name for name in reading.metrics({"project": project}) if name.startswith("model_")]
    found: dict[tuple[str, str], list[tuple[int, str, float]]] = {}
    for name, lines in reading.several(names, {"project": project}, now - LATELY, now, HOUR, "last").items():
        for line in lines:
            at = next(at for at, value in line.points if value is not None)
            key = (line.labels.get("asset", ""), name.removeprefix("model_"))
            found.setdefault(key, []).append((at, line.labels.get("release", ""), line.known[-1]))
    return tuple(
        Model(*key, tuple((release, value) for _, release, value in sorted(some)))
        for key, some in sorted(found.items())
    )
