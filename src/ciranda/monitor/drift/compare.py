"""Compares a window with its reference: which columns differ, how, and by how much more than by chance. Pure.

How a column's values are distributed is told by effect sizes: Jensen–Shannon (base 2), the population stability index,
and for numbers Wasserstein's distance in standard deviations of the reference. Each has to be above what is worth
telling and above its noise floor: what rows drawn from the reference itself show against it. As many columns are
looked at, their chances are held to Benjamini and Hochberg's rule (1995). Missing values, values that are new, the
range and the type are exact checks.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random

from ciranda.monitor.drift import checks, distance, words
from ciranda.monitor.drift.found import (
    ABSENT,
    ADDED,
    DISTRIBUTION,
    JENSEN_SHANNON,
    STABILITY,
    WASSERSTEIN,
    Column,
    Comparison,
    Finding,
    Measure,
    Rules,
)
from ciranda.monitor.drift.profile import Column as Counted
from ciranda.monitor.drift.profile import Profile

EXPECTED = 10.0  # rows of the window that a bin should have: smaller ones are counted together
EXACT = 4  # exact checks of a column that chance may fail
DEFAULTS = Rules()


def compare(reference: Profile, window: Profile, rules: Rules = DEFAULTS, *, seed: int = 0) -> Comparison:
    """What differs in a window that was profiled against this reference.

    The noise is drawn from `seed`, so that the same window always gives the same answer.
    """
    random = Random(seed)
    fewest = min(window.rows, reference.rows)
    inconclusive = None
    if fewest < rules.rows:
        which = "this window has" if window.rows <= reference.rows else "the reference has"
        inconclusive = f"{which} {fewest:,} row{'s' * (fewest != 1)}: how values are distributed needs {rules.rows:,}"
    columns = [
        _column(random, known, window.column(known.name), window.rows, reference.rows, rules, len(reference.columns))
        for known in reference.columns
    ]
    for added in window.columns:
        if reference.column(added.name) is None:
            text = f"{added.name} is a new column ({added.type}): the reference does not have it"
            finding = Finding(added.name, ADDED, ADDED, 1.0, 0.0, window.rows, text)
            columns.append(Column(added.name, added.kind, "faulty", findings=(finding,)))
    told = _told(reference, window, columns, rules)
    return Comparison(window.rows, reference.rows, tuple(told), inconclusive)


def _column(
    random: Random, known: Counted, found: Counted | None, rows: int, reference_rows: int, rules: Rules, among: int
) -> Column:
    """One column: its exact checks and measures; whether these are drift is told by all columns together."""
    if found is None:
        text = f"{known.name} is not there any more: the reference has it"
        return Column(
            known.name, known.kind, "faulty", findings=(Finding(known.name, ABSENT, ABSENT, 1.0, 0.0, rows, text),)
        )
    exact = tuple(
        checks.checked(known, found, rows, reference_rows, rules.missing, rules.alarms / (EXACT * max(1, among)))
    )
    made = Column(known.name, known.kind, "faulty" if exact else "same", findings=exact)
    if known.private or found.private or known.kind != found.kind or known.kind not in ("number", "category"):
        note = "private: " if known.private or found.private else ""
        state = made.state if exact else "uncompared"
        return replace(made, state=state, note=f"{note}only its type and what is missing are looked at")
    here, there = sum(found.counts), sum(known.counts)
    if min(here, there) < rules.rows:
        note = f"{here:,} values beside {there:,}: at least {rules.rows:,} are needed"
        return replace(made, state=made.state if exact else "unsure", note=note)
    return replace(made, measures=_measures(random, known, found, rules))


def _measures(random: Random, known: Counted, found: Counted, rules: Rules) -> tuple[Measure, ...]:
    """The effect sizes of a column, each with what chance alone shows."""
    here, there = sum(found.counts), sum(known.counts)
    before, now = [count / there for count in known.counts], [count / here for count in found.counts]
    # two samples differ as one of so many rows differs from the law itself
    rows = round(1 / (1 / here + 1 / there))
    groups = grouped(before, rows, ordered=known.kind == "number")
    scale = _scale(known, found) if known.kind == "number" else []
    beyond = (found.below / here, found.above / here)
    values = _sizes(before, now, beyond, groups, scale, here)
    drawn: dict[str, list[float]] = {name: [] for name in values}
    for _ in range(distance.RESAMPLES):
        sample = distance.drawn(random, before, rows)
        for name, value in _sizes(before, sample, (0.0, 0.0), groups, scale, here).items():
            drawn[name].append(value)
    return tuple(_measure(name, value, drawn[name], rules) for name, value in values.items())


def grouped(shares: Sequence[float], rows: int, *, ordered: bool) -> list[list[int]]:
    """The places of bins that are counted together, so that of each group enough rows are expected.

    Bins of a number join their neighbours; values of a category that are rare join the rest, which is the last one.
    """
    groups: list[list[int]] = []
    if ordered:
        waiting: list[int] = []
        for place, _ in enumerate(shares):
            waiting.append(place)
            if sum(shares[each] for each in waiting) * rows >= EXPECTED:
                groups.append(waiting)
                waiting = []
        if waiting and groups:
            groups[-1].extend(waiting)
        return groups or [waiting]
    last = len(shares) - 1
    rare = [place for place, share in enumerate(shares) if place == last or share * rows < EXPECTED]
    return [[place] for place in range(last) if place not in set(rare)] + [rare]


def _scale(known: Counted, found: Counted) -> list[float]:
    """The width of each bin in standard deviations of the reference, first and last those of what lies beyond its range.

    An outermost bin counts as wide as all others together at most, since its few values may lie anywhere in it, and
    what lies beyond the range as one range further at most. Empty where the reference does not vary.
    """
    if known.low is None or known.high is None or not known.deviation or not known.edges:
        return []
    core = known.edges[-1] - known.edges[0] or known.high - known.low
    first, last = min(core, known.edges[0] - known.low), min(core, known.high - known.edges[-1])
    reach = known.high - known.low
    below = min(reach, max(0.0, known.low - (known.low if found.low is None else found.low)))
    above = min(reach, max(0.0, (known.high if found.high is None else found.high) - known.high))
    inner = [end - start for start, end in pairwise(known.edges)]
    return [width / known.deviation for width in (below, first, *inner, last, above)]


def _sizes(
    before: Sequence[float],
    now: Sequence[float],
    beyond: tuple[float, float],
    groups: Sequence[Sequence[int]],
    scale: Sequence[float],
    rows: int,
) -> dict[str, float]:
    """Every measure of two lists of shares, of which `beyond` lies below and above the reference's range."""
    found = {}
    if scale:
        below, above = beyond
        inside = [now[0] - below, *now[1:-1], now[-1] - above]
        found[WASSERSTEIN] = distance.wasserstein([0.0, *before, 0.0], [below, *inside, above], scale)
    if len(groups) > 1:
        one = [sum(before[place] for place in group) for group in groups]
        other = [sum(now[place] for place in group) for group in groups]
        found[JENSEN_SHANNON] = distance.jensen_shannon(one, other)
        found[STABILITY] = distance.stability(one, other, 0.5 / rows)
    return found


def _measure(name: str, value: float, drawn: Sequence[float], rules: Rules) -> Measure:
    # of Jensen and Shannon's it is the square that is a sum of squares
    power = 2 if name == JENSEN_SHANNON else 1
    noise = distance.noise([each**power for each in drawn])
    floor = noise.floor(rules.alarms) ** (1 / power)
    return Measure(name, value, floor, rules.least(name), noise.chance(value**power))


def _told(reference: Profile, window: Profile, columns: Sequence[Column], rules: Rules) -> list[Column]:
    """The columns, those marked that drifted."""
    chances = {one.name: _chance(one) for one in columns if one.measures}
    limit = accepted(list(chances.values()), rules.alarms)
    return [_drifted(reference, window, one) if one.measures and chances[one.name] <= limit else one for one in columns]


def _chance(column: Column) -> float:
    return min(1.0, len(column.measures) * min(one.chance for one in column.measures))


def accepted(chances: Sequence[float], rate: float) -> float:
    """The greatest chance that is a discovery, at this rate of false ones; below 0 where none is (Benjamini, Hochberg)."""
    limit = -1.0
    for rank, chance in enumerate(sorted(chances), 1):
        if chance <= rate * rank / len(chances):
            limit = chance
    return limit


def _drifted(reference: Profile, window: Profile, column: Column) -> Column:
    """A column that differs by more than chance: drifted where some effect is worth telling too."""
    large = [one for one in column.measures if one.value >= one.least and one.value > one.floor]
    known, found = reference.column(column.name), window.column(column.name)
    if not large or known is None or found is None:
        return column
    # an index of stability is a square, so that it is the largest of all large effects
    most = max(large, key=lambda one: (one.name != STABILITY, one.value / one.least))
    text = words.distribution(known, found, most, window.rows, reference.rows)
    finding = Finding(column.name, DISTRIBUTION, most.name, most.value, most.floor, window.rows, text)
    return replace(column, state="drifted", findings=(*column.findings, finding))
