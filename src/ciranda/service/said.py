"""What one line of a log says: its level, its own time, and its fields where it is JSON. Pure, standard library only.

Levels are those of syslog and Python put together: `trace debug info warn error fatal`. A line that names none has none.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
_WORDS = {
    "trace": "trace",
    "debug": "debug",
    "info": "info",
    "information": "info",
    "informational": "info",
    "notice": "info",
    "warn": "warn",
    "warning": "warn",
    "err": "error",
    "error": "error",
    "severe": "error",
    "fatal": "fatal",
    "critical": "fatal",
    "crit": "fatal",
    "panic": "fatal",
    "alert": "fatal",
    "emerg": "fatal",
    "emergency": "fatal",
}
_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
# level=warn, lvl="error" (logfmt); [error], (WARN), <info>; ERROR as a word of its own in capitals; "Warning:" at the beginning
_LEVEL = re.compile(
    rf"\b(?:level|lvl|severity)=\"?(?i:({_WORD}))\b"
    rf"|[\[(<](?i:({_WORD}))[\])>]"
    rf"|(?<![\w.-])({_WORD.upper()})(?![\w-])"
    rf"|^\s*(?i:({_WORD})):"
)
_GLOG = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d")
_GLOG_LEVELS = {"I": "info", "W": "warn", "E": "error", "F": "fatal"}
_HEAD = 120  # characters in which a level stands
_TIME = re.compile(
    r"\W?(\d{4}[-/]\d\d[-/]\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?(?![\d:])", re.ASCII
)
_LEVEL_KEYS = ("level", "severity", "lvl", "levelname", "log.level", "loglevel")
_TIME_KEYS = ("time", "timestamp", "ts", "@timestamp", "asctime", "at")
_TEXT_KEYS = ("msg", "message", "event", "text")
# pino and bunyan count in tens, 10 trace to 60 fatal; Python's logging too, but 20 info to 50 critical
_NUMBERS = {10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal"}
_LONGEST = 1 << 16  # characters of a line that is read as JSON
_NEVER, _EVER = 946_684_800_000_000, 4_102_444_800_000_000  # the years 2000 and 2100 in µs: other numbers are no times
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True, slots=True)
class Said:
    """What a line says. `text` is its message where it is JSON, else the line; `at_us` its own time.

    `local`: the time came without a zone, and was read as this machine's.
    """

    text: str
    level: str | None = None
    at_us: int | None = None
    local: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)


def read(line: str) -> Said:
    """What a line says. Whatever it is, it is a line: nothing is raised."""
    if line.startswith("{") and len(line) <= _LONGEST:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return _structured(line, found)
    at_us, local = _time(line[:_HEAD])
    return Said(line, _level(line[:_HEAD]), at_us, local)


def at_least(level: str | None, wanted: str) -> bool:
    """Whether a level reaches another one; what has none reaches nothing."""
    return level is not None and LEVELS.index(level) >= LEVELS.index(wanted)


def as_utc(at_us: int) -> int:
    """A time that was read as this machine's, read as UTC."""
    at = datetime.fromtimestamp(at_us // 1_000_000)
    return int(at.replace(tzinfo=UTC).timestamp()) * 1_000_000 + at_us % 1_000_000


class Levels:
    """The levels of the lines of one writer: what goes on from a line before has that line's."""

    def __init__(self) -> None:
        self._level: str | None = None
        self._traced = False

    def of(self, said: Said, line: str) -> str | None:
        """The level of the next line: its own, or that of what it belongs to (a traceback, an indented line)."""
        if said.level is not None:
            self._level, self._traced = said.level, False
        elif line.startswith(_TRACEBACK):
            self._level, self._traced = "error", True
        elif not line[:1].isspace():
            if self._traced:  # the line that names the exception
                self._traced = False
                return self._level
            self._level = None
        return self._level


def _structured(line: str, found: Mapping[str, Any]) -> Said:
    """A line that is a JSON object."""
    level_key = next((key for key in _LEVEL_KEYS if key in found), None)
    time_key = next((key for key in _TIME_KEYS if key in found), None)
    text_key = next((key for key in _TEXT_KEYS if isinstance(found.get(key), str)), None)
    at_us, local = _told_time(found[time_key]) if time_key else (None, False)
    taken = {level_key, text_key} | ({time_key} if at_us is not None else set())
    return Said(
        str(found[text_key]) if text_key else line,
        _told_level(found[level_key]) if level_key else None,
        at_us,
        local,
        {key: value for key, value in found.items() if key not in taken},
    )


def _told_level(value: Any) -> str | None:
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    if isinstance(value, int) and not isinstance(value, bool):
        return _NUMBERS.get(value)
    return None


def _level(head: str) -> str | None:
    glog = _GLOG.match(head)
    if glog:
        return _GLOG_LEVELS[glog[1]]
    found = _LEVEL.search(head)
    return _WORDS[next(filter(None, found.groups())).lower()] if found else None


def _told_time(value: Any) -> tuple[int | None, bool]:
    """A time as a field has it: ISO 8601, or seconds, ms, µs or ns since 1970."""
    if isinstance(value, str):
        return _time(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, False
    for unit in (1_000_000, 1_000, 1):
        if _NEVER <= value * unit < _EVER:
            return int(value * unit), False
    return (int(value // 1000), False) if _NEVER <= value / 1000 < _EVER else (None, False)


def _time(head: str) -> tuple[int | None, bool]:
    """The time that a line begins with."""
    found = _TIME.match(head)
    if found is None:
        return None, False
    day, clock, fraction, zone = found.groups()
    try:
        at = datetime.fromisoformat(f"{day.replace('/', '-')}T{clock}{'+00:00' if zone == 'Z' else zone or ''}")
        seconds = int(at.timestamp())
    except (ValueError, OverflowError, OSError):
        return None, False
    at_us = seconds * 1_000_000 + int(((fraction or "") + "000000")[:6])
    return (at_us, zone is None) if _NEVER <= at_us < _EVER else (None, False)
