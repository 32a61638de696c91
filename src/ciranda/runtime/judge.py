"""What the return value of a check says: passed, failed, or not to be judged."""

from __future__ import annotations

import datetime
import decimal
import math
import numbers
from dataclasses import dataclass, field
from typing import Any, Optional

from ciranda.runtime import codecs, tables

ROWS = 10  # offending rows that an outcome shows
TEXT = 500  # characters of one value that an outcome shows


@dataclass(frozen=True)
class Found:
    """An outcome, as the protocol carries it. `passed` is None where the check could not be judged."""

    passed: Optional[bool]
    message: str = ""
    count: Optional[int] = None
    value: Optional[float] = None
    columns: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)


def judge(result: Any, at_least: Optional[float] = None, at_most: Optional[float] = None) -> Found:
    """What a check found, from what its function returned."""
    bounded = at_least is not None or at_most is not None
    if getattr(result, "shape", None) == () and hasattr(result, "item"):
        result = result.item()
    if bounded:
        return _number(result, at_least, at_most)
    if isinstance(result, bool):
        return Found(result, "" if result else "returned False")
    if result is None:
        return Found(True)
    if tables.is_table(result):
        count, columns, rows = tables.first(result, ROWS)
        return _offending(count, columns, rows)
    if isinstance(result, numbers.Real):
        return Found(None, f"returned the number {result} without at_least or at_most to judge it by")
    if hasattr(result, "success"):
        passed = bool(result.success)
        return Found(passed, "" if passed else _short(str(result)))
    values = _values(result)
    if values is None:
        return Found(
            None,
            f"returned {codecs.article(result)}; return a bool, the wrong rows, or a number with at_least or at_most",
        )
    if values and all(isinstance(item, bool) for item in values[:ROWS]):
        return Found(None, "returned a column of bools: return the rows that are wrong, or whether .all() of them hold")
    return _items(values)


def raised(error: BaseException) -> Found:
    """What a check found that raised.

    An assertion, or a data frame of failure cases (pandera), is a failed check; anything else could not be judged.
    """
    cases = getattr(error, "failure_cases", None)
    if tables.is_table(cases):
        count, columns, rows = tables.first(cases, ROWS)
        return _offending(count, columns, rows)
    text = _short(str(error).strip().split("\n")[0])
    if isinstance(error, AssertionError):
        return Found(False, text or "an assertion does not hold")
    return Found(None, f"raised {type(error).__name__}: {text}" if text else f"raised {type(error).__name__}")


def safe(value: Any) -> Any:
    """A value as JSON can carry it; what JSON has no word for becomes text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return _short(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, datetime.timedelta)):
        return str(value)
    if isinstance(value, dict):
        return {str(key): safe(item) for key, item in list(value.items())[:ROWS]}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [safe(item) for item in list(value)[:ROWS]]
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return safe(value.item())
    return _short(str(value))


def _number(result: Any, at_least: Optional[float], at_most: Optional[float]) -> Found:
    if isinstance(result, bool) or not isinstance(result, (numbers.Real, decimal.Decimal)):
        return Found(
            None,
            f"returned {'None' if result is None else codecs.article(result)}, but at_least and at_most judge a number",
        )
    value = float(result)
    if math.isnan(value):
        return Found(None, "returned NaN, which is neither too little nor too much")
    if at_least is not None and value < at_least:
        return Found(False, f"{_figure(value)} is less than {_figure(at_least)}", value=_finite(value))
    if at_most is not None and value > at_most:
        return Found(False, f"{_figure(value)} is more than {_figure(at_most)}", value=_finite(value))
    return Found(True, value=_finite(value))


def _offending(count: int, columns: list[str], rows: list[list[Any]]) -> Found:
    message = "" if not count else f"{count:,} {'row is' if count == 1 else 'rows are'} wrong"
    return Found(count == 0, message, count=count, columns=columns, rows=[[safe(item) for item in row] for row in rows])


def _items(values: list[Any]) -> Found:
    head = values[:ROWS]
    if head and all(isinstance(item, dict) for item in head):
        columns = list(dict.fromkeys(str(key) for item in head for key in item))
        return _offending(len(values), columns, [[item.get(name) for name in columns] for item in head])
    return _offending(len(values), ["value"] if head else [], [[item] for item in head])


def _values(result: Any) -> Optional[list[Any]]:
    """The items of a list, a tuple, a set, an array or a series; None for anything else."""
    if isinstance(result, (list, tuple, set, frozenset)):
        return list(result)
    for module, name, method in (
        ("polars", "Series", "to_list"),
        ("pandas", "Series", "tolist"),
        ("numpy", "ndarray", "tolist"),
    ):
        if tables.is_a(result, module, name):
            return list(getattr(result, method)())
    return None


def _finite(value: float) -> Optional[float]:
    return value if math.isfinite(value) else None


def _figure(value: float) -> str:
    return f"{value:.6g}"


def _short(text: str) -> str:
    return text if len(text) <= TEXT else text[: TEXT - 1] + "…"
