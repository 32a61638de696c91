"""What is told, as others name it: metrics with a unit, of numbers or of histograms. Pure.

`ciranda_request_duration_seconds` is `ciranda.request_duration` in `s`: a collector that speaks to Prometheus makes the first of
the second again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ciranda.app.metrics import Family

Labels = tuple[tuple[str, str], ...]
_UNITS = {"_seconds": "s", "_bytes": "By", "_ratio": "1"}


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts` one for each of the ascending `bounds`, and one for what lies above."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a metric by its labels."""

    labels: Labels
    value: float | Histogram


@dataclass(frozen=True, slots=True)
class Metric:
    """All points of one name. A counter and a histogram only grow, until whoever counts begins again."""

    name: str
    unit: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    points: tuple[Point, ...]


def of(families: Iterable[Family]) -> list[Metric]:
    """The metrics of what is told to a scrape; those without a value are left out."""
    found = []
    for family in families:
        name = family.name.removesuffix("_total").replace("ciranda_", "ciranda.", 1)
        unit = "1" if family.kind == "counter" else ""
        for suffix, known in _UNITS.items():
            if name.endswith(suffix):
                name, unit = name.removesuffix(suffix), known
        points = tuple(_histograms(family)) if family.kind == "histogram" else tuple(_plain(family))
        if points:
            found.append(Metric(name, unit, family.kind, family.help, points))
    return found


def grown(before: float, now: float) -> float:
    """How much a counter has grown; what it is, where it has begun again."""
    return now - before if now >= before else now


def _plain(family: Family) -> Iterator[Point]:
    yield from (Point(sample.labels, sample.value) for sample in family.samples)


def _histograms(family: Family) -> Iterator[Point]:
    seen: dict[Labels, list[tuple[str, float]]] = {}
    totals: dict[Labels, float] = {}
    for sample in family.samples:
        labels = tuple(label for label in sample.labels if label[0] != "le")
        if sample.suffix == "_bucket":
            seen.setdefault(labels, []).append((dict(sample.labels)["le"], sample.value))
        elif sample.suffix == "_sum":
            totals[labels] = sample.value
    for labels, buckets in seen.items():
        bounds = tuple(float(le) for le, _ in buckets if le != "+Inf")
        yield Point(labels, Histogram(bounds, _apart([int(count) for _, count in buckets]), totals.get(labels, 0.0)))


def _apart(cumulative: Sequence[int]) -> tuple[int, ...]:
    return tuple(count - before for before, count in zip((0, *cumulative), cumulative, strict=False))
