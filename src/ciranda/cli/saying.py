"""What `notify`, `incident`, `item` and `delivery` share: lines, JSON, numbers and moments."""

import json
import sys
from typing import Any

from ciranda.feedback import review
from ciranda.kernel import clock, errors


def lines(*texts: str) -> None:
    """Lines on the standard output."""
    sys.stdout.write("".join(f"{text.rstrip()}\n" for text in texts))


def facts(told: dict[str, Any]) -> None:
    """The same as JSON."""
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")


def when(us: int) -> str:
    """`2026-11-23 05:00 UTC`."""
    return f"{review.clock(us)[:16]} UTC"


def ago(us: int) -> str:
    """`7 min`: how long it is since."""
    return review.lasted(clock.now_us() - us)


def number(text: str, kind: str) -> int:
    """The number of an item or an incident, given as `7` or `item/7`. Raises errors.Usage."""
    plain = text.removeprefix(f"{kind}/")
    if not (plain.isascii() and plain.isdecimal() and len(plain) <= 9):
        raise errors.Usage(f"{text}: an {kind} is known by its number", hint=f"ciranda {kind} list")
    return int(plain)
