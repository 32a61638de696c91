"""Findings in plain sentences: which column, how, by how much, compared with what."""

from itertools import pairwise
from math import ceil

from ciranda.monitor.drift.found import JENSEN_SHANNON, WASSERSTEIN, Measure
from ciranda.monitor.drift.profile import Column

_NAMED = 3  # values of a category that a sentence names


def distribution(reference: Column, window: Column, measure: Measure, rows: int, reference_rows: int) -> str:
    """`temp lies 1.2 standard deviations higher than in the reference: its median went from 41 to 78 (…)`."""
    beside = f"{rows:,} rows beside {reference_rows:,}; by chance up to {measure.floor:.2f}"
    if window.kind == "category":
        return f"{window.name} is made of other values, {_size(measure)}: {_movers(reference, window)} ({beside})"
    if reference.mean is None or window.mean is None or measure.name != WASSERSTEIN:
        moved = f"{window.name} is distributed otherwise, {_size(measure)}"
    else:
        way = "higher" if window.mean > reference.mean else "lower"
        moved = f"{window.name} lies {measure.value:.2f} standard deviations {way} than in the reference"
        if abs(window.mean - reference.mean) < measure.value * (reference.deviation or 0.0) / 4:
            moved = f"{window.name} is spread otherwise, by {measure.value:.2f} standard deviations"
    return f"{moved}: its median went from {_middle(reference)} to {_middle(window)} ({beside})"


def number(value: float) -> str:
    """`1,440`, `0.0315`."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def rows(count: int, of: int) -> str:
    """`12 of 1,000 rows`."""
    return f"{count:,} of {of:,} rows"


def named(values: tuple[tuple[str, int], ...]) -> str:
    """The most frequent of some values: `XYZ (12), QQQ (3) and others`."""
    shown = ", ".join(f"{value} ({times:,})" for value, times in values[:_NAMED])
    return shown + (" and others" if len(values) > _NAMED else "")


def median(column: Column) -> float:
    """About the value in the middle, straight within its bin."""
    if column.low is None or column.high is None:
        return 0.0
    ends = [min(column.low, *column.edges, column.high), *column.edges, column.high]
    half, seen = sum(column.bins) / 2, 0
    for (start, end), count in zip(pairwise(ends), column.bins, strict=True):
        if count and seen + count >= half:
            start, end = max(start, column.low), min(max(end, start), column.high)
            return start + (end - start) * (half - seen) / count
        seen += count
    return column.high


def _middle(column: Column) -> str:
    value = median(column)
    # a bin counts numbers up to its end
    return number(ceil(value) if "Int" in column.type else value)


def _size(measure: Measure) -> str:
    name = "Jensen–Shannon" if measure.name == JENSEN_SHANNON else "PSI"
    return f"{name} {measure.value:.2f}"


def _movers(reference: Column, window: Column) -> str:
    """The values whose share changed most: `AA 8 % → 21 %`."""
    before, after = sum(reference.counts) or 1, sum(window.counts) or 1
    shares = [
        (value, there / before, here / after)
        for value, there, here in zip((*reference.values, "others"), reference.counts, window.counts, strict=True)
    ]
    shares.sort(key=lambda each: -abs(each[2] - each[1]))
    return ", ".join(f"{value} {there:.1%} → {here:.1%}" for value, there, here in shares[:_NAMED])
