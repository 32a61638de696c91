"""Pack files: many small objects in one file, appended a batch at a time.

    pack   = "ciranda.pack/1\\n" frame*
    frame  = "CRF1" count:u32 size:u64 check:16 table data        little-endian; check = BLAKE3 of table + data, cut
    table  = (digest:32 length:u32 kind:u8) * count               kind 0: an object, 1: a folder's listing
    data   = the objects one after another, `size` bytes

A pack has one writer at a time, which holds an exclusive flock on it and makes a frame durable before it appends the
next: every frame but the last is durable. A last frame that a crash tore is ignored, and nobody appends to that pack any
more; nothing is ever cut off that anybody may have read.
"""

import fcntl
import os
import struct
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import blake3

from ciranda.kernel import clock, files
from ciranda.kernel.failpoints import failpoint

MAGIC = b"ciranda.pack/1\n"
_LARGEST = 256 << 20  # bytes; a larger pack is not appended to any more
_HEAD = struct.Struct("<4sIQ16s")
_ENTRY = struct.Struct("<32sIB")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one object lies."""

    path: Path
    offset: int
    length: int
    folder: bool


def spot(offset: int, length: int, kind: int) -> int:
    """A place within a pack as one number: a store remembers one for each small object, and learns all when it opens."""
    return offset << 33 | length << 1 | kind


def place(path: Path, number: int) -> Place:
    """The place that a number stands for."""
    return Place(path, number >> 33, number >> 1 & 0xFFFF_FFFF, bool(number & 1))


@dataclass(frozen=True, slots=True)
class Item:
    """One object on its way into a pack."""

    digest: bytes  # raw
    data: bytes
    folder: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found in a pack."""

    digests: list[bytes]
    spots: list[int]
    settled: int  # where the last frame begins: what lies before it is durable
    end: int  # where the whole frames end


def read(path: Path, start: int) -> Contents:
    """The objects of the whole frames from `start` on: 0, or the `end` of an earlier call."""
    digests: list[bytes] = []
    spots: list[int] = []
    settled = start
    with open(path, "rb", buffering=0) as file:
        descriptor = file.fileno()
        size = os.fstat(descriptor).st_size
        if start == 0:
            if os.pread(descriptor, len(MAGIC), 0) != MAGIC:
                return Contents([], [], 0, 0)
            settled = start = len(MAGIC)
        frame = _frame(descriptor, start, size)
        while frame:
            count, length, check = frame
            table = os.pread(descriptor, count * _ENTRY.size, start + _HEAD.size)
            offset = start + _HEAD.size + len(table)
            end = offset + length
            frame = _frame(descriptor, end, size)
            if frame is None and _check(table, os.pread(descriptor, length, offset)) != check:
                break
            for digest, extent, kind in _ENTRY.iter_unpack(table):
                digests.append(digest)
                spots.append(offset << 33 | extent << 1 | kind)  # `spot`, without a call for each of very many
                offset += extent
            settled, start = start, end
    return Contents(digests, spots, settled, start)


def _frame(descriptor: int, start: int, size: int) -> tuple[int, int, bytes] | None:
    """The header of the frame at `start`; None: there is no whole one."""
    head = os.pread(descriptor, _HEAD.size, start)
    if len(head) < _HEAD.size:
        return None
    magic, count, length, check = _HEAD.unpack(head)
    if magic != b"CRF1" or start + _HEAD.size + count * _ENTRY.size + length > size:
        return None
    return count, length, check


def _check(table: bytes, data: bytes) -> bytes:
    return blake3.blake3(table + data).digest(16)


class Appender:
    """The writing end of one pack, for one thread at a time; the lock on the pack lasts as long as this object."""

    def __init__(self, path: Path, descriptor: int, end: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._end = end
        self.close = weakref.finalize(self, os.close, descriptor)

    @property
    def is_full(self) -> bool:
        return self._end >= _LARGEST

    @property
    def end(self) -> int:
        """Where the last durable frame ends."""
        return self._end

    def append(self, items: Sequence[Item]) -> list[int]:
        """Add one frame durably and return the spots of its objects. After an error this object must not be used again."""
        table = b"".join(_ENTRY.pack(item.digest, len(item.data), item.folder) for item in items)
        data = b"".join(item.data for item in items)
        frame = _HEAD.pack(b"CRF1", len(items), len(data), _check(table, data)) + table + data
        try:
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            files.write_all(self._descriptor, frame)
        except OSError:
            os.ftruncate(self._descriptor, self._end)  # nobody has read it: it is not whole
            raise
        failpoint("store.pack.appended")
        os.fdatasync(self._descriptor)
        failpoint("store.pack.synced")
        offsets = accumulate((len(item.data) for item in items), initial=self._end + len(frame) - len(data))
        self._end += len(frame)
        return [spot(offset, len(item.data), item.folder) for item, offset in zip(items, offsets, strict=False)]


def appender(folder: Path) -> Appender:
    """Take a pack that is whole, not full and that nobody writes to; if there is none, make one."""
    for path in sorted(folder.glob("*.pack")):
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        end = read(path, 0).end
        if end == os.fstat(descriptor).st_size and 0 < end < _LARGEST:
            os.fdatasync(descriptor)  # whoever wrote the last frame may have died before it was durable
            return Appender(path, descriptor, end)
        os.close(descriptor)
    return fresh(folder)


def fresh(folder: Path) -> Appender:
    """Make a pack of our own. Raises OSError."""
    path = folder / f"{clock.uuid7()}.pack"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        files.write_all(descriptor, MAGIC)
        os.fdatasync(descriptor)
        failpoint("store.pack.created")
        files.sync_folder(folder)
    except OSError:
        os.unlink(path)
        os.close(descriptor)
        raise
    return Appender(path, descriptor, len(MAGIC))
