"""The course of a service as its counters tell it: requests and errors a second, and how long answers took."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ciranda.monitor.series.levels import DAY, HOUR, MINUTE, SECOND
from ciranda.monitor.series.samples import LATENCY, How, Reading

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """One release of a service, or all of them, step by step; None where nothing is known.

    Requests and errors are a second (`read`), or how many there were (`grown`). `buckets`: by bound in µs the same of the answers that
    took at most as long.
    """

    service: str
    release: str  # "": all
    times: tuple[int, ...]  # the beginning of each step, µs
    requests: Values
    errors: Values
    buckets: Mapping[int, Values]

    @property
    def shares(self) -> Values:
        """Errors of all requests, in each step; None also where nobody asked."""
        return tuple(
            None if asked is None or bad is None or not asked else min(bad / asked, 1.0)
            for asked, bad in zip(self.requests, self.errors, strict=True)
        )

    def quantiles(self, share: float) -> Values:
        """The time in seconds within which this share of the answers came, in each step; None where nobody asked."""
        bounds = sorted(self.buckets)
        columns = [self.buckets[bound] for bound in bounds]
        return tuple(
            quantile(bounds, [column[at] or 0.0 for column in columns], self.requests[at] or 0.0, share)
            for at in range(len(self.times))
        )

    @property
    def whole(self) -> "Whole | None":
        """All steps of what `grown` gives as one; None: nothing is known of any."""
        known = sum(value is not None for value in self.requests)
        if not known:
            return None
        length = self.times[1] - self.times[0] if len(self.times) > 1 else SECOND
        seconds = known * length / SECOND
        buckets = {bound: _total(values) / seconds for bound, values in self.buckets.items()}
        return Whole(_total(self.requests) / seconds, _total(self.errors) / seconds, buckets, seconds)


@dataclass(frozen=True, slots=True)
class Whole:
    """A service over some time: requests and errors a second, the same by how long they took, over so many known seconds."""

    requests: float
    errors: float
    buckets: Mapping[int, float]
    seconds: float

    @property
    def share(self) -> float | None:
        """Errors of all requests; None: nobody asked."""
        return min(self.errors / self.requests, 1.0) if self.requests else None

    def quantile(self, share: float) -> float | None:
        """The time in seconds within which this share of the answers came; None: nobody asked."""
        bounds = sorted(self.buckets)
        return quantile(bounds, [self.buckets[bound] for bound in bounds], self.requests, share)

    def slower(self, seconds: float) -> float | None:
        """The share of the answers that took longer; between two bounds they are taken as spread evenly. None: nobody asked."""
        if not self.requests:
            return None
        before, at = 0.0, 0.0
        for bound in sorted(self.buckets):
            here = bound / 1e6
            if here >= seconds:
                part = (seconds - before) / (here - before) if here > before else 1.0
                inside = at + (self.buckets[bound] - at) * part
                return max(0.0, 1 - inside / self.requests)
            before, at = here, self.buckets[bound]
        return max(0.0, 1 - at / self.requests)


def step_for(over_us: int) -> int:
    """The step in µs in which a time is read: fine enough to be right at its ends, coarse enough to be quick."""
    for longest, step in ((20 * MINUTE, 10 * SECOND), (12 * HOUR, MINUTE), (4 * DAY, 10 * MINUTE)):
        if over_us <= longest:
            return step
    return HOUR


def grown(
    reading: Reading, labels: Mapping[str, str], since_us: int, until_us: int, *, buckets: bool = True
) -> list[Course]:
    """How many there were in each step: what counts over all of a time. Without `buckets` nothing is said of how long they took."""
    return read(reading, labels, since_us, until_us, step_for(until_us - since_us), "sum", buckets=buckets)


def read(
    reading: Reading,
    labels: Mapping[str, str],
    since_us: int,
    until_us: int,
    step_us: int,
    how: How = "rate",
    *,
    buckets: bool = True,
) -> list[Course]:
    """The course of each release of each service whose labels are at least these (`project`, `environment`, …)."""
    names = ["requests", "errors"]
    if buckets:
        names += [name for name in reading.metrics(labels) if name.startswith(LATENCY)]
    found = reading.several(names, labels, since_us, until_us, step_us, how)
    by: dict[tuple[str, str], dict[str, Values]] = {}
    times: tuple[int, ...] = ()
    for name, lines in found.items():
        for line in lines:
            key = (line.labels.get("service", ""), line.labels.get("release", ""))
            times = times or tuple(at for at, _ in line.points)
            by.setdefault(key, {})[name] = tuple(value for _, value in line.points)
    nothing: Values = (None,) * len(times)
    return [
        Course(
            *key,
            times,
            told["requests"],
            told.get("errors", nothing),
            {int(name[len(LATENCY) :]): values for name, values in told.items() if name.startswith(LATENCY)},
        )
        for key, told in sorted(by.items())
        if "requests" in told
    ]


def together(courses: Sequence[Course]) -> list[Course]:
    """The releases of each service as one course."""
    by: dict[str, list[Course]] = {}
    for course in courses:
        by.setdefault(course.service, []).append(course)
    return [_sum(service, some) for service, some in by.items()]


def _sum(service: str, courses: Sequence[Course]) -> Course:
    bounds = {bound for course in courses for bound in course.buckets}
    return Course(
        service,
        "",
        courses[0].times,
        _added(course.requests for course in courses),
        _added(course.errors for course in courses),
        {bound: _added(course.buckets[bound] for course in courses if bound in course.buckets) for bound in bounds},
    )


def _added(columns: Iterable[Values]) -> Values:
    return tuple(
        math.fsum(value for value in values if value is not None)
        if any(value is not None for value in values)
        else None
        for values in zip(*columns, strict=True)
    )


def _total(values: Values) -> float:
    return math.fsum(value for value in values if value is not None)


def quantile(bounds: Sequence[int], counts: Sequence[float], total: float, share: float) -> float | None:
    """The time in seconds within which this share came; `counts` are cumulative by bound (µs). None: there are none.

    Within a bucket the logarithm is taken as spread evenly, since its bounds grow by a factor; what is above the last bound is that.
    """
    if total <= 0 or not bounds:
        return None
    wanted, before = share * total, 0.0
    for at, (bound, count) in enumerate(zip(bounds, counts, strict=True)):
        if count >= wanted and count > before:
            low = bounds[at - 1] if at else bound / 2
            part = (wanted - before) / (count - before)
            return low * math.pow(bound / low, part) / 1e6
        before = max(before, count)
    return bounds[-1] / 1e6
