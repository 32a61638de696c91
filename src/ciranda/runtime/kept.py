"""Values that stay in a worker for the next step, because nothing can change them in place."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

from ciranda.runtime import codecs, tables

BUDGET = 512 * 1024 * 1024  # bytes of values; the longest unused go first

Key = tuple[str, ...]


class Kept:
    """What a worker made or read and may hand on: by asset where it was made, by file and type where it was read."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._used = 0
        self._values: OrderedDict[Key, tuple[Any, int]] = OrderedDict()

    def made(self, asset: str, wanted: str) -> Any:
        """The asset that was made here, if it is still here and of the type that is wanted; else None."""
        value = self._get(("made", asset))
        return value if value is not None and fits(value, wanted) else None

    def read(self, path: Path, codec: str, wanted: str) -> Any:
        """What was read from that file as that type, if it is still here; else None."""
        return self._get(("read", str(path), codec, wanted))

    def keep_made(self, asset: str, value: Any) -> None:
        """Keep what a step made."""
        self._put(("made", asset), value)

    def keep_read(self, path: Path, codec: str, wanted: str, value: Any) -> None:
        """Keep what was read, where nothing can change it."""
        if codecs.lasting(value) and codec != "files":
            self._put(("read", str(path), codec, wanted), value)

    def _get(self, key: Key) -> Any:
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return tables.handed(found[0])

    def _put(self, key: Key, value: Any) -> None:
        weight = tables.weight(value)
        self._used += weight - self._values.pop(key, (None, 0))[1]
        self._values[key] = (tables.handed(value), weight)
        while self._used > self._budget:
            _, (_, freed) = self._values.popitem(last=False)
            self._used -= freed


def fits(value: Any, wanted: str) -> bool:
    """Whether a kept value is what a reader with this annotation would have been handed."""
    if tables.is_table(value):
        return tables.kind(value) == (wanted if wanted in tables.TYPES else tables.library()) and wanted != "bytes"
    said = type(value).__name__
    return wanted in ("", said) or (wanted not in ("bytes", "str", "pathlib.Path") and said not in ("bytes", "str"))
