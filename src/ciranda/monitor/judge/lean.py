"""How far counts lean away from a share: evidence that may be looked at as often as one likes.

Each function gives the logarithm of an e-value: a non-negative number that begins at 1 and whose expectation never
grows while the share is the one that is doubted. By Ville's inequality it ever reaches 1/α with a chance of at most α,
however often one looks, so that nothing is spent by looking (Ville 1939; Wald 1945; Robbins 1970; Ramdas, Grünwald,
Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid inference", 2023).

All is made of one likelihood ratio: that each of `count` events counts with odds that are `odds` times those of
`share`. For values between 0 and 1 `hits` may be their sum: the ratio is convex in a value, so Hoeffding's argument
holds. A mixture over several odds, weighed beforehand, is an e-value too.
"""

from collections.abc import Iterable, Mapping
from math import exp, inf, log, log1p

# odds and their weights: at least twice as many, up to events that the control has none of
TWICE = {2.0: 0.4, 3.0: 0.2, 5.0: 0.15, 10.0: 0.1, 30.0: 0.1, 100.0: 0.05}
# any difference, from the smallest that is worth finding
ANY = {1.1: 0.1, 1.3: 0.2, 1.7: 0.2, 2.5: 0.2, 5.0: 0.15, 12.0: 0.1, 40.0: 0.05}


def ratio(hits: float, count: float, share: float, odds: float) -> float:
    """The log likelihood ratio of odds that are `odds` times those of `share`, for `hits` among `count`."""
    return hits * log(odds) - count * log1p((odds - 1.0) * share)


def above(hits: float, count: float, share: float, mixture: Mapping[float, float] = ANY) -> float:
    """Evidence that more than this share counts."""
    return mixed((weight, ratio(hits, count, share, odds)) for odds, weight in mixture.items())


def below(hits: float, count: float, share: float, mixture: Mapping[float, float] = ANY) -> float:
    """Evidence that less than this share counts."""
    return above(count - hits, count, 1.0 - share, mixture)


def mixed(parts: Iterable[tuple[float, float]]) -> float:
    """The logarithm of a weighed sum of e-values, each given by its weight and its logarithm."""
    each = [log(weight) + value for weight, value in parts if weight > 0]
    most = max(each, default=-inf)
    return most if most == -inf else most + log(sum(exp(value - most) for value in each))


def highest(hits: float, count: float, doubt: float) -> float:
    """The upper end of a time-uniform confidence sequence of a share: with this doubt it ever lies above."""
    if count <= 0:
        return 1.0
    low, high, wanted = hits / count, 1.0, log(1.0 / doubt)
    for _ in range(40):
        middle = (low + high) / 2
        if below(hits, count, middle) >= wanted:
            high = middle
        else:
            low = middle
    return high


def lowest(hits: float, count: float, doubt: float) -> float:
    """The lower end of the same sequence."""
    return 1.0 - highest(count - hits, count, doubt)
