"""What the return value of a check says: passed, failed, or not to be judged."""

from __future__ import annotations

import decimal
import math
import numbers
from typing import Any, Optional

from ciranda.runtime import codecs, results, schemas, tables
from ciranda.runtime.found import ROWS, Found, offending, short


def judge(result: Any, at_least: Optional[float] = None, at_most: Optional[float] = None) -> Found:
    """What a check found, from what its function returned."""
    if isinstance(result, Found):
        return result
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
        return offending(count, columns, rows)
    if isinstance(result, numbers.Real):
        return Found(None, f"returned the number {result} without at_least or at_most to judge it by")
    if hasattr(result, "success"):
        return results.judge(result)
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
    told = schemas.of_error(error)
    if told is not None:
        return told
    cases = getattr(error, "failure_cases", None)
    if tables.is_table(cases):
        count, columns, rows = tables.first(cases, ROWS)
        return offending(count, columns, rows)
    text = short(str(error).strip().split("\n")[0])
    if isinstance(error, AssertionError):
        return Found(False, text or "an assertion does not hold")
    return Found(None, f"raised {type(error).__name__}: {text}" if text else f"raised {type(error).__name__}")


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


def _items(values: list[Any]) -> Found:
    head = values[:ROWS]
    if head and all(isinstance(item, dict) for item in head):
        columns = list(dict.fromkeys(str(key) for item in head for key in item))
        return offending(len(values), columns, [[item.get(name) for name in columns] for item in head])
    return offending(len(values), ["value"] if head else [], [[item] for item in head])


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
