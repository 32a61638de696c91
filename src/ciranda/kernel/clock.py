"""Time in microseconds, and identities that sort by the time they were made."""

import os
import time


def now_us() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def uuid7() -> str:
    """A UUID of version 7 (RFC 9562 §5.7).

    The twelve bits after the version count 1/4096 ms (§6.2, method 3), so that identities sort as they were made.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    noise = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (rest * 4096 // 1_000_000) << 64 | 0b10 << 62 | noise
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
