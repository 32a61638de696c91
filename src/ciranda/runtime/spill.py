"""A file that stays in memory while it is small."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Optional

SMALL = 64 * 1024  # bytes up to which a value is kept in memory rather than written


class Spill(io.RawIOBase):
    """A file in memory that moves to a path once it is no longer small."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._memory = bytearray()
        self._file: Optional[io.BufferedWriter] = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if self._file is None and len(self._memory) + size > SMALL:
            self._file = self._path.open("wb")
            self._file.write(self._memory)
        if self._file is None:
            self._memory += data
        else:
            self._file.write(data)
        return size

    def finish(self) -> Optional[bytes]:
        """The bytes, or None where they are in the file."""
        if self._file is None:
            return bytes(self._memory)
        self._file.close()
        return None
