"""What decisions and views share: times in µs, and how much stays warm."""

import time

SECOND = 1_000_000
STANDBY_US = 600 * SECOND  # what leaves stays warm so long after its successor is live
MEMORY_US = 600 * SECOND  # crashes older than this no longer slow a restart
STANDBYS = 2  # releases that stay warm beside the live one: a day of pushes must not fill the memory
WAYS = 2  # in which one release stays warm: with its configuration and secrets of now, and of before


def said(us: int) -> str:
    """A moment as people read it, wherever they are: `2026-11-23 05:00 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(us / SECOND))
