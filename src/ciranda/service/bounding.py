"""The size of a log that its writer holds open: the oldest bytes go, and whoever writes notices nothing.

A hole is punched into the beginning of the file (fallocate(2), FALLOC_FL_PUNCH_HOLE): the disk gets its room back, the file keeps its
length, and every byte its offset. So nothing has to be renamed, opened again or copied: no line can be lost between two steps, there
being one step alone, and offsets that somebody remembers stay true. ext4, xfs, btrfs, tmpfs and NFS 4.2 know it. Standard library only.
"""

import ctypes
import errno
import os
from pathlib import Path

_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_BLOCK = 4096
_SLACK = 8  # a log may have an eighth more than it should before it is bounded: it is not done for every line


class Unsupported(Exception):
    """The file system cannot make holes."""


def due(size: os.stat_result, most: int) -> bool:
    """Whether a log takes more of the disk than `most` bytes and a little."""
    return size.st_blocks * 512 > most + most // _SLACK


def bound(log: Path, most: int) -> int:
    """Give back the room of all but the last `most` bytes; returns where the rest begins. Raises Unsupported, OSError."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CLOEXEC)
    try:
        end = max(os.fstat(descriptor).st_size - most, 0) // _BLOCK * _BLOCK
        if end:
            _punch(descriptor, end)
        return end
    finally:
        os.close(descriptor)


def begin(descriptor: int) -> int:
    """Where what is left of an open log begins: after the hole. A line may begin before it."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole, or nothing at all
            return os.fstat(descriptor).st_size
        return 0


def _punch(descriptor: int, length: int) -> None:
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong]
    while fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, 0, length):
        code = ctypes.get_errno()
        if code in (errno.EOPNOTSUPP, errno.ENOSYS):
            raise Unsupported
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))
