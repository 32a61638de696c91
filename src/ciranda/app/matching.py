"""Rows of a version that a condition names, and the rows of its sources that agree with them in the same columns."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ciranda.kernel import errors
from ciranda.kernel.store import Store
from ciranda.pipeline import lineage, profile
from ciranda.pipeline.records import Version

LONGEST = 10_000  # characters of a condition: polars ends the process on one that is nested deeper than its stack
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_ASKS = re.compile(r"\bselect\b", re.IGNORECASE)  # polars would open the files that a subquery names
_KEYS = 1000  # different values of the named columns that are looked for in sources


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows with their columns; `count` is how many there are, `rows` the first of them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    count: int


@dataclass(frozen=True, slots=True)
class Source:
    """What a file of a source holds that agrees with the rows; `numbers` say which rows of it they are, the first is 1.

    `told`: why nothing was looked for there.
    """

    asset: str
    digest: str
    file: str
    shared: tuple[str, ...] = ()
    found: Rows | None = None
    numbers: tuple[int, ...] = ()
    told: str = ""


def where(store: Store, version: Version, condition: str, most: int) -> tuple[Rows, Any]:
    """The rows of a table that a SQL condition names, the first `most` of them, and the values of the columns that it names.

    Raises errors.Invalid for a version that is no table, or a condition that is none; errors.NotFound, errors.Corrupt.
    """
    if version.codec != "parquet":
        raise errors.Invalid(f"{version.asset} is no table but {version.codec}", hint=f"ciranda show {version.asset}")
    return select(profile.frame(store, version), condition, most)


def select(table: Any, condition: str, most: int) -> tuple[Rows, Any]:
    """The same of a polars.LazyFrame. Raises errors.Invalid for a condition that is none."""
    import polars

    names = ", ".join(table.collect_schema())
    told = f"--where {condition[:60]!r}: "
    if len(condition) > LONGEST:
        raise errors.Invalid(f"{told}at most {LONGEST:,} characters are read", hint=f"its columns: {names}")
    if _ASKS.search(_QUOTED.sub("", condition)):
        raise errors.Invalid(f"{told}a condition asks no other table and no file", hint=f"its columns: {names}")
    try:
        asked = polars.sql_expr(condition)
        keys = [name for name in asked.meta.root_names() if name in table.collect_schema()]
        found = table.filter(asked)
        count = int(found.select(polars.len()).collect().item())
        rows = found.head(most).collect()
        values = found.select(keys).unique().head(_KEYS).collect() if keys else None
    except (polars.exceptions.PolarsError, TypeError) as error:
        said = str(error).splitlines()[0] if str(error) else "no condition"
        raise errors.Invalid(f"{told}{said[:200]}", hint=f"its columns: {names}") from None
    return Rows(tuple(rows.columns), tuple(rows.rows()), count), values


def sources(store: Store, found: lineage.Upstream, keys: Any, most: int) -> list[Source]:
    """The rows of each source upstream whose values are those of `keys` (a polars.DataFrame, None: there are none).

    Compared as text in the columns that both have: nothing else is known of which row came of which.
    """
    told = []
    for node in found.above():
        version = node.version
        if node.made is not None:
            continue
        if version.codec != "files":
            said = "its bytes are not here: it is a reference" if version.codec == "reference" else "it is no table"
            told.append(Source(version.asset, version.digest, "", told=said))
            continue
        for path, digest, _ in store.listing(version.digest):
            told.append(_file(store, version, path, digest, keys, most))
    return told


def _file(store: Store, version: Version, path: str, digest: str, keys: Any, most: int) -> Source:
    import polars

    table = _table(store, path, digest)
    if table is None:
        return Source(version.asset, version.digest, path, told="it is no table")
    try:
        there = table.collect_schema()
        shared = () if keys is None else tuple(name for name in keys.columns if name in there)
        if not shared:
            return Source(version.asset, version.digest, path, told="it has none of these columns")
        text = [polars.selectors.by_name(name).cast(polars.String).alias(f"\0{name}") for name in shared]
        looked = table.with_row_index("\0row", 1).with_columns(text)
        wanted = keys.lazy().select(text).unique()
        joined = looked.join(wanted, on=[f"\0{name}" for name in shared], how="semi").drop(f"\0{n}" for n in shared)
        rows = joined.sort("\0row").collect()
    except polars.exceptions.PolarsError as error:
        return Source(version.asset, version.digest, path, told=f"it cannot be read: {str(error).splitlines()[0]}")
    first = rows.head(most)
    numbers = tuple(int(each) for each in first["\0row"])
    held = first.drop("\0row")
    return Source(
        version.asset,
        version.digest,
        path,
        shared,
        Rows(tuple(held.columns), tuple(held.rows()), rows.height),
        numbers,
    )


def _table(store: Store, path: str, digest: str) -> Any:
    """A file of a source as a polars.LazyFrame; None for what is no table."""
    import polars

    name = path.lower()
    kept = store.path(digest)
    if name.endswith(".csv.gz"):
        return polars.read_csv(store.get(digest), infer_schema_length=None).lazy()
    data: Any = io.BytesIO(store.get(digest)) if kept is None else kept
    if name.endswith(".csv"):
        return polars.scan_csv(data, infer_schema_length=None)
    if name.endswith((".parquet", ".pq")):
        return polars.scan_parquet(data)
    if name.endswith((".jsonl", ".ndjson")):
        return polars.scan_ndjson(data)
    return None


def hidden(rows: Rows, private: Sequence[str]) -> Rows:
    """The same rows, without the values of private columns."""
    kept = tuple(
        tuple("(private)" if name in private else value for name, value in zip(rows.columns, row, strict=True))
        for row in rows.rows
    )
    return Rows(rows.columns, kept, rows.count)
