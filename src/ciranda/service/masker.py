"""The masker of one instance: reads what the instance writes, and appends it to its log with the secrets masked.

`python -I -m ciranda.service.masker FOLDER [again]`: FOLDER has the instance's secrets, standard input is the pipe that it
writes to, standard output its log. `again`: an earlier masker died, perhaps within a value, so what comes first is dropped.
It ends with the pipe; on SIGTERM it takes what is there. Where the secrets cannot be read nothing is written at all.
Standard library only.
"""

import os
import select
import signal
import sys
from pathlib import Path

from ciranda.service import masking

_BLOCK = 1 << 16
_LOST = b"[output was lost here: what masks it was started again]\n"
_FULL = b"[output was lost here: there was no room for it]\n"
_CLOSED = b"[output is withheld: the secrets that would be masked in it cannot be read]\n"


class _Leave(Exception):
    """SIGTERM."""


def main(arguments: list[str]) -> int:
    """Mask until the end of the input."""
    log = Log()
    try:
        values = [path.read_bytes() for path in sorted(Path(arguments[0]).iterdir())]
    except OSError:
        values = []
    if not values:
        log.write(_CLOSED)
        while os.read(0, _BLOCK):
            pass
        return 0
    masker = masking.Masker(values)
    drop = masker.longest if "again" in arguments[1:] else 0
    if drop:
        log.write(_LOST)
    signal.signal(signal.SIGTERM, _leave)
    leaving = False
    while True:
        try:
            if leaving and not select.select([0], [], [], 0)[0]:
                break
            data = os.read(0, _BLOCK)
            if not data:
                break
            data, drop = dropped(data, drop)
            log.write(masker.feed(data))
        except _Leave:
            leaving = True
    log.write(masker.end())
    return 0


def dropped(data: bytes, drop: int) -> tuple[bytes, int]:
    """What is left of the first bytes when up to `drop` are taken away, or up to the end of the line; what is still to drop."""
    if not drop:
        return data, 0
    line = data.find(b"\n", 0, drop) + 1
    if line:
        return data[line:], 0
    return data[drop:], max(drop - len(data), 0)


class Log:
    """Standard output. What finds no room is lost, and said to be: an instance must not wait for a disk."""

    def __init__(self) -> None:
        self._lost = False

    def write(self, data: bytes) -> None:
        if not data:
            return
        view = memoryview(_FULL + data if self._lost else data)
        try:
            while view:
                view = view[os.write(1, view) :]
            self._lost = False
        except OSError:
            self._lost = True


def _leave(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Leave


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
