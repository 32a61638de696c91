"""Exact checks of a column: its type, what is missing, values that are new, and its range. Pure.

Each is exact where the reference leaves no doubt: a missing value where there was none, a new value where all were
known. Where chance may do it, its probability is, and may be `chance` at most.
"""

from collections.abc import Iterator
from math import erfc, exp, lgamma, log, sqrt

from ciranda.monitor.drift import words
from ciranda.monitor.drift.found import MISSING, NEW, RANGE, TYPE, Finding
from ciranda.monitor.drift.profile import Column

_ENOUGH = 1000  # terms after which a sum is done


def checked(
    reference: Column, window: Column, rows: int, reference_rows: int, least: float, chance: float
) -> Iterator[Finding]:
    """What the exact checks of one column find. `least` is the difference of missing shares that is worth telling."""
    if reference.kind != window.kind:
        text = f"{window.name} is now {window.type}, in the reference {reference.type}"
        yield Finding(window.name, TYPE, TYPE, 1.0, 0.0, rows, text)
        return
    yield from _missing(reference, window, rows, reference_rows, least, chance)
    if window.private:
        return
    if window.kind == "category":
        yield from _new(reference, window, rows, chance)
    if window.kind == "number":
        yield from _range(reference, window, rows, reference_rows, chance)


def _missing(
    reference: Column, window: Column, rows: int, reference_rows: int, least: float, chance: float
) -> Iterator[Finding]:
    if not rows or not reference_rows:
        return
    share, before = window.missing / rows, reference.missing / reference_rows
    told = words.rows(window.missing, rows)
    if not reference.missing:
        if window.missing:
            text = f"{window.name} is missing in {told}; in the reference it never is"
            yield Finding(window.name, MISSING, MISSING, share, 0.0, rows, text)
    elif (
        abs(share - before) >= least and proportions(window.missing, rows, reference.missing, reference_rows) <= chance
    ):
        text = f"{window.name} is missing in {told} ({share:.1%}); in the reference in {before:.1%}"
        yield Finding(window.name, MISSING, MISSING, share, before, rows, text)


def _new(reference: Column, window: Column, rows: int, chance: float) -> Iterator[Finding]:
    new = window.rest
    known = sum(reference.counts)
    if not reference.complete or not new or (reference.once and unseen(new, rows, reference.once, known) > chance):
        return
    text = f"{window.name} has values that the reference does not know in {words.rows(new, rows)}"
    if window.unknown:
        text += f": {words.named(window.unknown)}"
    yield Finding(window.name, NEW, NEW, float(new), 0.0, rows, text)


def _range(reference: Column, window: Column, rows: int, reference_rows: int, chance: float) -> Iterator[Finding]:
    counted, known = rows - window.missing, reference_rows - reference.missing
    ends = (
        (window.below, "as low as", window.low, "no less than", reference.low),
        (window.above, "up to", window.high, "no more than", reference.high),
    )
    for outside, how, value, limit, before in ends:
        if outside and value is not None and before is not None and beyond(outside, counted, known) <= chance:
            text = (
                f"{window.name} is {how} {words.number(value)}, in the reference {limit} {words.number(before)} "
                f"({words.rows(outside, rows)} lie beyond)"
            )
            yield Finding(window.name, RANGE, RANGE, float(outside), 0.0, rows, text)


def beyond(outside: int, rows: int, reference_rows: int) -> float:
    """The chance that this many values of the window lie beyond all of the reference's, if any order is as probable."""
    logarithm = 0.0
    for place in range(min(outside, _ENOUGH)):
        logarithm += log((rows - place) / (reference_rows + rows - place))
    return exp(logarithm)


def unseen(new: int, rows: int, once: int, known: int) -> float:
    """The chance of at least this many rows with unseen values, where a share of `once` in `known` rows is expected.

    The share is a Beta(once + 1, known) (Good and Turing: what was seen once tells what was never seen).
    """
    first, second = once + 1.0, max(1.0, float(known))
    below = 0.0
    for count in range(min(new, _ENOUGH)):
        below += exp(
            lgamma(rows + 1) - lgamma(count + 1) - lgamma(rows - count + 1)
            + lgamma(first + count) + lgamma(second + rows - count) - lgamma(first + second + rows)
            - lgamma(first) - lgamma(second) + lgamma(first + second)
        )  # fmt: skip
    return max(0.0, 1.0 - below)


def proportions(one: int, rows: int, other: int, more: int) -> float:
    """The chance that two shares differ this much, if they are the same (two-sided, pooled)."""
    pooled = (one + other) / (rows + more)
    spread = sqrt(pooled * (1 - pooled) * (1 / rows + 1 / more))
    return erfc(abs(one / rows - other / more) / spread / sqrt(2)) if spread else 1.0
