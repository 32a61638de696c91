"""Tables as Parquet: polars, pandas and Arrow read what any of them wrote. The same table becomes the same bytes."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from pathlib import Path
from typing import Any, Optional, Union

POLARS, LAZY, PANDAS, ARROW = "polars.DataFrame", "polars.LazyFrame", "pandas.DataFrame", "pyarrow.Table"
TYPES = (POLARS, LAZY, PANDAS, ARROW)
SMALL = 32 * 1024  # bytes in memory up to which a table is written in memory

Bytes = Union[Path, bytes]


def library() -> Optional[str]:
    """The type that a reader without an annotation gets: of polars, pandas and Arrow the first that is installed."""
    for module, said in (("polars", POLARS), ("pandas", PANDAS), ("pyarrow", ARROW)):
        if module in sys.modules or importlib.util.find_spec(module) is not None:
            return said
    return None


def is_a(value: Any, module: str, name: str) -> bool:
    """Whether a value is of exactly that type, without importing the module."""
    loaded = sys.modules.get(module)
    return loaded is not None and type(value) is getattr(loaded, name, None)


def is_table(value: Any) -> bool:
    """Whether a value is one of the tables that are stored as Parquet."""
    return (
        is_a(value, "polars", "DataFrame")
        or is_a(value, "polars", "LazyFrame")
        or is_a(value, "pandas", "DataFrame")
        or is_a(value, "pyarrow", "Table")
    )


def kind(value: Any) -> str:
    """The public name of a table's type."""
    return f"{type(value).__module__.split('.')[0]}.{type(value).__name__}"


def whole(value: Any) -> bool:
    """Whether Parquet keeps the table whole: no columns of Python objects."""
    if is_a(value, "polars", "DataFrame"):
        polars: Any = sys.modules["polars"]
        return polars.Object not in value.dtypes
    if is_a(value, "pandas", "DataFrame"):
        return _whole_pandas(value)
    return True


def _whole_pandas(frame: Any) -> bool:
    """Whether column names are text, and each column has an Arrow type; a frame of mixed objects is pickled instead."""
    import pandas

    if importlib.util.find_spec("pyarrow") is None or not all(type(name) is str for name in frame.columns):
        return False
    mixed = list(frame.columns[[str(said) == "object" for said in frame.dtypes]])
    kinds = ("string", "empty", "decimal", "date", "boolean", "bytes")
    return all(pandas.api.types.infer_dtype(frame[name], skipna=True) in kinds for name in mixed)


def dump(value: Any, path: Path) -> Optional[bytes]:
    """A table's bytes where it is small, else None and `path` is written. A LazyFrame is collected."""
    if is_a(value, "polars", "LazyFrame"):
        value = value.collect()
    if is_a(value, "polars", "DataFrame"):
        small = value.estimated_size() < SMALL
        sink: Any = io.BytesIO() if small else path
        value.write_parquet(sink, compression="zstd", compression_level=1)
        return sink.getvalue() if small else None
    if is_a(value, "pandas", "DataFrame"):
        small = int(value.memory_usage().sum()) < SMALL
        sink = io.BytesIO() if small else path
        value.to_parquet(sink, engine="pyarrow", compression="zstd")
        return sink.getvalue() if small else None
    import pyarrow.parquet

    small = value.nbytes < SMALL
    sink = io.BytesIO() if small else str(path)
    pyarrow.parquet.write_table(value, sink, compression="zstd")
    return sink.getvalue() if small else None


def load(source: Bytes, wanted: str) -> Any:
    """The table as the type that is wanted, or as the first library's that is installed."""
    said = wanted if wanted in TYPES else library()
    if wanted == "bytes":
        return source if isinstance(source, bytes) else source.read_bytes()
    data: Any = io.BytesIO(source) if isinstance(source, bytes) else source
    if said == POLARS:
        import polars

        return polars.read_parquet(data)
    if said == LAZY:
        import polars

        return polars.scan_parquet(data)
    if said == PANDAS:
        import pandas

        return pandas.read_parquet(data, engine="pyarrow" if importlib.util.find_spec("pyarrow") else "auto")
    import pyarrow.parquet

    return pyarrow.parquet.read_table(data)


def lasting(value: Any) -> bool:
    """Whether the table cannot be changed in place, or is handed on as a copy that costs nothing (`handed`)."""
    return is_a(value, "polars", "DataFrame") or is_a(value, "polars", "LazyFrame") or is_a(value, "pyarrow", "Table")


def handed(value: Any) -> Any:
    """A kept value for its next reader: a polars DataFrame as a clone, which shares its unchangeable columns."""
    return value.clone() if is_a(value, "polars", "DataFrame") else value


def weight(value: Any) -> int:
    """About how many bytes a kept value takes; a LazyFrame is a plan and takes none."""
    if is_a(value, "polars", "DataFrame"):
        return int(value.estimated_size())
    if is_a(value, "pyarrow", "Table"):
        return int(value.nbytes)
    return sys.getsizeof(value)


def shape(value: Any) -> Optional[tuple[int, Optional[int]]]:
    """Rows and columns of a table or an array; None where the value has none, or they would have to be computed."""
    if is_a(value, "polars", "LazyFrame"):
        return None
    if is_table(value):
        rows, columns = value.shape
        return int(rows), int(columns)
    if is_a(value, "numpy", "ndarray") and value.ndim:
        return int(value.shape[0]), int(value.shape[1]) if value.ndim == 2 else None
    return None


def height(value: Any) -> Optional[int]:
    """The rows of a table that was loaded, of a lazy one by asking for their number."""
    if is_a(value, "polars", "LazyFrame"):
        polars: Any = sys.modules["polars"]
        return int(value.select(polars.len()).collect().item())
    found = shape(value)
    if found is not None:
        return found[0]
    return len(value) if isinstance(value, list) else None


def first(value: Any, limit: int) -> tuple[int, list[str], list[list[Any]]]:
    """How many rows a table has, its columns, and its first rows as lists in their order."""
    if is_a(value, "polars", "LazyFrame"):
        value = value.collect()
    if is_a(value, "polars", "DataFrame"):
        return value.height, list(value.columns), [list(row) for row in value.head(limit).rows()]
    if is_a(value, "pandas", "DataFrame"):
        rows = [list(row) for row in value.head(limit).itertuples(index=False, name=None)]
        return len(value), [str(name) for name in value.columns], rows
    head = value.slice(0, limit)
    columns = [column.to_pylist() for column in head.columns]
    return value.num_rows, list(value.column_names), [list(row) for row in zip(*columns)]


def is_parquet(path: Union[str, "os.PathLike[str]"]) -> bool:
    """Whether a file begins as Parquet does."""
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"
