"""Moments as people name them: `15m`, `1h`, `2d` ago, `05:00`, `2026-11-23`, `2026-11-23T05:00Z`."""

import re
from datetime import datetime, timedelta, tzinfo

from ciranda.kernel import errors

_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s?(s|m|min|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")


def since(text: str, now_us: int, option: str = "--since", zone: tzinfo | None = None) -> int:
    """The moment (µs UTC) that a text names; where it names no zone it is of this one (None: the machine's). Raises errors.Usage."""
    said = text.strip()
    ago = _AGO.fullmatch(said)
    if ago:
        return max(now_us - int(float(ago[1]) * _SECONDS[ago[2]] * 1e6), 0)
    try:
        clock = _CLOCK.fullmatch(said)
        if clock:
            now = datetime.fromtimestamp(now_us / 1e6, zone)
            at = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=int(clock[3] or 0), microsecond=0)
            at = at - timedelta(days=1) if at > now else at  # 23:00 asked for at noon is last night's
        else:
            at = datetime.fromisoformat(said)
            at = at if at.tzinfo else at.replace(tzinfo=zone)
        return max(int(at.timestamp() * 1e6), 0)
    except (ValueError, OverflowError, OSError):
        raise errors.Usage(
            f"{option} {text}: this names no moment",
            hint=f"ago: {option} 90s, 15m, 1h, 2d      at: {option} 05:00, 2026-11-23, 2026-11-23T05:00Z",
        ) from None


def shown(at_us: int, now_us: int) -> str:
    """A moment as this machine's clock has it: the time, before today with its day."""
    at, now = datetime.fromtimestamp(at_us / 1e6), datetime.fromtimestamp(now_us / 1e6)
    return at.strftime("%H:%M:%S" if at.date() == now.date() else "%Y-%m-%d %H:%M:%S")
