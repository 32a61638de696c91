"""From what is known of a series to a value for each step. Pure."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import sub

from ciranda.monitor.series.levels import MINUTE
from ciranda.monitor.series.samples import How

Points = tuple[tuple[int, float | None], ...]
GAP = 5 * MINUTE  # µs without a sample over which nothing is said: what was counted meanwhile has no known time


@dataclass(slots=True)
class Known:
    """What is known of one series, in the order of time: moments (µs), and of each its samples: how many, mean, least, most, last."""

    times: list[int] = field(default_factory=list)
    values: list[tuple[float, float, float, float, float]] = field(default_factory=list)

    def add(self, at: int, count: float, mean: float, least: float, most: float, last: float) -> None:
        """One slot, or one sample."""
        self.times.append(at)
        self.values.append((count, mean, least, most, last))


def grid(since_us: int, until_us: int, step_us: int) -> range:
    """The beginnings of the steps that `since` to `until` touches."""
    return range(since_us // step_us * step_us, until_us, step_us)


def growth(
    times: Sequence[int], values: Sequence[float], steps: range, gap_us: int = GAP, *, a_second: bool = True
) -> Points:
    """What a counter grew in each step, `a_second` of the time that is known of it or in all.

    What a counter grew between two samples is spread evenly over the time between them, so that steps need not meet samples.
    A counter that falls below half began anew; one that falls less was read by a clock that went back.
    """
    smooth = len(times) > 1 and max(map(sub, times[1:], times)) <= gap_us and min(map(sub, times[1:], times)) > 0
    found = _smooth if smooth and values == sorted(values) else _rough
    return tuple(
        (start, (more * 1e6 / known if a_second else more) if known else None)
        for start, (more, known) in zip(steps, found(times, values, steps, gap_us), strict=True)
    )


Grown = list[tuple[float, int]]  # of each step: the growth, and how many µs are known


def _smooth(times: Sequence[int], values: Sequence[float], steps: range, _gap_us: int) -> Grown:
    """Without gaps and restarts the two ends of a step say it all."""
    found, last = [], len(times) - 1
    low = max(steps.start, times[0])
    before = _at(times, values, low)
    for start in steps:
        high = min(start + steps.step, times[last])
        if high <= low:
            found.append((0.0, 0))
            continue
        after = _at(times, values, high)
        found.append((after - before, high - low))
        low, before = high, after
    return found


def _at(times: Sequence[int], values: Sequence[float], moment: int) -> float:
    """The value at a moment between two samples."""
    at = bisect_left(times, moment)
    if at >= len(times):
        return values[-1]
    if times[at] == moment or at == 0:
        return values[at]
    part = (moment - times[at - 1]) / (times[at] - times[at - 1])
    return values[at - 1] + (values[at] - values[at - 1]) * part


def _rough(times: Sequence[int], values: Sequence[float], steps: range, gap_us: int) -> Grown:
    step, begin = steps.step, steps.start
    grown, covered = [0.0] * len(steps), [0] * len(steps)
    for at in range(1, len(times)):
        low, high = times[at - 1], times[at]
        length = high - low
        if length <= 0 or length > gap_us:
            continue
        more = values[at] - values[at - 1]
        if more < 0:
            more = values[at] if values[at] < values[at - 1] / 2 else 0.0
        first, last = (low - begin) // step, (high - 1 - begin) // step
        for number in range(max(first, 0), min(last, len(steps) - 1) + 1):
            start = begin + number * step
            part = min(high, start + step) - max(low, start)
            grown[number] += more * part / length
            covered[number] += part
    return list(zip(grown, covered, strict=True))


def gauges(known: Known, steps: range, how: How) -> Points:
    """The mean, sum, least, most or last of the samples in each step."""
    begin, step = steps.start, steps.step
    found: dict[int, list[tuple[float, float, float, float, float]]] = {}
    for at, value in zip(known.times, known.values, strict=True):
        found.setdefault((at - begin) // step, []).append(value)
    combine = _COMBINE[how]
    return tuple((start, combine(found[number]) if number in found else None) for number, start in enumerate(steps))


Values = Sequence[tuple[float, float, float, float, float]]


def _sum(values: Values) -> float:
    return math.fsum(value[0] * value[1] for value in values)


def _mean(values: Values) -> float:
    return _sum(values) / math.fsum(value[0] for value in values)


_COMBINE: dict[str, Callable[[Values], float]] = {
    "mean": _mean,
    "sum": _sum,
    "min": lambda values: min(value[2] for value in values),
    "max": lambda values: max(value[3] for value in values),
    "last": lambda values: values[-1][4],
}
