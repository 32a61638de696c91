"""When something changed: points in a series from which on its values are others. Pure.

Pettitt's test (Applied Statistics 28, 1979) by ranks, so that neither the shape of the values nor a few outliers matter, again in each part
until nothing is left to split; what is found must also be a difference that people would call one.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALPHA = 1e-4  # how often a part without a change is split all the same
LEAST = 6  # values on each side of a change
RATIO = 1.2  # a change is at least so many times as much, or as little
NOISE = 1.5  # and more than so many times what the values scatter on either side
DAYS = 3  # days before of which a time of day is known


@dataclass(frozen=True, slots=True)
class Change:
    """From `at_us` on it is `after` (a median), before it was `before`; `sure` is 1 minus Pettitt's probability."""

    at_us: int
    before: float
    after: float
    sure: float

    @property
    def rose(self) -> bool:
        return self.after > self.before


@dataclass(frozen=True, slots=True)
class Trend:
    """A value against its own week: medians of the last hour and of the seven days before, and where it last changed."""

    now: float | None
    week: float | None
    change: Change | None

    @property
    def times(self) -> float | None:
        """How many times its week it is now; None: one of them is not known, or nothing."""
        return self.now / self.week if self.now is not None and self.week else None


def changes(times: Sequence[int], values: Sequence[float | None]) -> list[Change]:
    """Every point at which a series changed, oldest first."""
    known = [(at, value) for at, value in zip(times, values, strict=True) if value is not None]
    if len(known) < 2 * LEAST:
        return []
    cuts = sorted(_split([value for _, value in known], 0, len(known)))
    edges = [0, *cuts, len(known)]
    found = []
    for number, cut in enumerate(cuts, 1):
        left = [value for _, value in known[edges[number - 1] : cut]]
        right = [value for _, value in known[cut : edges[number + 1]]]
        before, after = statistics.median(left), statistics.median(right)
        if _matters(left, right):
            both = [*left, *right]
            found.append(Change(known[cut][0], before, after, 1 - pettitt(both)[1]))
    return found


def pettitt(values: Sequence[float]) -> tuple[int, float]:
    """Where a series is best split in two, and how probable as clear a split would be if nothing had changed."""
    count = len(values)
    ranks = _ranks(values)
    best, most, seen = 0, -1.0, 0.0
    for at in range(1, count):
        seen += ranks[at - 1]
        found = abs(2 * seen - at * (count + 1))
        if found > most:
            best, most = at, found
    return best, min(1.0, 2 * math.exp(-6 * most * most / (count**3 + count**2)))


def seasoned(times: Sequence[int], values: Sequence[float | None], day: int = 86_400_000_000) -> list[float | None]:
    """Values freed of what the time of day does, where at least DAYS days are known: each times the median over that of its time of day."""
    whole = [value for value in values if value is not None]
    if not whole:
        return list(values)
    middle = statistics.median(whole)
    slots: dict[int, list[float]] = {}
    width = max(times[1] - times[0], 900_000_000) if len(times) > 1 else 900_000_000  # quarters of an hour, or a step
    for at, value in zip(times, values, strict=True):
        if value is not None:
            slots.setdefault(at % day // width, []).append(value)
    days = (times[-1] - times[0]) / day if times else 0
    if days < DAYS or middle <= 0:
        return list(values)
    usual = {slot: statistics.median(some) for slot, some in slots.items() if len(some) >= DAYS}
    return [
        value * middle / usual[slot] if value is not None and usual.get(slot := at % day // width, 0) > 0 else value
        for at, value in zip(times, values, strict=True)
    ]


def trend(times: Sequence[int], values: Sequence[float | None], *, hour: int = 3_600_000_000) -> Trend:
    """What a series of eight days or less says of its end: the last hour against what was before it."""
    if not times:
        return Trend(None, None, None)
    edge = times[-1] - hour
    late = [value for at, value in zip(times, values, strict=True) if value is not None and at > edge]
    early = [value for at, value in zip(times, values, strict=True) if value is not None and at <= edge]
    found = changes(times, seasoned(times, values))
    return Trend(
        statistics.median(late) if late else None,
        statistics.median(early) if early else None,
        _told(found[-1], times, values) if found else None,
    )


def cause(change: Change, moves: Mapping[int, str], within: int = 900_000_000) -> tuple[str, int] | None:
    """What happened at most `within` µs before a change, and how long before; of several the last one.

    A value that is a mean over a step may change up to a minute before what caused it.
    """
    near = [(at, what) for at, what in moves.items() if -60_000_000 <= change.at_us - at <= within]
    return (max(near)[1], max(0, change.at_us - max(near)[0])) if near else None


def _told(change: Change, times: Sequence[int], values: Sequence[float | None]) -> Change:
    """The change with the values as they were, the time of day included."""
    span = 43_200_000_000  # half a day on either side
    sides = {True: [], False: []}  # type: dict[bool, list[float]]
    for at, value in zip(times, values, strict=True):
        if value is not None and abs(at - change.at_us) <= span:
            sides[at >= change.at_us].append(value)
    if not sides[True] or not sides[False]:
        return change
    return Change(change.at_us, statistics.median(sides[False]), statistics.median(sides[True]), change.sure)


def _split(values: Sequence[float], low: int, high: int) -> list[int]:
    if high - low < 2 * LEAST:
        return []
    part = values[low:high]
    at, chance = pettitt(part)
    if chance > ALPHA or not LEAST <= at <= len(part) - LEAST or not _matters(part[:at], part[at:]):
        return []
    cut = low + at
    return [*_split(values, low, cut), cut, *_split(values, cut, high)]


def _matters(left: Sequence[float], right: Sequence[float]) -> bool:
    before, after = statistics.median(left), statistics.median(right)
    low, high = sorted((abs(before), abs(after)))
    scatter = max(_deviation(left, before), _deviation(right, after))
    return high > 0 and high >= RATIO * low and abs(after - before) > NOISE * scatter


def _deviation(values: Sequence[float], middle: float) -> float:
    """The median distance from the median."""
    return statistics.median(abs(value - middle) for value in values)


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    at = 0
    while at < len(order):
        end = at
        while end + 1 < len(order) and values[order[end + 1]] == values[order[at]]:
            end += 1
        for place in order[at : end + 1]:
            ranks[place] = (at + end) / 2 + 1
        at = end + 1
    return ranks
