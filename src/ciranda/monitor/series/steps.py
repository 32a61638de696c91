"""From what is known of a series to a value for each step. Pure."""

import math
from collections.abc import Callable, Sequence

from ciranda.monitor.series.levels import MINUTE
from ciranda.monitor.series.samples import How

Points = tuple[tuple[int, float | None], ...]
GAP = 5 * MINUTE  # µs without a sample over which nothing is said: what was counted meanwhile has no known time


class Known:
    """What is known of one series, in the order of time: of a counter its value, of anything else what its samples were."""

    def __init__(self) -> None:
        self.times: list[int] = []  # µs
        self.values: list[tuple[float, float, float, float, float]] = []  # count, mean, min, max, last

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
    step = steps.step
    grown, covered = [0.0] * len(steps), [0] * len(steps)
    begin = steps.start
    for at in range(1, len(times)):
        low, high = times[at - 1], times[at]
        length = high - low
        if length <= 0 or length > gap_us:
            continue
        more = values[at] - values[at - 1]
        if more < 0:
            more = values[at] if values[at] < values[at - 1] / 2 else 0.0
        first, last = (low - begin) // step, (high - 1 - begin) // step
        if last < 0 or first >= len(steps):
            continue
        if first == last:
            grown[first] += more
            covered[first] += length
            continue
        for number in range(max(first, 0), min(last, len(steps) - 1) + 1):
            start = begin + number * step
            part = min(high, start + step) - max(low, start)
            grown[number] += more * part / length
            covered[number] += part
    return tuple(
        (start, (grown[number] * 1e6 / covered[number] if a_second else grown[number]) if covered[number] else None)
        for number, start in enumerate(steps)
    )


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
