"""What user code writes to its standard output and error, captured below Python: C libraries and child processes too.

Both descriptors lead to files in memory, not to pipes: C code that holds the interpreter's lock while it writes could
never fill one up and wait for a reader that needs that lock.
"""

from __future__ import annotations

import codecs
import ctypes
import fcntl
import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, Callable

PIECE = 1 << 16  # bytes read at once, and told in one piece
KEPT = 8 * 1024 * 1024  # bytes that were read and may stay in memory before they are given back
PUNCH = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
EVERY = 0.1  # seconds between two looks while a step runs


def by_line() -> None:
    """What is printed reaches a file line by line: somebody may follow it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


class Stream:
    """One captured descriptor: what was written to it, read piece by piece."""

    def __init__(self, descriptor: int) -> None:
        self.file = _memory()
        self._offset = 0
        self._freed = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        os.dup2(self.file, descriptor)

    def read(self, *, final: bool) -> Iterator[str]:
        """The text since the last look, in pieces; `final` also gives back a character that is cut in half."""
        while data := os.pread(self.file, PIECE, self._offset):
            self._offset += len(data)
            yield self._decoder.decode(data)
            if self._offset - self._freed > KEPT:
                _punch(self.file, self._freed, self._offset - self._freed)
                self._freed = self._offset
        if final:
            rest = self._decoder.decode(b"", True)
            self._decoder.reset()
            if rest:
                yield rest


class Capture:
    """Sends what is written to descriptors 1 and 2 to `emit(stream, text)`, while it is written and at `flush`."""

    def __init__(self, emit: Callable[[str, str], None], tick: Callable[[], None]) -> None:
        self._emit = emit
        self._tick = tick
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._flush_c = ctypes.CDLL(None).fflush
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._streams = (("stdout", Stream(1)), ("stderr", Stream(2)))
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        threading.Thread(target=self._watch, name="ciranda-output", daemon=True).start()

    def flush(self) -> None:
        """Everything written so far is emitted when this returns."""
        for stream in (sys.stdout, sys.stderr):
            _flush(stream)
        self._flush_c(None)
        self._look(final=True)

    def stop(self) -> None:
        """Emit the rest and stop watching."""
        self._stopped.set()
        self.flush()

    def _watch(self) -> None:
        while not self._stopped.wait(EVERY):
            self._tick()
            self._look(final=False)

    def _look(self, *, final: bool) -> None:
        with self._lock:
            for name, stream in self._streams:
                for text in stream.read(final=final):
                    self._emit(name, text)


def _flush(stream: Any) -> None:
    try:
        stream.flush()
    except (AttributeError, OSError, ValueError):
        return  # user code replaced or closed it; there is nothing left to flush


def _memory() -> int:
    """A file without a name that everyone who holds it writes at its end."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("ciranda-output")
    else:
        descriptor, name = tempfile.mkstemp()
        os.unlink(name)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
    return descriptor


def _punch(descriptor: int, offset: int, length: int) -> None:
    """Give back the memory of what was read; where the system cannot, it stays until the worker ends."""
    if sys.platform == "linux":
        punch = ctypes.CDLL(None).fallocate
        punch.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        punch(descriptor, PUNCH, offset, length)
