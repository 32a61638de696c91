"""Files that are either the old ones or the new ones, never something between."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ciranda.kernel import errors
from ciranda.kernel.failpoints import failpoint

_NO_ROOM = {
    errno.ENOSPC: "there is no room left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk can only be read",
}


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file whole and durably: temporary name, fsync, rename, fsync of the folder.

    Raises errors.StorageFull; the file is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    with room(path.parent):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                write_all(descriptor, data)
                os.fchmod(descriptor, mode)
                failpoint("files.written")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            failpoint("files.synced")
            os.rename(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        failpoint("files.renamed")
        sync_folder(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however many calls it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """Turn "no space", "over quota" and "read-only" into errors.StorageFull that names the folder."""
    try:
        yield
    except OSError as error:
        said = no_room(error)
        if said is None:
            raise
        raise full(folder, said) from error


def no_room(error: OSError) -> str | None:
    """What an error of the operating system says about room on the disk; None: it is about something else."""
    return _NO_ROOM.get(error.errno or 0)


def full(folder: Path, said: str = _NO_ROOM[errno.ENOSPC]) -> errors.StorageFull:
    """The error for a folder that cannot take more."""
    return errors.StorageFull(said, where=str(folder), hint=f"make room and do it again; what is there: df -h {folder}")
