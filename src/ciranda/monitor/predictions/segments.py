"""The files that model servers leave: which are complete, and what they hold. Whatever lies there was written by a project's own code.

The format is that of `runtime/spool.py`; a file that can be locked is complete, or whoever wrote it is dead.
"""

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.runtime import spool

LARGEST = 32 << 20  # bytes of a segment that are read
STALE = 3600.0  # seconds after which a file that was never given its name is swept
_NAME = re.compile(r"[0-9]{16}-[0-9a-f]{32}\.seg\Z")
_HIDDEN = re.compile(r"\.[0-9a-f-]{32,60}\Z")
_RELEASE = re.compile(r"r[1-9][0-9]{0,9}\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """Whose predictions they are."""

    project: str
    environment: str
    service: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One complete file: its name, the release that wrote it, and its records."""

    name: str
    release: str
    records: tuple[Any, ...]


def places(root: Path) -> list[tuple[Place, Path]]:
    """The folders of services below `root`."""
    found = []
    for project in _folders(root):
        for environment in _folders(project):
            for service in _folders(environment):
                found.append((Place(project.name, environment.name, service.name), service))
    return found


def names(folder: Path) -> list[str]:
    """The segments of a folder, the oldest first."""
    with suppress(FileNotFoundError):
        found = [one for one in os.scandir(folder) if _NAME.match(one.name) and not one.is_dir(follow_symlinks=False)]
        return sorted(one.name for one in found)
    return []


def read(folder: Path, name: str) -> Segment | None:
    """A complete segment; None while it is being written. What is no segment has no records."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Segment(name, "", ())  # a link, perhaps: nothing that a model server wrote
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Segment(name, "", ())
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        records = spool.frames(file.read(LARGEST))
    release = ""
    if records and isinstance(records[0], list) and len(records[0]) == 2 and records[0][0] == spool.BEGIN:
        head = records[0][1]
        told = head.get("release") if isinstance(head, dict) and head.get("format") == spool.FORMAT else None
        release = told if isinstance(told, str) and _RELEASE.match(told) else ""
    return Segment(name, release, tuple(records[1:]) if release else ())


def remove(folder: Path, name: str) -> None:
    """Take a segment away, whatever it is."""
    with suppress(FileNotFoundError, IsADirectoryError):
        os.unlink(folder / name)


def sweep(folder: Path, now: float) -> None:
    """Take away what was begun and never given its name, an hour ago."""
    for entry in os.scandir(folder):
        with suppress(OSError):
            if _HIDDEN.match(entry.name) and entry.stat(follow_symlinks=False).st_mtime < now - STALE:
                os.unlink(entry)


def _folders(root: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        for entry in sorted(os.scandir(root), key=lambda one: one.name):
            if entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)
