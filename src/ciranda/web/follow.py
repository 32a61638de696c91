"""The lines of a change as a stream that costs no thread while nothing happens."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

from ciranda.web.port import Rooms

LOOK = 0.1  # seconds between looks at a file that has nothing new
PIECE = 1 << 20  # bytes read at once


async def stream(path: Path, rooms: Rooms, *, follow_on: bool) -> AsyncIterator[bytes]:
    """Each whole record of a file of lines, as it is written, until one says `ends`; not waiting for more unless `follow_on`.

    It also ends when the server leaves: whoever reads sees by the last record whether that was the end.
    """
    offset, rest = 0, b""
    while True:
        piece = await rooms.call(_read, path, offset)
        offset += len(piece)
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line:
                yield line + b"\n"
        if any(_ends(line) for line in whole) or (not piece and (rooms.left or not follow_on)):
            return
        if not piece:
            await asyncio.sleep(LOOK)


def _read(path: Path, offset: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(PIECE)


def _ends(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and bool(record.get("ends"))
