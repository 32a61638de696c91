"""What a check found, as the protocol carries it."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

ROWS = 10  # offending rows that an outcome shows
TEXT = 500  # characters of one value that an outcome shows


@dataclass(frozen=True)
class Found:
    """An outcome. `passed` is None where the check could not be judged; `rules` how many rows break each rule of a schema."""

    passed: Optional[bool]
    message: str = ""
    count: Optional[int] = None
    value: Optional[float] = None
    columns: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    rules: dict[str, int] = field(default_factory=dict)


def offending(count: int, columns: list[str], rows: list[list[Any]]) -> Found:
    """The outcome of a check that found these wrong rows; none is a pass."""
    message = "" if not count else f"{count:,} {'row is' if count == 1 else 'rows are'} wrong"
    return Found(count == 0, message, count=count, columns=columns, rows=[[safe(item) for item in row] for row in rows])


def broken(
    rules: Mapping[str, int], count: int, columns: list[str], rows: Sequence[Sequence[Any]], others: Sequence[str] = ()
) -> Found:
    """The outcome of a schema that does not hold: wrong rows by rule, and `others`, what is wrong with the table as a whole."""
    told = [*others, *(f"{rule} {number:,}" for rule, number in rules.items())]
    kept = [[safe(item) for item in row] for row in rows[:ROWS]]
    return Found(
        False, short(", ".join(told)), count=count if rules else None, columns=columns, rows=kept, rules=dict(rules)
    )


def safe(value: Any) -> Any:
    """A value as JSON can carry it; what JSON has no word for becomes text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return short(value)
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
    return short(str(value))


def short(text: str) -> str:
    """The text, cut where it is too long to show."""
    return text if len(text) <= TEXT else text[: TEXT - 1] + "…"
