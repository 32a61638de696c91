"""What the columns of a table hold: counted once from the stored Parquet, kept beside it, and never with private values."""

import datetime
import io
import math
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from ciranda.kernel import digest, errors, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.pipeline.records import Version

sql = statements.load("ciranda.pipeline")
FORMAT = "ciranda.profile/1"
EXACT = 2_000_000  # rows up to which distinct values are counted, and quantiles taken of all rows
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TOP = 5  # most frequent values that are kept
_FEW = 10_000  # distinct values above which the most frequent ones say nothing
_LONGEST = 80  # characters of a text that is kept


def of(database: Database, store: Store, version: Version, private: Collection[str]) -> dict[str, Any]:
    """The profile of a Parquet version: `{format, rows, columns: [{name, type, nulls, …}]}`, counted on first ask.

    Raises errors.NotFound, errors.Corrupt, errors.Invalid for a file that is no Parquet.
    """
    named = digest.of("private", sorted(set(private)))
    row = database.one(sql.profile, version=version.digest, private=named)
    if row is not None:
        try:
            kept: dict[str, Any] = digest.parse(store.get(row["object"]))
            return kept
        except (errors.NotFound, errors.Corrupt):
            store.discard(row["object"])
    made = count(frame(store, version), private)
    with suppress(errors.StorageFull):  # it is shown all the same, and counted again the next time
        _keep(database, store, version, named, made)
    return made


def frame(store: Store, version: Version) -> Any:
    """A Parquet version as a polars.LazyFrame over the store's own file; nothing is copied. Raises errors.NotFound, errors.Corrupt."""
    import polars

    path = store.path(version.digest)
    return polars.scan_parquet(io.BytesIO(store.get(version.digest)) if path is None else path)


def count(table: Any, private: Collection[str]) -> dict[str, Any]:
    """The profile of a polars.LazyFrame. Of private columns only how many values are missing, and how many differ."""
    import polars

    try:
        schema = table.collect_schema()
        rows = int(table.select(polars.len()).collect().item())
    except polars.exceptions.PolarsError as error:
        raise errors.Invalid(f"this is not a table that can be read: {error}") from error
    facts = table.select(
        [each for name, kind in schema.items() for each in _facts(polars, name, kind, rows, name in private)]
    ).collect(engine="streaming")
    found = facts.row(0, named=True) if facts.width else {}
    found |= {fact: min(number, rows) for fact, number in found.items() if fact.endswith("\0distinct")}
    return {
        "format": FORMAT,
        "rows": rows,
        "columns": [
            _column(polars, table, name, kind, {fact: found.get(f"{name}\0{fact}") for fact in _NAMES}, name in private)
            | {"approximate": rows > EXACT}
            for name, kind in schema.items()
        ],
    }


_NAMES = ("nulls", "nans", "distinct", "min", "max", "mean", *(str(each) for each in QUANTILES))


def _facts(polars: Any, name: str, kind: Any, rows: int, private: bool) -> list[Any]:
    """What is asked of one column."""
    column = polars.col(name)
    asked = {"nulls": column.null_count()}
    if kind.is_float():
        asked["nans"] = column.is_nan().sum()
    if not (kind.is_nested() or kind == polars.Object):
        plain = kind == polars.Boolean or rows <= EXACT
        asked["distinct"] = (column.drop_nulls() if plain else column).pipe(
            lambda it: it.n_unique() if plain else it.approx_n_unique()
        )
        if not private and (kind.is_numeric() or kind.is_temporal() or kind == polars.String):
            asked |= {"min": column.min(), "max": column.max()}
        if not private and kind.is_numeric():
            number = column.cast(polars.Float64)
            number = number.filter(number.is_finite()) if kind.is_float() else number
            asked["mean"] = number.mean()
            every = max(1, -(-rows // EXACT))
            sample = number.gather_every(every) if every > 1 else number
            asked |= {str(each): sample.quantile(each, "nearest") for each in QUANTILES}
    return [expression.alias(f"{name}\0{fact}") for fact, expression in asked.items()]


def _column(polars: Any, table: Any, name: str, kind: Any, found: dict[str, Any], private: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "type": str(kind), "nulls": found["nulls"], "distinct": found["distinct"]}
    if found["nans"]:
        told["nans"] = found["nans"]
    if private:
        return told | {"private": True}
    told |= {fact: _plain(found[fact]) for fact in ("min", "max", "mean")}
    told["quantiles"] = {str(each): _plain(found[str(each)]) for each in QUANTILES if found[str(each)] is not None}
    texts = kind in (polars.String, polars.Boolean, polars.Categorical, polars.Enum) or kind.is_integer()
    if texts and found["distinct"] is not None and 0 < found["distinct"] <= _FEW:
        counted = polars.col(name).drop_nulls().value_counts(sort=True, name="\0times").head(TOP)
        top = table.select(counted.alias("\0top")).unnest("\0top").collect(engine="streaming")
        told["top"] = [[_plain(value), int(times)] for value, times in top.rows()]
    return told


def _plain(value: Any) -> Any:
    """A value as JSON can say it."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    text = str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _keep(database: Database, store: Store, version: Version, private: str, made: dict[str, Any]) -> None:
    with store.steady():
        with store.batch():
            kept = store.put(digest.canonical(made))

        def work(tx: Transaction) -> None:
            tx.execute(sql.keep_profile, version=version.digest, private=private, object=kept)

        database.write(work)
