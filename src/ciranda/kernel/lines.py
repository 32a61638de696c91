"""Append-only files of JSON lines that people follow while they are written. Any process may append to one."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ciranda.kernel.failpoints import failpoint
from ciranda.kernel.files import room, write_all

_LOOK = 0.05  # seconds between looks at a file that has nothing new


class Lines:
    """The writing end of a file of lines: one write a record, with O_APPEND."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; a line that an earlier writer left torn is closed first. Raises errors.StorageFull."""
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"
        with room(self.path.parent):
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                size = os.fstat(descriptor).st_size
                torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
                write_all(descriptor, b"\n" + line if torn else line)
                failpoint("lines.appended")
            finally:
                os.close(descriptor)


def follow(
    path: Path, *, offset: int = 0, stop: Callable[[], bool], wait: Callable[[float], object]
) -> Iterator[dict[str, Any]]:
    """Yield the records from `offset` (bytes) on, as they come; torn lines are skipped, the file need not exist yet.

    Whenever there is nothing new, `stop()` is asked whether to end, and else `wait(seconds)` is called. What was
    written before `stop` said yes is still yielded.
    """
    stopped = False
    rest = b""
    while True:
        chunk = _read(path, offset)
        offset += len(chunk)
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            record = _record(line)
            if record is not None:
                yield record
        if chunk:
            continue
        if stopped:
            return
        stopped = stop()
        if not stopped:
            wait(_LOOK)


def _read(path: Path, offset: int) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            return file.read(1 << 20)
    except FileNotFoundError:
        return b""


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
