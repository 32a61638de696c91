"""When something changed: points in a series from which on its values are others. Pure.

Where a part of the series splits best in two is told by ranks (Mann and Whitney, 1947), so that neither the shape of the values nor
a few outliers matter. Parts of every length are looked at (seeded binary segmentation, Kovács, Li, Bühlmann and Munk, 2020), the
shortest that are clear are taken (narrowest over threshold, Baranowski, Chen and Fryzlewicz, 2019), and what is found must also be a
difference that people would call one.
"""

import bisect
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CLEAR = 5.0  # standard deviations of the rank statistic: chance alone gives as much in one series of thousands
LEAST = 6  # values on each side of a change
SHRINK = math.sqrt(0.5)  # of the parts that are looked at each is so much shorter than the one before
RATIO = 1.2  # a change is at least so many times as much, or as little
NOISE = 1.5  # and more than so many times what the values scatter on either side
DAYS = 3  # days before of which a time of day is known


@dataclass(frozen=True, slots=True)
class Change:
    """From `at_us` on it is `after` (a median), before it was `before`; `clear` tells in standard deviations how."""

    at_us: int
    before: float
    after: float
    clear: float

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
    plain = [value for _, value in known]
    cuts = _settled(plain, _cuts(plain))
    edges = [0, *cuts, len(known)]
    found = []
    for number, cut in enumerate(cuts, 1):
        left, right = plain[edges[number - 1] : cut], plain[cut : edges[number + 1]]
        if _matters(left, right):
            clear = split([*left, *right])[1]
            found.append(Change(known[cut][0], statistics.median(left), statistics.median(right), clear))
    return found


def split(values: Sequence[float]) -> tuple[int, float]:
    """Where values are best split in two, and by how many standard deviations its two sides differ in their ranks."""
    count = len(values)
    ranks = _ranks(values)
    best, most, seen = 0, 0.0, math.fsum(ranks[: LEAST - 1])
    for at in range(LEAST, count - LEAST + 1):
        seen += ranks[at - 1]
        found = abs(seen - at * (count + 1) / 2) / math.sqrt(at * (count - at) * (count + 1) / 12)
        if found > most:
            best, most = at, found
    return best, most


def seasoned(times: Sequence[int], values: Sequence[float | None], day: int = 86_400_000_000) -> list[float | None]:
    """Values freed of what the time of day does, where at least DAYS days are known.

    What a time of day does is how its values stand to the median of the day around them, so that a change of level is no season.
    """
    if len(times) < 2 or times[-1] - times[0] < DAYS * day:
        return list(values)
    width = max(times[1] - times[0], 900_000_000)  # quarters of an hour, or a step
    around = _around(times, values, day)
    slots: dict[int, list[float]] = {}
    for at, value, middle in zip(times, values, around, strict=True):
        if value is not None and middle:
            slots.setdefault(at % day // width, []).append(value / middle)
    usual = {slot: statistics.median(some) for slot, some in slots.items() if len(some) >= DAYS}
    return [
        value / part if value is not None and (part := usual.get(at % day // width, 1.0)) > 0 else value
        for at, value in zip(times, values, strict=True)
    ]


def _around(times: Sequence[int], values: Sequence[float | None], day: int) -> list[float]:
    """The median of the day around each moment; 0: nothing is known."""
    inside: list[float] = []
    low = high = 0
    found = []
    for at in times:
        while high < len(times) and times[high] <= at + day // 2:
            if (value := values[high]) is not None:
                bisect.insort(inside, value)
            high += 1
        while times[low] < at - day // 2:
            if (value := values[low]) is not None:
                inside.pop(bisect.bisect_left(inside, value))
            low += 1
        found.append(inside[len(inside) // 2] if inside else 0.0)
    return found


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
        found[-1] if found else None,
    )


def cause(change: Change, moves: Mapping[int, str], within: int = 900_000_000) -> tuple[str, int] | None:
    """What happened at most `within` µs before a change, and how long before; of several the last one.

    A value that is a mean over a step may change up to a minute before what caused it.
    """
    near = [(at, what) for at, what in moves.items() if -60_000_000 <= change.at_us - at <= within]
    return (max(near)[1], max(0, change.at_us - max(near)[0])) if near else None


def _parts(count: int) -> list[tuple[int, int]]:
    """Parts of every length that overlap by half, the shortest first."""
    found = []
    length = float(count)
    while length >= 2 * LEAST:
        some = 2 * math.ceil(count / length) - 1
        shift = (count - length) / (some - 1) if some > 1 else 0.0
        found += [(math.floor(number * shift), math.ceil(number * shift + length)) for number in range(some)]
        length *= SHRINK
    return sorted(found, key=lambda part: part[1] - part[0])


def _cuts(values: Sequence[float]) -> list[int]:
    """Where the shortest parts with a clear split are split."""
    cuts: list[int] = []
    for low, high in _parts(len(values)):
        if any(low < cut < high for cut in cuts):
            continue
        part = values[low:high]
        at, clear = split(part)
        if clear >= CLEAR and _matters(part[:at], part[at:]):
            cuts.append(low + at)
    return sorted(cuts)


def _settled(values: Sequence[float], cuts: Sequence[int]) -> list[int]:
    """Each cut where all the values between its neighbours say that it is."""
    edges = [0, *cuts, len(values)]
    found = []
    for low, high in zip(edges, edges[2:], strict=False):
        at, clear = split(values[low:high])
        if clear >= CLEAR:
            found.append(low + at)
    return sorted(set(found))


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
