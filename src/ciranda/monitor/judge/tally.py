"""What the judge reads: counts that only grow, of the canary and of what runs beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal


@dataclass(frozen=True, slots=True)
class Tally:
    """What one release answered on one route since its rollout began.

    `errors` counts 5xx, resets and time-outs, once per client and while. `histogram` counts times by the bounds of
    `service.counters.BOUNDS_US`; it may be shorter, or empty where times are not judged.
    """

    requests: int = 0
    errors: int = 0
    histogram: tuple[int, ...] = ()

    def since(self, earlier: "Tally") -> "Tally":
        """What came after an earlier tally of the same release."""
        return Tally(
            self.requests - earlier.requests,
            self.errors - earlier.errors,
            tuple(now - then for now, then in zip_longest(self.histogram, earlier.histogram, fillvalue=0)),
        )

    def behind(self, other: "Tally") -> bool:
        """Whether some count is smaller than the other's: then this one was taken earlier, or is of another file."""
        counts = zip_longest(self.histogram, other.histogram, fillvalue=0)
        return self.requests < other.requests or self.errors < other.errors or any(now < then for now, then in counts)


NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class Sum:
    """How many values there were since the rollout began, and their sum."""

    count: int = 0
    total: float = 0.0

    def since(self, earlier: "Sum") -> "Sum":
        return Sum(self.count - earlier.count, self.total - earlier.total)


@dataclass(frozen=True, slots=True)
class Pair:
    """A value of model or data that lies between `low` and `high`, of the canary and of what runs beside it.

    `worse` says which direction is worse; a difference of means up to `tolerated`, in the value's unit, is harmless.
    """

    canary: Sum
    control: Sum
    low: float = 0.0
    high: float = 1.0
    worse: Literal["higher", "lower"] = "higher"
    tolerated: float = 0.0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a value lies between two bounds: not {self.low} and {self.high}")

    def shares(self) -> tuple[Sum, Sum]:
        """Canary and control on a scale from 0 to 1 on which higher is worse."""
        return self._scaled(self.canary), self._scaled(self.control)

    def share_tolerated(self) -> float:
        return self.tolerated / (self.high - self.low)

    def _scaled(self, one: Sum) -> Sum:
        distance = one.total - one.count * self.low if self.worse == "higher" else one.count * self.high - one.total
        return Sum(one.count, min(max(distance / (self.high - self.low), 0.0), float(one.count)))


def trimmed(histogram: Sequence[int]) -> list[int]:
    """Without the zeros at its end."""
    last = max((place for place, count in enumerate(histogram) if count), default=-1)
    return list(histogram[: last + 1])
