"""How far two distributions lie apart, and how far they would by chance alone. Pure.

Shares are of the same bins or values, in the same order, and each list adds up to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, exp, log, log2, sqrt
from random import Random
from statistics import NormalDist, fmean, pvariance

RESAMPLES = 100
_EXACT = 30.0  # events up to which a number of them is drawn exactly


def jensen_shannon(one: Sequence[float], other: Sequence[float]) -> float:
    """The distance, the root of the divergence in bits: 0 is the same, 1 has nothing in common (Lin, 1991; Endres, Schindelin, 2003)."""
    divergence = 0.0
    for left, right in zip(one, other, strict=True):
        middle = (left + right) / 2
        divergence += (left * log2(left / middle) if left else 0.0) + (right * log2(right / middle) if right else 0.0)
    return sqrt(max(0.0, divergence / 2))


def stability(one: Sequence[float], other: Sequence[float], least: float) -> float:
    """The population stability index; a share that is smaller than `least` counts as that, so that it is finite."""
    pairs = ((max(left, least), max(right, least)) for left, right in zip(one, other, strict=True))
    return sum((right - left) * log(right / left) for left, right in pairs)


def wasserstein(one: Sequence[float], other: Sequence[float], widths: Sequence[float]) -> float:
    """The area between both cumulative distributions, straight within a bin, in the unit of the widths."""
    area = before = 0.0
    for left, right, width in zip(one, other, widths, strict=True):
        after = before + left - right
        if before * after >= 0:
            area += width * abs(before + after) / 2
        else:
            area += width * (before * before + after * after) / (2 * (abs(before) + abs(after)))
        before = after
    return area


@dataclass(frozen=True, slots=True)
class Noise:
    """A measure's mean and variance where nothing differs but the rows that were drawn.

    Its law is taken as a gamma, as it is where a measure is a sum of squares (Wilson and Hilferty, 1931).
    """

    mean: float
    variance: float

    def chance(self, value: float) -> float:
        """How probable at least this value is."""
        if self.mean <= 0 or self.variance <= 0:
            return 1.0 if value <= self.mean else 0.0
        if value <= 0:
            return 1.0
        ninth = self.variance / (9 * self.mean**2)
        return erfc(((value / self.mean) ** (1 / 3) - 1 + ninth) / sqrt(2 * ninth)) / 2

    def floor(self, chance: float) -> float:
        """The value that is reached with this chance."""
        if self.mean <= 0 or self.variance <= 0:
            return self.mean
        ninth = self.variance / (9 * self.mean**2)
        return self.mean * max(0.0, 1 - ninth + NormalDist().inv_cdf(1 - chance) * sqrt(ninth)) ** 3


def noise(values: Sequence[float]) -> Noise:
    mean = fmean(values)
    return Noise(mean, pvariance(values, mean))


def drawn(random: Random, shares: Sequence[float], rows: int) -> list[float]:
    """Shares of as many rows as chance draws them from these shares."""
    counts = [_events(random, share * rows) for share in shares]
    total = sum(counts)
    return [count / total for count in counts] if total else list(shares)


def _events(random: Random, expected: float) -> float:
    """A number of events of which this many are expected (Poisson; for many by its normal law)."""
    if expected > _EXACT:
        return max(0.0, round(random.gauss(expected, sqrt(expected))))
    events, product, limit = 0, random.random(), exp(-expected)
    while product > limit:
        events += 1
        product *= random.random()
    return events
