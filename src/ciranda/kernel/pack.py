"""Pack files: many small objects in one file, appended a batch at a time.

    pack   = "ciranda.pack/1\\n" frame*
    frame  = "CRF1" count:u32 size:u64 check:16 table data        little-endian; check = BLAKE3 of table + data, cut
    table  = (digest:32 length:u32 kind:u8) * count               kind 0: an object, 1: a folder's listing
    data   = the objects one after another, `size` bytes

A pack has one writer at a time, which holds an exclusive flock on it and makes a frame durable before it appends the
next. So only the last frame can be torn by a crash: readers check it and ignore what is not whole, the next writer
cuts it off.
"""

import fcntl
import os
import struct
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Item:
    """One object on its way into a pack."""

    digest: bytes  # raw
    data: bytes
    folder: bool


def read(path: Path, start: int) -> tuple[list[tuple[bytes, Place]], int]:
    """The objects of the whole frames from `start` (0, or where an earlier call ended), and where those frames end."""
    found: list[tuple[bytes, Place]] = []
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if start == 0:
            if file.read(len(MAGIC)) != MAGIC:
                return [], 0
            start = len(MAGIC)
        while frame := _frame(file.fileno(), start, size):
            count, length, check = frame
            table = os.pread(file.fileno(), count * _ENTRY.size, start + _HEAD.size)
            data = start + _HEAD.size + len(table)
            end = data + length
            if end == size and _check(table, os.pread(file.fileno(), length, data)) != check:
                break
            for digest, extent, kind in _ENTRY.iter_unpack(table):
                found.append((digest, Place(path, data, extent, kind == 1)))
                data += extent
            start = end
    return found, start


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
        weakref.finalize(self, os.close, descriptor)

    @property
    def is_full(self) -> bool:
        return self._end >= _LARGEST

    @property
    def end(self) -> int:
        """Where the last durable frame ends."""
        return self._end

    def append(self, items: Sequence[Item]) -> list[tuple[bytes, Place]]:
        """Add one frame durably and return where its objects lie. If that fails, nothing of it stays."""
        table = b"".join(_ENTRY.pack(item.digest, len(item.data), item.folder) for item in items)
        data = b"".join(item.data for item in items)
        frame = _HEAD.pack(b"CRF1", len(items), len(data), _check(table, data)) + table + data
        try:
            os.lseek(self._descriptor, self._end, os.SEEK_SET)
            files.write_all(self._descriptor, frame)
            failpoint("store.pack.appended")
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self._end)
            raise
        failpoint("store.pack.synced")
        places = list(_lay(self.path, items, self._end + len(frame) - len(data)))
        self._end += len(frame)
        return places


def _lay(path: Path, items: Sequence[Item], offset: int) -> Iterator[tuple[bytes, Place]]:
    for item in items:
        yield item.digest, Place(path, offset, len(item.data), item.folder)
        offset += len(item.data)


def appender(folder: Path) -> Appender:
    """Take a pack that nobody writes to and that is not full, cutting off a torn frame; if there is none, make one."""
    for path in sorted(folder.glob("*.pack")):
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        _, end = read(path, 0)
        if 0 < end < _LARGEST:
            os.ftruncate(descriptor, end)
            os.fdatasync(descriptor)  # the last frame may be one whose writer died before it was durable
            return Appender(path, descriptor, end)
        os.close(descriptor)
    return _new(folder)


def _new(folder: Path) -> Appender:
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
