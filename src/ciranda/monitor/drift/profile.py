"""The profile of a table: small enough to be kept with a model, and enough to tell whether later rows are of the same kind.

A number's values are counted in bins that the reference sets, about equally many in each; a category's by value, the
most frequent ones of the reference apart and the rest together. A window is counted by the reference's own bins and
values, so that comparing needs the two profiles only. Times move on by themselves, so of them only what is missing is
kept; of private columns too.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal

from ciranda.kernel import errors

FORMAT = "ciranda.drift/1"
BINS = 20  # of a number with many values, each with as many of them,
TAIL = (0.001, 0.005, 0.01)  # and where the outermost ones are cut once more
FEW = 40  # different numbers up to which each has a bin of its own
VALUES = 200  # of a category that are counted apart
UNKNOWN = 20  # values of a window, not in the reference, that are named
LONGEST = 80  # characters of a value; a longer one is counted with the rest

Kind = Literal["number", "category", "time", "other"]


@dataclass(frozen=True, slots=True)
class Column:
    """What is known of one column. A number has `edges` and `bins`, a category `values` and `times`."""

    name: str
    type: str  # as polars says it
    kind: Kind
    nulls: int
    nans: int = 0  # numbers that are not finite
    private: bool = False
    low: float | None = None  # the least and the greatest finite number
    high: float | None = None
    mean: float | None = None
    deviation: float | None = None
    edges: tuple[float, ...] = ()  # bin n counts numbers above edges[n - 1] and up to edges[n]
    bins: tuple[int, ...] = ()
    below: int = 0  # of a window: numbers below the reference's least one, and above its greatest
    above: int = 0
    values: tuple[str, ...] = ()
    times: tuple[int, ...] = ()
    rest: int = 0  # values that are not counted apart
    complete: bool = True  # of a reference: each value is counted apart
    once: int = 0  # of a reference: values that are there once
    unknown: tuple[
        tuple[str, int], ...
    ] = ()  # of a window, where the reference is complete: its most frequent new values

    @property
    def missing(self) -> int:
        return self.nulls + self.nans

    @property
    def counts(self) -> tuple[int, ...]:
        """How many there are of each bin or value, with the rest of a category."""
        return self.bins if self.kind == "number" else (*self.times, self.rest)


@dataclass(frozen=True, slots=True)
class Profile:
    """The columns of a table."""

    rows: int
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        return next((one for one in self.columns if one.name == name), None)

    def document(self) -> dict[str, Any]:
        """As JSON; of bounded size, about 1 kB a column."""
        return {"format": FORMAT, "rows": self.rows, "columns": [_plain(one) for one in self.columns]}


def read(document: Mapping[str, Any]) -> Profile:
    """A profile from its JSON. Raises errors.Corrupt when it is none."""
    if document.get("format") != FORMAT:
        raise errors.Corrupt(f"this is no profile of a reference: {document.get('format')!r}")
    try:
        return Profile(document["rows"], tuple(_column(one) for one in document["columns"]))
    except (KeyError, TypeError, ValueError) as error:
        raise errors.Corrupt(f"the profile of a reference cannot be read: {error!r}") from error


def merge(one: Profile, other: Profile) -> Profile:
    """The profile of both windows together; both were made against the same reference.

    Raises errors.Invalid when their columns or bins differ.
    """
    if [each.name for each in one.columns] != [each.name for each in other.columns]:
        raise errors.Invalid("these windows have other columns, so that their profiles do not add up")
    columns = tuple(
        _merged(here, there, one.rows, other.rows) for here, there in zip(one.columns, other.columns, strict=True)
    )
    return Profile(one.rows + other.rows, columns)


def _merged(here: Column, there: Column, rows: int, more: int) -> Column:
    same = (here.kind, here.private, here.edges, here.values) == (there.kind, there.private, there.edges, there.values)
    if not same:
        raise errors.Invalid(
            f"column {here.name} was counted by other bins in each window: profile both against one reference"
        )
    left, right = rows - here.missing, more - there.missing
    new = dict(here.unknown)
    for value, times in there.unknown:
        new[value] = new.get(value, 0) + times
    mean, deviation = _moments((left, here.mean, here.deviation), (right, there.mean, there.deviation))
    return Column(
        here.name, here.type, here.kind, here.nulls + there.nulls, here.nans + there.nans, here.private,
        low=_least(here.low, there.low, min), high=_least(here.high, there.high, max), mean=mean, deviation=deviation,
        edges=here.edges, bins=_added(here.bins, there.bins), below=here.below + there.below,
        above=here.above + there.above, values=here.values, times=_added(here.times, there.times),
        rest=here.rest + there.rest, complete=here.complete, once=0,
        unknown=tuple(sorted(new.items(), key=lambda each: (-each[1], each[0]))[:UNKNOWN]),
    )  # fmt: skip


def _moments(
    one: tuple[int, float | None, float | None], other: tuple[int, float | None, float | None]
) -> tuple[float | None, float | None]:
    (left, mean, spread), (right, more, wider) = one, other
    if mean is None or spread is None:
        return more, wider
    if more is None or wider is None:
        return mean, spread
    count = left + right
    middle = (left * mean + right * more) / count
    squares = left * (spread * spread + (mean - middle) * (mean - middle))
    squares += right * (wider * wider + (more - middle) * (more - middle))
    return (middle, float((squares / count) ** 0.5)) if isfinite(squares) else (None, None)


def _least(one: float | None, other: float | None, which: Any) -> float | None:
    found = [each for each in (one, other) if each is not None]
    return which(found) if found else None


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(left + right for left, right in zip(one, other, strict=True))


def _plain(column: Column) -> dict[str, Any]:
    """What differs from a column of which nothing is known."""
    nothing = asdict(Column(column.name, column.type, column.kind, column.nulls))
    shown = {name: value for name, value in asdict(column).items() if value != nothing[name]}
    return {"name": column.name, "type": column.type, "kind": column.kind, "nulls": column.nulls} | shown


def _column(written: Mapping[str, Any]) -> Column:
    lists = {name: tuple(written[name]) for name in ("edges", "bins", "values", "times") if name in written}
    if "unknown" in written:
        lists["unknown"] = tuple((value, times) for value, times in written["unknown"])
    return Column(**{**written, **lists})
