"""Bytes from one name to another at the least cost: a shared extent, a second name, else a copy."""

import errno
import fcntl
import os
import shutil
from pathlib import Path

_FICLONE = 0x40049409  # linux/fs.h
_CANNOT = {
    errno.EXDEV,
    errno.EPERM,
    errno.EOPNOTSUPP,
    errno.EINVAL,
    errno.ENOTTY,
    errno.EMLINK,
    errno.ENOSYS,
    errno.EACCES,
}


def take(source: Path, target: Path, *, move: bool) -> None:
    """Make `target` hold what `source` holds, on its own; with `move` the source is gone afterwards."""
    if move:
        try:
            os.rename(source, target)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
    if not _clone(source, target):
        shutil.copyfile(source, target, follow_symlinks=False)
    if move:
        os.unlink(source)


def give(source: Path, target: Path, mode: int) -> None:
    """Make `target` hold what the read-only file `source` holds.

    A clone, else a second name if the modes agree, else a copy.
    """
    if not _clone(source, target):
        if mode == 0o444 and _link(source, target):
            return
        shutil.copyfile(source, target)
    os.chmod(target, mode)


def _clone(source: Path, target: Path) -> bool:
    """Share the extents (btrfs, XFS); False: this file system cannot, and there is no target."""
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.ioctl(copy, _FICLONE, descriptor)
        except OSError as error:
            os.unlink(target)
            if error.errno not in _CANNOT:
                raise
            return False
        finally:
            os.close(copy)
    finally:
        os.close(descriptor)
    return True


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        return False
    return True
