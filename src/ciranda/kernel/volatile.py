"""Files that must not reach a disk: a private folder on a file system in memory, where there is one. Standard library only."""

import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from ciranda.kernel import files, sockets

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def place(root: Path, name: str) -> Path:
    """Where such files of what lives at `root` lie: in memory, else in its own `state/`; nothing is made."""
    for base in (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm"):
        if base and os.access(base, os.W_OK | os.X_OK) and file_system(base) in _IN_MEMORY:
            return sockets.within(Path(base), root) / name
    return root / "state" / name


def keep(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files that only their owner may read (0400) into a new private folder, all of them or none.

    Raises errors.Refused for a folder that belongs to somebody else, errors.StorageFull.
    """
    if folder.parent.parent.name != "state":
        with files.room(folder.parent.parent.parent.parent):
            sockets.private(folder.parent.parent)
    with files.room(folder.parent.parent):
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700)
        try:
            for name, content in contents.items():
                descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
                try:
                    files.write_all(descriptor, content)
                finally:
                    os.close(descriptor)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def sweep(folder: Path, wanted: Iterable[str]) -> None:
    """Remove every folder in it that is not wanted, and itself when nothing is left."""
    wanted = set(wanted)
    with suppress(FileNotFoundError):
        for found in list(folder.iterdir()):
            if found.name not in wanted:
                shutil.rmtree(found, ignore_errors=True)
    for path in (folder, folder.parent) if folder.parent.name != "state" else (folder,):
        with suppress(OSError):
            path.rmdir()


def file_system(path: str | Path) -> str:
    """The type of file system that a path lies on, as Linux calls it (`ext4`, `tmpfs`, `nfs4`); empty where that cannot be told."""
    real, mounts = os.path.realpath(path), _mounts()
    over = max((point for point in mounts if os.path.commonpath([point, real]) == point), key=len, default="/")
    return mounts.get(over, "")


def _mounts() -> dict[str, str]:
    """What is mounted: point → type of file system; of several at one point the last."""
    found = {}
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, point, kind, *_ = line.split(" ")
            found[point.replace("\\040", " ")] = kind
    return found
