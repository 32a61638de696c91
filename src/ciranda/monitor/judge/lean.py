"""How far counts lean away from a share: evidence that may be looked at as often as one likes.

Each function gives the logarithm of an e-value: a non-negative number that begins at 1 and whose expectation never
grows while the share is the one that is doubted. By Ville's inequality it ever reaches 1/α with a chance of at most α,
however often one looks, so that nothing is spent by looking (Ville 1939; Wald 1945; Robbins 1970; Ramdas, Grünwald,
Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid inference", 2023).

All is made of one likelihood ratio: that each of `count` events counts with odds that are `odds` times those of
`share`. For values between 0 and 1 `hits` may be their sum: the ratio is convex in a value, so Hoeffding's argument
holds. A mixture over several odds, weighed beforehand, is an e-value too.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import exp, inf, log, log1p

Mixture = Sequence[
    tuple[float, float, float]
]  # of each odds the logarithm of its weight, its own, and its excess over 1


def mixture(weights: Mapping[float, float]) -> Mixture:
    """A mixture of odds, by the weight of each; the weights add up to 1."""
    return tuple((log(weight), log(odds), odds - 1.0) for odds, weight in weights.items())


# at least twice as many, up to events that the control has none of
TWICE = mixture({2.0: 0.4, 3.0: 0.2, 5.0: 0.15, 10.0: 0.1, 30.0: 0.1, 100.0: 0.05})
# any difference, from the smallest that is worth finding
ANY = mixture({1.1: 0.1, 1.3: 0.2, 1.7: 0.2, 2.5: 0.2, 5.0: 0.15, 12.0: 0.1, 40.0: 0.05})


def ratios(hits: float, count: float, share: float, odds: Mixture) -> tuple[float, ...]:
    """For each odds the log likelihood ratio of that many times the odds of `share`, for `hits` among `count`."""
    return tuple(hits * own - count * log1p(excess * share) for _, own, excess in odds)


def above(hits: float, count: float, share: float, odds: Mixture = ANY) -> float:
    """Evidence that more than this share counts."""
    return added([weight + hits * own - count * log1p(excess * share) for weight, own, excess in odds])


def below(hits: float, count: float, share: float, odds: Mixture = ANY) -> float:
    """Evidence that less than this share counts."""
    return above(count - hits, count, 1.0 - share, odds)


def together(each: Iterable[float], odds: Mixture) -> float:
    """The evidence of a mixture, by that of each of its odds."""
    return added([weight + value for (weight, _, _), value in zip(odds, each, strict=True)])


def added(logarithms: Sequence[float]) -> float:
    """The logarithm of a sum."""
    most = max(logarithms)
    return most if most == -inf else most + log(sum([exp(value - most) for value in logarithms]))


def highest(hits: float, count: float, doubt: float) -> float:
    """The upper end of a time-uniform confidence sequence of a share: with this doubt it ever lies above."""
    if count <= 0:
        return 1.0
    low, high, wanted = min(hits / count, 1.0), 1.0, log(1.0 / doubt)
    for _ in range(24):
        middle = (low + high) / 2
        if below(hits, count, middle) >= wanted:
            high = middle
        else:
            low = middle
    return high
