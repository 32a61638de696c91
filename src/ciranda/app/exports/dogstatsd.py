"""DogStatsD: datagrams of lines, as the agent of Datadog reads them. Pure.

https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/ : NAME:VALUE|TYPE|@RATE|#TAG:VALUE,…
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ciranda.app.exports.points import Histogram, Labels, Metric, grown
from ciranda.app.metrics import number

Seen = Mapping[tuple[str, Labels], float | Histogram]
SMALL, LARGE = 1432, 8192  # bytes of a datagram: over a network; to this machine
_TAG = re.compile(r"[^\w\-:/.@+]", re.ASCII)


def seen(metrics: Iterable[Metric]) -> Seen:
    """What counters stood at, by which the next look knows how much they have grown."""
    return {(one.name, point.labels): point.value for one in metrics if one.kind != "gauge" for point in one.points}


def lines(metrics: Iterable[Metric], before: Seen | None, tags: Sequence[str] = ()) -> Iterator[str]:
    """A line for each value; of counters how much they grew since `before` (None: nothing is known of that, and nothing is told).

    A histogram's answers are told as values of a distribution: each at the bound below which it lay, so none is told as faster
    than it was; the last bound stands for what lay above it. RATE is one over their number.
    """
    for one in metrics:
        for point in one.points:
            ends = _ends(point.labels, tags)
            if one.kind == "gauge" and not isinstance(point.value, Histogram):
                yield f"{one.name}:{number(point.value)}|g{ends}"
            elif before is not None:
                yield from _grown(one.name, point.value, before.get((one.name, point.labels)), ends)


def datagrams(told: Iterable[str], size: int) -> Iterator[bytes]:
    """Lines together, as many as a datagram holds."""
    waiting: list[bytes] = []
    length = 0
    for line in told:
        data = line.encode("utf-8", "replace")
        if waiting and length + len(data) + 1 > size:
            yield b"\n".join(waiting)
            waiting, length = [], 0
        waiting.append(data)
        length += len(data) + 1
    if waiting:
        yield b"\n".join(waiting)


def _grown(name: str, now: float | Histogram, before: float | Histogram | None, ends: str) -> Iterator[str]:
    if isinstance(now, Histogram):
        known = before.counts if isinstance(before, Histogram) else (0,) * len(now.counts)
        bounds = (*now.bounds, now.bounds[-1])
        began = sum(now.counts) < sum(known)  # whoever counts has begun again
        for bound, count, earlier in zip(bounds, now.counts, known, strict=True):
            more = count if began else count - earlier
            if more > 0:
                rate = "" if more == 1 else f"|@{1 / more!r}"
                yield f"{name}:{number(bound)}|d{rate}{ends}"
    else:
        more_of = grown(before if isinstance(before, float | int) else 0.0, now)
        if more_of:
            yield f"{name}:{number(more_of)}|c{ends}"


def _ends(labels: Labels, tags: Sequence[str]) -> str:
    every = [*(f"{key}:{value}" for key, value in labels), *tags]
    told = ",".join(_TAG.sub("_", tag) for tag in every)
    return f"|#{told}" if told else ""
