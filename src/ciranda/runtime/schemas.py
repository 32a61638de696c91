"""Schemas of other libraries as checks: pandera's (pandas and polars) and dataframely's.

A schema is a check of its own: the rows that break it are the evidence, each with the rules that it breaks. Neither
library is imported here: whoever has a schema has loaded the library that made it.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Optional

from ciranda.runtime import found, tables
from ciranda.runtime.found import Found

RULE = "breaks"  # the first column of the evidence
NAME = 60  # characters of a rule's name
_KINDS = {
    ("pandera.api.pandas.container", "DataFrameSchema"): ("pandera", "pandas"),
    ("pandera.api.pandas.model", "DataFrameModel"): ("pandera", "pandas"),
    ("pandera.api.polars.container", "DataFrameSchema"): ("pandera", "polars"),
    ("pandera.api.polars.model", "DataFrameModel"): ("pandera", "polars"),
    ("dataframely.schema", "Schema"): ("dataframely", "polars"),
}


def kind(schema: Any) -> Optional[tuple[str, str]]:
    """The library of a schema and that of the tables it is for, or None for what is no such schema."""
    own = schema if isinstance(schema, type) else type(schema)
    if own is schema and (own.__module__, own.__name__) in _KINDS:
        return None  # the library's own base class, which declares nothing
    for base in own.__mro__:
        known = _KINDS.get((base.__module__, base.__name__))
        if known is not None:
            is_class = base.__name__ != "DataFrameSchema"
            return known if isinstance(schema, type) == is_class else None
    return None


def table(schema: Any) -> Any:
    """The type of table that a schema looks at."""
    known = kind(schema)
    assert known is not None
    return sys.modules[known[1]].DataFrame


def judge(schema: Any, frame: Any) -> Found:
    """What is wrong with a table by a schema. Raises what the library raises when it cannot judge."""
    known = kind(schema)
    return _dataframely(schema, frame) if known and known[0] == "dataframely" else _pandera(schema, frame)


def of_error(error: BaseException) -> Optional[Found]:
    """What an error of these libraries says of a table; None: it is another error."""
    if type(error).__module__ == "dataframely.exc":
        return found.broken({}, 0, [], [], [_first_part(error)])
    cases: Any = getattr(error, "failure_cases", None)
    frame: Any = getattr(error, "data", None)
    if not type(error).__module__.startswith("pandera.") or type(error).__name__ not in ("SchemaError", "SchemaErrors"):
        return None
    if not tables.is_table(cases):
        return found.broken({}, 0, [], [], [found.short(str(error).strip().split("\n")[0])])
    counts: Mapping[str, int] = getattr(error, "error_counts", None) or {}
    if counts and set(counts) == {"CHECK_ERROR"}:
        return Found(None, found.short(f"could not be judged: {_raised(cases)}"))
    if tables.is_a(frame, "polars", "LazyFrame"):
        frame = frame.collect()
    if not {"check", "column", "failure_case", "index"} <= {str(name) for name in cases.columns}:
        return _single(error, cases, frame)
    if tables.is_a(cases, "polars", "DataFrame"):
        return _polars_cases(cases, frame)
    return _pandas_cases(cases, frame)


def rule(column: Any, check: Any, columns: Iterable[Any]) -> str:
    """How a broken rule is called: `distance greater_than(0)`; a rule of the whole table has no column."""
    name = str(check) if column is None or column not in columns else f"{column} {check}"
    return name if len(name) <= NAME else name[: NAME - 1] + "…"


# ── pandera ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pandera(schema: Any, frame: Any) -> Found:
    is_class = isinstance(schema, type)
    made: Any = schema.to_schema() if is_class else schema
    if getattr(made, "drop_invalid_rows", False):
        made = copy.copy(made)  # a check tells wrong rows; it does not take them out and call the rest right
        made.drop_invalid_rows = False
    plain = tables.is_a(frame, "pandas", "DataFrame") and getattr(made, "index", None) is None
    try:
        with _switched_on():
            made.validate(frame.reset_index(drop=True) if plain else frame, lazy=True)
    except Exception as error:
        said = of_error(error)
        if said is None:
            raise
        return said
    return Found(True)


def _switched_on() -> AbstractContextManager[Any]:
    """Validation as a whole, whatever a setting or a variable of pandera's says: a check that is off would always pass."""
    config: Any = sys.modules.get("pandera.config")
    if config is None or not hasattr(config, "config_context"):
        return nullcontext()
    made: AbstractContextManager[Any] = config.config_context(
        validation_enabled=True, validation_depth=config.ValidationDepth.SCHEMA_AND_DATA
    )
    return made


def _polars_cases(cases: Any, frame: Any) -> Found:
    polars: Any = sys.modules["polars"]
    columns = list(frame.columns)
    named = cases.with_columns(_number=polars.col("index").cast(polars.Int64))
    of_rows = named.filter(polars.col("_number").is_not_null())
    whole = named.filter(polars.col("_number").is_null())
    rules: dict[str, int] = {}
    broken: dict[int, list[str]] = {}
    blamed: list[str] = []
    for column, check in of_rows.select("column", "check").unique(maintain_order=True).rows():
        name = rule(column, check, columns)
        its = of_rows.filter(polars.col("column").eq_missing(column) & polars.col("check").eq_missing(check))
        places = its["_number"].unique().sort()
        rules[name] = rules.get(name, 0) + len(places)
        blamed += [column] if column in columns and column not in blamed else []
        for place in places.head(found.ROWS).to_list():
            broken.setdefault(place, []).append(name)
    others = [
        _whole(*row) for row in whole.select("column", "check", "failure_case").unique(maintain_order=True).rows()
    ]
    count = of_rows["_number"].n_unique()
    return _shown(rules, count, broken, blamed, columns, others, lambda place, order: frame.select(order).row(place))


def _pandas_cases(cases: Any, frame: Any) -> Found:
    columns = list(frame.columns)
    of_rows, whole = cases[cases["index"].notna()], cases[cases["index"].isna()]
    rules: dict[str, int] = {}
    labels: dict[Any, list[str]] = {}
    blamed: list[Any] = []
    for (column, check), its in of_rows.groupby(["column", "check"], sort=False, dropna=False):
        name = rule(column, check, columns)
        marks = its["index"].drop_duplicates()
        rules[name] = rules.get(name, 0) + len(marks)
        blamed += [column] if column in columns and column not in blamed else []
        for label in marks.sort_values().head(found.ROWS) if _sortable(marks) else marks.head(found.ROWS):
            labels.setdefault(label, []).append(name)
    told = whole[["column", "check", "failure_case"]].drop_duplicates() if len(whole) else whole
    others = [_whole(row[0], row[1], row[2]) for row in told[["column", "check", "failure_case"]].values.tolist()]
    count = int(of_rows["index"].nunique())
    index = frame.index
    places: dict[int, list[str]] = {}
    if index.is_unique:
        for label, names in labels.items():
            place = int(index.get_indexer([label])[0])
            if place >= 0:
                places[place] = names
    return _shown(
        rules, count, places, blamed, columns, others,
        lambda place, order: [frame[name].iloc[place] for name in order],
    )  # fmt: skip


def _sortable(values: Any) -> bool:
    return all(isinstance(value, int) for value in values.head(1))


def _shown(
    rules: Mapping[str, int],
    count: int,
    places: Mapping[int, list[str]],
    blamed: list[Any],
    columns: list[Any],
    others: list[str],
    row: Any,
) -> Found:
    """The outcome, with the columns that are to blame first, so that a narrow table shows them."""
    order = [*blamed, *(name for name in columns if name not in blamed)]
    kept = sorted(places)[: found.ROWS]
    rows = [[", ".join(places[place]), *(_value(item) for item in row(place, order))] for place in kept]
    return found.broken(rules, count, [RULE, *(str(name) for name in order)], rows, others)


def _whole(column: Any, check: Any, case: Any) -> str:
    """What is wrong with the table as a whole, in pandera's words where they are plain enough."""
    said = str(check)
    if said == "column_in_dataframe":
        return f"there is no column {case}"
    if said == "column_in_schema":
        return f"the column {case} is not in the schema"
    if said.startswith("dtype(") and _there(column):
        return f"{column} is {case}, not {said[6:-1].strip(chr(39))}"
    return f"{column} {said}" if _there(column) else said


def _there(value: Any) -> bool:
    return value is not None and not _is_nan(value)  # pandas says NaN for nothing


def _value(value: Any) -> Any:
    return None if _is_nan(value) or type(value).__name__ in ("NAType", "NaTType") else value


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _raised(cases: Any) -> str:
    told = cases["failure_case"].to_list() if hasattr(cases["failure_case"], "to_list") else list(cases["failure_case"])
    return str(told[0]) if told else "a rule of it raised"


def _single(error: BaseException, cases: Any, frame: Any) -> Found:
    """One rule that does not hold (`validate` without `lazy`)."""
    check = getattr(getattr(error, "check", None), "error", None) or getattr(error, "check", None) or "a rule"
    name = rule(getattr(getattr(error, "schema", None), "name", None), check, getattr(frame, "columns", ()))
    number = tables.first(cases, 0)[0]
    if getattr(getattr(error, "reason_code", None), "name", "") != "DATAFRAME_CHECK":
        return found.broken({}, 0, [], [], [found.short(str(error).strip().split("\n")[0])])
    return found.broken({name: number}, number, [], [])


# ── dataframely ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _dataframely(schema: Any, frame: Any) -> Found:
    polars: Any = sys.modules["polars"]
    try:
        _, failure = schema.filter(frame)
    except Exception as error:
        if type(error).__module__ != "dataframely.exc" or type(error).__name__ != "SchemaError":
            raise
        return found.broken({}, 0, [], [], [_first_part(error)])
    counts: Mapping[str, int] = failure.counts()
    if not counts:
        return Found(True)
    columns = list(frame.columns)
    invalid = failure.details()
    rules: dict[str, int] = {}
    blamed: list[str] = []
    names: dict[str, str] = {}
    for raw, number in counts.items():
        column, bar, check = raw.partition("|")
        names[raw] = rule(column, check, columns) if bar else rule(None, raw, columns)
        rules[names[raw]] = int(number)
        blamed += [column] if bar and column in columns and column not in blamed else []
    order = [*blamed, *(name for name in columns if name not in blamed)]
    rows = []
    for row in invalid.head(found.ROWS).iter_rows(named=True):
        mine = [said for raw, said in names.items() if str(row.get(raw)) == "invalid"]
        rows.append([", ".join(mine), *(row.get(name) for name in order)])
    total = invalid.select(polars.len()).item()
    return found.broken(rules, int(total), [RULE, *order], rows)


def _first_part(error: BaseException) -> str:
    """What the error says, in one line, without the plan of the query that follows."""
    return " ".join(str(error).split("\n\n")[0].split())
