"""OTLP/HTTP in its binary form: metrics as every collector reads them. Pure, but for `Starts`, which remembers.

https://opentelemetry.io/docs/specs/otlp/ ; the numbers of fields are those of opentelemetry/proto/metrics/v1/metrics.proto
"""

from collections.abc import Iterable, Mapping

from ciranda.app.exports import protobuf as wire
from ciranda.app.exports.points import Histogram, Labels, Metric, Point

CONTENT_TYPE = "application/x-protobuf"
PATH = "/v1/metrics"
_CUMULATIVE = 2
_SCOPE = "ciranda"


class Starts:
    """Since when each series counts (µs): its first point, or the look before it, when it was not there yet.

    A first point whose beginning is not known starts where it stands, so that nobody takes what was counted before for a rate.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, Labels], int] = {}
        self._last_us = 0

    def of(self, metrics: Iterable[Metric], now_us: int) -> Mapping[tuple[str, Labels], int]:
        """The starts of all that is told now; what is told no more is forgotten."""
        first = self._last_us or now_us
        keys = {(one.name, point.labels) for one in metrics if one.kind != "gauge" for point in one.points}
        self._known = {key: self._known.get(key, first) for key in keys}
        self._last_us = now_us
        return self._known


def request(
    metrics: Iterable[Metric],
    starts: Mapping[tuple[str, Labels], int],
    now_us: int,
    *,
    resource: Mapping[str, str],
    version: str,
) -> bytes:
    """An ExportMetricsServiceRequest."""
    scope = wire.message(1, wire.text(1, _SCOPE), wire.text(2, version))
    told = b"".join(wire.message(2, _metric(one, starts, now_us)) for one in metrics)
    about = wire.message(1, *(wire.message(1, _attribute(key, value)) for key, value in resource.items()))
    return wire.message(1, about, wire.message(2, scope, told))


def rejected(body: bytes) -> tuple[int, str]:
    """How many points a server did not take, and what it says of them: an ExportMetricsServiceResponse."""
    count, said = 0, ""
    try:
        for field, partial in wire.fields(body):
            if field == 1 and isinstance(partial, bytes):
                for inner, value in wire.fields(partial):
                    if inner == 1 and isinstance(value, int):
                        count = value
                    elif inner == 2 and isinstance(value, bytes):
                        said = value.decode("utf-8", "replace")
    except ValueError:
        return 0, ""  # something else than it should be: it said 200 all the same
    return count, said


def _metric(one: Metric, starts: Mapping[tuple[str, Labels], int], now_us: int) -> bytes:
    head = [wire.text(field, told) for field, told in ((1, one.name), (2, one.help), (3, one.unit)) if told]
    points = b"".join(
        wire.message(1, _point(point, starts.get((one.name, point.labels)), now_us)) for point in one.points
    )
    temporality = wire.number(2, _CUMULATIVE)
    match one.kind:
        case "gauge":
            body = wire.message(5, points)
        case "counter":
            body = wire.message(7, points, temporality, wire.number(3, 1))
        case _:
            body = wire.message(9, points, temporality)
    return b"".join([*head, body])


def _point(point: Point, start_us: int | None, now_us: int) -> bytes:
    times = ([wire.fixed(2, start_us * 1000)] if start_us is not None else []) + [wire.fixed(3, now_us * 1000)]
    value = point.value
    if isinstance(value, Histogram):
        parts = [
            wire.fixed(4, sum(value.counts)),
            wire.double(5, value.total),
            wire.packed_fixed(6, value.counts),
            wire.packed_doubles(7, value.bounds),
            *(wire.message(9, _attribute(*label)) for label in point.labels),
        ]
    else:
        parts = [wire.double(4, value), *(wire.message(7, _attribute(*label)) for label in point.labels)]
    return b"".join([*times, *parts])


def _attribute(key: str, value: str) -> bytes:
    return wire.text(1, key) + wire.message(2, wire.text(1, value))
