"""Sources: declared files of the tree, read as the step that takes them wants them.

A source is a folder of its files, each under its path in the tree, or one file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ciranda.runtime import tables

TABLES = (tables.POLARS, tables.LAZY, tables.PANDAS, tables.ARROW)
PATHS = ("list[pathlib.Path]", "list[Path]", "list[pathlib._local.Path]", "collections.abc.Sequence[pathlib.Path]")


class Unreadable(Exception):
    """Files that do not become what the step wants; the message says why."""


def files(source: Path) -> list[Path]:
    """The files of a source in the order of their names."""
    if not source.is_dir():
        return [source]
    found = (path for path in source.rglob("*") if path.is_file())
    return sorted(found, key=lambda path: path.relative_to(source).as_posix())


def path(source: Path, *, one: bool) -> Path:
    """What a step that wants a Path gets: the file where the declaration names exactly one, else the folder."""
    found = files(source) if one else []
    return found[0] if len(found) == 1 else source


def load(source: Path, wanted: str) -> Any:
    """The files as `wanted`: a table (all files, in the order of their names), list[Path], bytes, str.

    Without an annotation a table where every file is CSV or Parquet and a library for it is installed, else the folder.
    Raises Unreadable.
    """
    found = files(source)
    if wanted in PATHS:
        return found
    if not found:
        raise Unreadable("the source has no files")
    if wanted in TABLES:
        return _table(found, wanted)
    if wanted in ("bytes", "str", "dict", "list") or wanted.startswith(("dict[", "list[")):
        return _one(found, wanted)
    kind = tables.library()
    if kind is not None and all(_form(file) is not None for file in found):
        return _table(found, kind)
    return source


def _one(found: list[Path], wanted: str) -> Any:
    if len(found) != 1:
        raise Unreadable(f"{wanted} was asked for, but the source has {len(found)} files: take list[Path] instead")
    if wanted == "bytes":
        return found[0].read_bytes()
    text = found[0].read_text(encoding="utf-8")
    return text if wanted == "str" else json.loads(text)


def _form(file: Path) -> Any:
    name = file.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    if name.endswith((".parquet", ".pq")) or ("." not in name and tables.is_parquet(file)):
        return "parquet"
    return None


def _table(found: list[Path], kind: str) -> Any:
    forms = [_form(file) for file in found]
    for file, form in zip(found, forms):
        if form is None:
            raise Unreadable(
                f"{file.name} is neither *.csv nor *.parquet: take Path or list[Path] and read it yourself"
            )
    pairs = list(zip(found, forms))
    if kind in (tables.POLARS, tables.LAZY):
        return _polars(pairs, lazy=kind == tables.LAZY)
    if kind == tables.PANDAS:
        return _pandas(pairs)
    return _arrow(pairs)


def _polars(pairs: list[tuple[Path, str]], *, lazy: bool) -> Any:
    import polars

    parts: list[Any] = []
    for file, form in pairs:
        if form == "parquet":
            parts.append(polars.scan_parquet(file) if lazy else polars.read_parquet(file))
        elif lazy and not file.name.lower().endswith(".gz"):
            parts.append(polars.scan_csv(file, infer_schema_length=None))
        else:
            part = polars.read_csv(file, infer_schema_length=None)
            parts.append(part.lazy() if lazy else part)
    return parts[0] if len(parts) == 1 else polars.concat(parts, how="vertical_relaxed")


def _pandas(pairs: list[tuple[Path, str]]) -> Any:
    import pandas

    parts = [
        pandas.read_parquet(file) if form == "parquet" else pandas.read_csv(file, low_memory=False)
        for file, form in pairs
    ]
    return parts[0] if len(parts) == 1 else pandas.concat(parts, ignore_index=True)


def _arrow(pairs: list[tuple[Path, str]]) -> Any:
    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    parts = [
        pyarrow.parquet.read_table(file) if form == "parquet" else pyarrow.csv.read_csv(file) for file, form in pairs
    ]
    return parts[0] if len(parts) == 1 else pyarrow.concat_tables(parts, promote_options="permissive")
