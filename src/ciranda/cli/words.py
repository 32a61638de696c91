"""Numbers, sizes, times and marks as people read them. Colour only marks state; everything reads without it."""

import os
import sys
from typing import TextIO

from ciranda.pipeline.records import Outcome, Version

MARKS = {
    "passed": "✓", "ran": "✓", "unchanged": "✓", "warned": "!", "unsure": "✗", "failed": "✗", "skipped": "–", "running": "●",
}  # fmt: skip
_WIDE = 36  # characters of what a version holds
_COLOURS = {
    "passed": "32",
    "ran": "32",
    "unchanged": "32",
    "warned": "33",
    "unsure": "31",
    "failed": "31",
    "running": "36",
}


def coloured(stream: TextIO) -> bool:
    """Whether a stream takes colour: a terminal, and neither NO_COLOR, CI nor TERM=dumb says otherwise."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def mark(state: str, *, colour: bool = False) -> str:
    """The sign of a state."""
    sign = MARKS[state]
    return f"\033[{_COLOURS[state]}m{sign}\033[0m" if colour and state in _COLOURS else sign


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 file`, `12 files`, `336,776 rows`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def size(number: int) -> str:
    """Bytes in powers of 1000: `31 MB`, `4.2 GB`, `820 bytes`."""
    value = float(number)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    if unit == "bytes":
        return count(number, "byte")
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def seconds(value: float) -> str:
    """`0.09 s`, `7.4 s`, `2 min 5 s`, `1 h 4 min`."""
    if value < 0.0995:
        return f"{value:.2f} s"
    if value < 119.5:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def number(value: float) -> str:
    """A figure with at most four decimals and no idle zeros."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}".rstrip("0").rstrip(".")


def contents(version: Version, files: int | None = None) -> str:
    """What a version holds: `336,776 rows × 24`, `auc 0.742`, `12 files, 31 MB`."""
    if version.codec == "files":
        told = f"{count(files, 'file')}, " if files is not None else ""
        return told + size(version.size)
    parts = []
    if version.rows is not None:
        parts.append(f"{count(version.rows, 'row')}" + (f" × {version.columns}" if version.columns is not None else ""))
    figures = [(name, value) for name, value in version.figures.items() if isinstance(value, int | float)]
    for name, value in sorted(figures, key=lambda figure: isinstance(figure[1], int)):  # scores before counts
        told = f"{name} {number(value)}"
        if not isinstance(value, bool) and len(", ".join([*parts, told])) <= _WIDE:
            parts.append(told)
    return ", ".join(parts) or size(version.size)


def finding(outcome: Outcome) -> str:
    """What a check found beyond its mark; empty for a plain pass."""
    if outcome.passed:
        return number(outcome.value) if outcome.value is not None else ""
    if outcome.count is not None and outcome.count > 0:
        rows = f"{outcome.count:,} of {count(outcome.of, 'row')}" if outcome.of else count(outcome.count, "row")
        return f"{rows}: {outcome.message}" if outcome.rules else rows
    return outcome.message or (f"found {number(outcome.value)}" if outcome.value is not None else "did not pass")


def clip(text: str, width: int) -> str:
    """One line of at most `width` characters, control characters made visible."""
    line = "".join(character if character.isprintable() else " " for character in text.strip())
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"


def out(line: str = "") -> None:
    """A line on the standard output."""
    sys.stdout.write(line + "\n")
