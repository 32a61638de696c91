"""Rows as text: evidence of checks, and the first rows of a table."""

from collections.abc import Sequence
from typing import Any

from ciranda.cli import words
from ciranda.kernel import digest, errors
from ciranda.kernel.store import Store

_WIDE = 24  # characters of one value
_LINE = 110


def evidence(store: Store, name: str | None, most: int) -> list[str]:
    """The rows that a check found wrong, by the digest of its evidence, at most `most` of them; empty when there is none."""
    if name is None:
        return []
    try:
        kept = digest.parse(store.get(name))
    except (errors.Corrupt, errors.NotFound) as error:
        return [f"its evidence cannot be read: {error}"]
    lines = lay(kept["columns"], kept["rows"][:most])
    more = (kept["count"] or len(kept["rows"])) - len(kept["rows"][:most])
    return [*lines, *([f"… and {words.count(more, 'row')} more"] if lines and more > 0 else [])]


def lay(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A table in columns, cut to fit a line: what is cut is counted."""
    if not rows:
        return []
    texts = [[_text(value) for value in row] for row in rows]
    widths = [max(len(name), *(len(row[at]) for row in texts)) for at, name in enumerate(columns)]
    kept, used = 0, 0
    while kept < len(widths) and (used + widths[kept] + 2 <= _LINE or kept == 0):
        used += widths[kept] + 2
        kept += 1
    left = [f"(+ {len(columns) - kept} columns)"] if kept < len(columns) else []
    lines = ["  ".join([*(f"{name:<{width}}" for name, width in zip(columns[:kept], widths, strict=False)), *left])]
    lines += ["  ".join(f"{value:<{width}}" for value, width in zip(row[:kept], widths, strict=False)) for row in texts]
    return [line.rstrip() for line in lines]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return words.number(value)
    return words.clip(str(value), _WIDE)
