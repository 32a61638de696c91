"""When a log had which size: written beside it by who looks at it by the clock, so that lines without a time have one.

`INSTANCE.times`: records of 16 bytes, little-endian: size (bytes), time (µs UTC), both growing. A line that ends at an offset was
written after the last record that lies before its end and not after the first that does not. Standard library only.
"""

import os
import struct
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ciranda.kernel import files

SUFFIX = ".times"
MOST = 1 << 16  # records: beyond them every second one of the older half is given up
_RECORD = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class Times:
    """The records of one log; `last_us` is when it was last written to."""

    sizes: Sequence[int] = ()
    at: Sequence[int] = ()
    last_us: int = 0

    def span(self, end: int) -> tuple[int | None, int]:
        """Between which times (µs) the byte before `end` was written; None: nobody looked before that."""
        place = bisect_left(self.sizes, end)
        after = self.at[place - 1] if place else None
        before = self.at[place] if place < len(self.at) else max(self.last_us, after or 0)
        return after, before

    def offset(self, since_us: int) -> int:
        """Where the first byte may lie that was written at or after a time."""
        place = bisect_left(self.at, since_us)
        return self.sizes[place - 1] if place else 0


def beside(log: Path) -> Path:
    """Where the times of a log lie."""
    return log.with_suffix(SUFFIX)


def load(log: Path) -> Times:
    """The times of a log; none when nobody wrote any."""
    data = b""
    with suppress(FileNotFoundError):
        data = beside(log).read_bytes()
    sizes: list[int] = []
    at: list[int] = []
    for size, at_us in _RECORD.iter_unpack(data[: len(data) - len(data) % _RECORD.size]):
        if not at or (size >= sizes[-1] and at_us >= at[-1]):
            sizes.append(size)
            at.append(at_us)
    try:
        last_us = log.stat().st_mtime_ns // 1000
    except FileNotFoundError:
        last_us = 0
    return Times(sizes, at, last_us)


def note(log: Path, size: int, now_us: int) -> None:
    """Record that a log has a size now; one writer at a time. Without room on the disk times are only coarser."""
    with suppress(OSError):
        descriptor = os.open(beside(log), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            whole = os.fstat(descriptor).st_size
            whole -= whole % _RECORD.size  # a torn record is written over
            if whole:
                before, at_us = _RECORD.unpack(os.pread(descriptor, _RECORD.size, whole - _RECORD.size))
                if size < before:
                    whole = 0  # the log was begun again: what was known of it is of another one
                    os.ftruncate(descriptor, 0)
                elif size == before or now_us <= at_us:
                    return
            os.pwrite(descriptor, _RECORD.pack(size, now_us), whole)
        finally:
            os.close(descriptor)


def thin(log: Path, begin: int) -> None:
    """Give up the records of what is gone (before `begin`), and every second old one of too many. Raises errors.StorageFull."""
    found = load(log)
    place = max(bisect_left(found.sizes, begin + 1) - 1, 0)
    kept = list(zip(found.sizes[place:], found.at[place:], strict=True))
    if len(kept) > MOST:
        half = len(kept) // 2
        kept = [*kept[:half:2], *kept[half:]]
    if len(kept) < len(found.sizes):
        files.write_atomic(beside(log), b"".join(_RECORD.pack(*record) for record in kept), mode=0o640)
