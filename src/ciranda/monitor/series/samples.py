"""What a metric was when: samples that are written, lines that are read, and the port through which they are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

How = Literal["mean", "sum", "min", "max", "last", "rate"]
LATENCY = "latency_le_"  # and a bound in microseconds: requests that took at most that long, cumulative
_CUMULATIVE = ("requests", "errors", "cpu_seconds")


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric at a moment (µs UTC; kept to the millisecond)."""

    metric: str
    labels: Mapping[str, str]
    at_us: int
    value: float


@dataclass(frozen=True, slots=True)
class Line:
    """The course of one series: at the beginning of each step (µs UTC) its value; None where nothing is known."""

    labels: Mapping[str, str]
    points: tuple[tuple[int, float | None], ...]

    @property
    def known(self) -> list[float]:
        """The values that are known, oldest first."""
        return [value for _, value in self.points if value is not None]


class Reading(Protocol):
    """What answers for the past: our own store, or a Prometheus."""

    def read(
        self, metric: str, labels: Mapping[str, str], since_us: int, until_us: int, step_us: int, how: How
    ) -> list[Line]:
        """A line for each series of a metric whose labels are at least these.

        Steps lie on whole multiples of `step_us`; a step that is finer than what is kept of that time is made as coarse.
        Of a counter `rate` is its growth a second and `sum` its growth, over restarts of what counts; of anything else `sum` adds up
        its samples.
        """

    def several(
        self, metrics: Sequence[str], labels: Mapping[str, str], since_us: int, until_us: int, step_us: int, how: How
    ) -> dict[str, list[Line]]:
        """`read` for each of several metrics, with one look."""

    def metrics(self, labels: Mapping[str, str]) -> list[str]:
        """The names of the metrics that have a series with at least these labels, sorted."""


def cumulative(metric: str) -> bool:
    """Whether a metric only grows: what is asked of it is its rate."""
    return metric in _CUMULATIVE or metric.startswith(LATENCY) or metric.endswith("_total")
