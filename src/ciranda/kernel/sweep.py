"""What a store holds, listed and taken away. Whoever takes away is alone with the store (`Store.alone`)."""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ciranda.kernel import files, pack

PREFIX = "b3:"
_HALF = 2  # a pack of which less than one in so many bytes is kept is written anew


@dataclass(frozen=True, slots=True)
class Found:
    """One object: its size in bytes and when it, or the pack that it lies in, was last written (seconds since 1970)."""

    digest: str
    size: int
    at: float
    packed: bool


@dataclass(frozen=True, slots=True)
class Freed:
    """What was taken away."""

    objects: int = 0
    size: int = 0  # bytes


def listed(root: Path) -> Iterator[Found]:
    """Every object of a store; one that lies in two packs comes twice."""
    for path in (root / "objects").glob("[0-9a-f][0-9a-f]/*"):
        status = path.stat()
        yield Found(f"{PREFIX}{path.parent.name}{path.name}", status.st_size, status.st_mtime, False)
    for path in (root / "packs").glob("*.pack"):
        at = path.stat().st_mtime
        contents = pack.read(path, 0)
        for raw, spot in zip(contents.digests, contents.spots, strict=True):
            yield Found(PREFIX + raw.hex(), pack.place(path, spot).length, at, True)


def remove(root: Path, gone: Collection[str]) -> Freed:
    """Take objects away. A pack goes as a whole once nothing of it is left, and is written anew once most of it is dead.

    A pack that a process still writes to is left as it is, for another time. Safe to be killed in. Raises errors.StorageFull.
    """
    objects = size = 0
    for digest in gone:
        path = root / "objects" / digest[3:5] / digest[5:]
        try:
            length = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            continue
        objects, size = objects + 1, size + length
    dead = {bytes.fromhex(digest[3:]) for digest in gone}
    for path in sorted((root / "packs").glob("*.pack")):
        freed = _pack(path, dead)
        objects, size = objects + freed.objects, size + freed.size
    return Freed(objects, size)


def _pack(path: Path, dead: Collection[bytes]) -> Freed:
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return Freed()
        contents = pack.read(path, 0)
        places = [pack.place(path, spot) for spot in contents.spots]
        pairs = list(zip(contents.digests, places, strict=True))
        going = [place for raw, place in pairs if raw in dead]
        staying = [(raw, place) for raw, place in pairs if raw not in dead]
        before = path.stat().st_size
        kept = sum(place.length for _, place in staying)
        if not going or (staying and kept * _HALF >= before):
            return Freed()
        after = 0
        if staying:
            items = [
                pack.Item(raw, os.pread(file.fileno(), place.length, place.offset), place.folder)
                for raw, place in staying
            ]
            with files.room(path.parent), closing(pack.fresh(path.parent)) as appender:
                appender.append(items)
                after = appender.end
        path.unlink()
        files.sync_folder(path.parent)
    return Freed(len(going), before - after)
