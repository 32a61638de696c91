"""Counts a polars frame into a profile: one column after the other, so that memory is that of a column."""

from collections.abc import Collection
from math import isfinite
from typing import Any

from ciranda.kernel import errors
from ciranda.monitor.drift.profile import BINS, FEW, LONGEST, TAIL, UNKNOWN, VALUES, Column, Kind, Profile

SAMPLE = 200_000  # rows of which a reference's bins are made; all rows are counted in them
_HELD, _NUMBER = "\0held", "\0number"  # names that no column has


def of_frame(frame: Any, private: Collection[str] = (), *, against: Profile | None = None) -> Profile:
    """The profile of a polars.LazyFrame or DataFrame: of a reference, or of a window by the bins of its reference.

    Of private columns, and of those that are private in the reference, only what is missing is counted. A frame that
    is costly to make is better collected before, since it is asked once a column. Raises errors.Invalid for what
    cannot be read.
    """
    import polars

    frame = frame.lazy()
    try:
        schema = frame.collect_schema()
        rows = int(frame.select(polars.len()).collect().item())
        columns = []
        for name, dtype in schema.items():
            known = None if against is None else against.column(name)
            hidden = name in private or (known is not None and known.private)
            columns.append(_column(polars, frame, name, dtype, rows, hidden, known))
    except polars.exceptions.PolarsError as error:
        said = str(error).strip().partition("\n")[0]
        raise errors.Invalid(f"this is not a table that can be read: {said}") from error
    return Profile(rows, tuple(columns))


def kind(polars: Any, dtype: Any) -> Kind:
    """What a polars type counts as."""
    if dtype.is_numeric():
        return "number"
    if dtype in (polars.String, polars.Boolean, polars.Categorical, polars.Enum):
        return "category"
    return "time" if dtype.is_temporal() else "other"


def _column(polars: Any, frame: Any, name: str, dtype: Any, rows: int, private: bool, known: Column | None) -> Column:
    # a column of a window that is missing throughout has no type of its own
    sort = known.kind if known is not None and dtype == polars.Null else kind(polars, dtype)
    # polars.col takes a name like ^.*$ for a pattern
    frame = frame.select(polars.selectors.by_name(name).alias(_HELD))
    column = polars.col(_HELD)
    asked = {"nulls": column.null_count()}
    if dtype.is_float():
        asked["nans"] = column.is_finite().not_().sum()
    if private or sort not in ("number", "category"):
        return Column(name, str(dtype), sort, **_asked(frame, asked), private=private)
    same = known if known is not None and known.kind == sort else None
    if sort == "category":
        missing = _asked(frame, asked)
        return Column(name, str(dtype), sort, **missing, **_category(polars, frame, same))
    cast = column.cast(polars.Float64)
    if dtype.is_float():
        cast = polars.when(cast.is_finite()).then(cast)
    edges = _edges(polars, frame, cast, rows) if same is None else same.edges
    number = polars.col(_NUMBER)
    asked |= {"low": number.min(), "high": number.max(), "mean": number.mean(), "deviation": number.std(ddof=0)}
    asked |= {f"up to {place}": (number <= edge).sum() for place, edge in enumerate(edges)}
    asked["numbers"] = number.count()
    if same is not None and same.low is not None and same.high is not None:
        asked |= {"below": (number < same.low).sum(), "above": (number > same.high).sum()}
    found = _asked(frame.select(column, cast.alias(_NUMBER)), asked)
    ends = [found.pop(f"up to {place}") for place in range(len(edges))] + [found.pop("numbers")]
    bins = tuple(end - start for start, end in zip([0, *ends], ends, strict=False))
    return Column(name, str(dtype), sort, **found, edges=edges, bins=bins)


def _asked(frame: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """What one pass over a column finds."""
    found: dict[str, Any] = (
        frame.select(expression.alias(fact) for fact, expression in asked.items())
        .collect(engine="streaming")
        .row(0, named=True)
    )
    # a mean of huge numbers may be beyond all numbers
    return {fact: None if isinstance(value, float) and not isfinite(value) else value for fact, value in found.items()}


def _edges(polars: Any, frame: Any, number: Any, rows: int) -> tuple[float, ...]:
    """Where the bins of a reference end, but the last one."""
    every = max(1, -(-rows // SAMPLE))
    sample = (
        frame.select(polars.col(_HELD).gather_every(every)).select(number.drop_nulls()).collect().to_series().sort()
    )
    if not len(sample):
        return ()
    different = sample.unique(maintain_order=True)
    if len(different) <= FEW:
        return tuple(different.to_list()[:-1])
    shares = (*TAIL, *(place / BINS for place in range(1, BINS)), *(1 - share for share in TAIL))
    ends = set(sample.gather([round(share * (len(sample) - 1)) for share in shares]).to_list())
    return tuple(sorted(end for end in ends if end < different[-1]))


def _category(polars: Any, frame: Any, known: Column | None) -> dict[str, Any]:
    """The facts of a category: of a reference its own values, of a window those of its reference."""
    value, times = polars.col("value"), polars.col("times")
    counted = (
        frame.select(polars.col(_HELD).cast(polars.String).alias("value"))
        .filter(value.is_not_null())
        .group_by("value")
        .agg(polars.len().alias("times"))
        .sort([times, value], descending=[True, False])
        .collect(engine="streaming")
    )
    total = int(counted["times"].sum())
    named = counted.filter(value.str.len_chars() <= LONGEST)
    if known is None:
        apart = named.head(VALUES)
        return {
            "values": tuple(apart["value"].to_list()),
            "times": tuple(apart["times"].to_list()),
            "rest": total - int(apart["times"].sum()),
            "complete": len(apart) == len(counted),
            "once": int((counted["times"] == 1).sum()),
        }
    there = dict(counted.filter(value.is_in(list(known.values))).rows())
    found = tuple(int(there.get(each, 0)) for each in known.values)
    new = named.filter(~value.is_in(list(known.values))).head(UNKNOWN).rows() if known.complete else []
    return {
        "values": known.values,
        "times": found,
        "rest": total - sum(found),
        "complete": known.complete,
        "unknown": tuple((str(each), int(many)) for each, many in new),
    }
