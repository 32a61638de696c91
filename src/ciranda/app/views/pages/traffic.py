"""What the gateway counted over the last minutes: its counters, looked at every few seconds, and the rates between looks."""

import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ciranda.kernel import errors
from ciranda.service import counters

EVERY = 2.0  # seconds between looks
KEPT = 300  # looks of one release on one route: ten minutes
SERIES = 32  # releases on routes whose minutes are kept: the busiest
RECENT = 60.0  # seconds over which a rate is a mean
SETTLED = 300.0  # seconds over which latencies are counted

Name = tuple[str, str]  # prefix and release: ("/flights/prod/delays", "r42")
Looks = deque["Look"]


@dataclass(frozen=True, slots=True)
class Look:
    """What was counted for one release on one route until a moment of the monotonic clock, in seconds.

    `histogram` is that of the counters, in 8 bytes a bucket: thousands of looks are kept.
    """

    at: float
    requests: int
    failed: int
    histogram: "array[int]"


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests over the last minutes. Latencies are upper bounds in seconds; 0 where nothing was answered."""

    per_second: float
    failed_per_second: float
    requests: int  # over the time of the latencies
    failed: int
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class Point:
    """Requests and failures a second, between two looks; `ago` is in seconds before now."""

    ago: float
    per_second: float
    failed_per_second: float


class Traffic:
    """Looks at the counters in a thread of its own and keeps the last minutes of what was counted."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._series: dict[Name, Looks] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="traffic", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def looks(self, prefix: str, release: str) -> Sequence[Look]:
        """What was kept of a release on a route, oldest first."""
        with self._lock:
            return tuple(self._series.get((prefix, release), ()))

    def rate(self, prefix: str, release: str) -> Rate | None:
        """The rate of a release on a route; None while it was looked at less than twice."""
        return rate(self.looks(prefix, release), self._clock())

    def points(self, prefix: str) -> dict[str, tuple[Point, ...]]:
        """The course of a route, by release."""
        with self._lock:
            names = [release for known, release in self._series if known == prefix]
        now = self._clock()
        return {release: points(self.looks(prefix, release), now) for release in names}

    def look(self) -> None:
        """One look."""
        try:
            found = counters.read(self._path)
        except errors.Corrupt:
            return
        at = self._clock()
        with self._lock:
            self._series = kept(self._series, found, at)

    def _watch(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(EVERY)


def kept(series: Mapping[Name, Looks], found: Mapping[Name, counters.Counted], at: float) -> dict[Name, Looks]:
    """The series with one more look. Of all but the busiest only that look is kept, from which one that wakes up goes on."""
    grown: dict[Name, Looks] = {}
    for name, counted in found.items():
        looks = series.get(name) or deque(maxlen=KEPT)
        if looks and counted.requests < looks[-1].requests:
            looks = deque(maxlen=KEPT)  # the slot was begun anew
        same = bool(looks) and looks[-1].requests == counted.requests
        histogram = looks[-1].histogram if same else array("Q", counted.histogram)
        looks.append(Look(at, counted.requests, counted.classes[4], histogram))
        grown[name] = looks
    for name in sorted(grown, key=lambda name: _moved(grown[name]), reverse=True)[SERIES:]:
        grown[name] = deque(list(grown[name])[-1:], maxlen=KEPT)
    return grown


def _moved(looks: Looks) -> int:
    return looks[-1].requests - looks[0].requests


def rate(looks: Sequence[Look], now: float) -> Rate | None:
    """The mean rate of the last minute and the latencies of the last five. Pure."""
    if len(looks) < 2:
        return None
    last = looks[-1]
    minute, settled = _since(looks, now - RECENT), _since(looks, now - SETTLED)
    seconds = max(last.at - minute.at, EVERY / 2)
    histogram = tuple(b - a for a, b in zip(settled.histogram, last.histogram, strict=True))
    between = counters.Counted(sum(histogram), (0, 0, 0, 0, 0), 0, 0.0, histogram)
    return Rate(
        (last.requests - minute.requests) / seconds,
        (last.failed - minute.failed) / seconds,
        last.requests - settled.requests,
        last.failed - settled.failed,
        between.quantile(0.5),
        between.quantile(0.9),
        between.quantile(0.99),
    )


def points(looks: Sequence[Look], now: float) -> tuple[Point, ...]:
    """The rate between each two looks. Pure."""
    return tuple(_between(looks, now))


def _between(looks: Sequence[Look], now: float) -> Iterable[Point]:
    for before, after in pairwise(looks):
        seconds = after.at - before.at
        if seconds > 0:
            yield Point(
                now - after.at,
                (after.requests - before.requests) / seconds,
                (after.failed - before.failed) / seconds,
            )


def _since(looks: Sequence[Look], at: float) -> Look:
    """The last look before a moment, else the first one."""
    earlier = [look for look in looks if look.at <= at]
    return earlier[-1] if earlier else looks[0]
