"""Results of other libraries: any object that says whether it is a success."""

from __future__ import annotations

from typing import Any, Optional

from ciranda.runtime import codecs
from ciranda.runtime.found import Found, short

SHOWN = 3  # failed parts that are named
_WORDS = ("message", "reason", "error", "description", "msg")


def judge(result: Any) -> Found:
    """What an object with `.success` says; anything but true or false there could not be judged."""
    success = result.success
    if getattr(success, "shape", None) == () and hasattr(success, "item"):
        success = success.item()
    if not isinstance(success, bool):
        said = "a method" if callable(success) else f"{success!r}"
        return Found(None, short(f"returned {codecs.article(result)} whose success is {said}, not true or false"))
    return Found(True) if success else Found(False, short(told(result)))


def told(result: Any) -> str:
    """What a failed result says of itself, in one line: its failed parts, its message, or its text."""
    failed = [part for part in _parts(result) if getattr(part, "success", None) is False]
    if failed:
        more = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        return "; ".join(_part(part) for part in failed[:SHOWN]) + more
    said = _said(result)
    if said is not None:
        return said
    text = " ".join(str(result).split())
    return f"{type(result).__name__} is no success" if text.startswith("<") and " at 0x" in text else text


def _parts(result: Any) -> list[Any]:
    """The results that a result is made of: a list of them, or a mapping (Great Expectations has both)."""
    for name in ("results", "run_results"):
        inner = getattr(result, name, None)
        if isinstance(inner, dict):
            inner = list(inner.values())
        if isinstance(inner, (list, tuple)) and inner:
            return [each for part in inner for each in (_parts(part) or [part])]
    return []


def _part(part: Any) -> str:
    """`expect_column_values_to_not_be_null(origin): 12 unexpected`."""
    config = getattr(part, "expectation_config", None)
    name = _first(config, "type", "expectation_type") or _first(part, "name", "check", "rule") or _said(part)
    if name is None:
        text = " ".join(str(part).split())
        return f"{type(part).__name__}" if text.startswith("<") else text
    arguments = getattr(config, "kwargs", None)
    column = arguments.get("column") if isinstance(arguments, dict) else None
    details = getattr(part, "result", None)
    number = details.get("unexpected_count") if isinstance(details, dict) else None
    counted = f": {number:,} unexpected" if isinstance(number, int) else ""
    return f"{name}({column}){counted}" if isinstance(column, str) else f"{name}{counted}"


def _said(result: Any) -> Optional[str]:
    return _first(result, *_WORDS)


def _first(value: Any, *names: str) -> Optional[str]:
    for name in names:
        said = getattr(value, name, None)
        if isinstance(said, str) and said.strip():
            return " ".join(said.split())
    return None
