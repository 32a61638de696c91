"""All packs of a folder: where each object lies, and one pack of our own to append to."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ciranda.kernel import files, pack


class Packs:
    """The small objects of a store. For any number of threads; other processes append to packs of their own meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._places: dict[bytes, pack.Place] = {}
        self._spare: dict[bytes, list[pack.Place]] = {}  # further places of what is packed more than once
        self._seen: dict[str, int] = {}  # pack → up to where its objects are in `_places`
        self._settled: dict[str, int] = {}  # pack → up to where they are durable
        self._appender: pack.Appender | None = None

    def find(self, raw: bytes) -> pack.Place | None:
        """Where an object lies; if it is not known, the packs are looked at again."""
        found = self._places.get(raw)
        if found is None:
            with self._lock:
                self._look()
                found = self._places.get(raw)
        return found

    def read(self, raw: bytes, place: pack.Place, is_right: Callable[[bytes], bool]) -> bytes | None:
        """The bytes of an object from the first of its places where they are right; None: they are right nowhere."""
        data = _read(place)
        if is_right(data):
            return data
        with self._lock:
            self._look()
            others = [self._places.get(raw, place), *self._spare.get(raw, [])]
        return next((data for data in map(_read, others) if is_right(data)), None)

    def add(self, items: Sequence[pack.Item]) -> None:
        """Append what is not durable here already; on return all of it is. Raises OSError."""
        with self._lock:
            if not self._seen:
                self._look()
            missing = [item for item in items if not self._is_durable(item.digest)]
            if not missing:
                return
            current, self._appender = self._appender, None  # one that fails is not used again
            if current is None or current.is_full:
                if not self._folder.is_dir():
                    self._folder.mkdir(parents=True, exist_ok=True)
                    files.sync_folder(self._folder.parent)
                current = pack.appender(self._folder)
                self._look()
            for raw, place in current.append(missing):
                self._places[raw] = place
            self._seen[current.path.name] = self._settled[current.path.name] = current.end
            self._appender = current

    def drop(self, raw: bytes) -> None:
        """Forget where an object lies, in this process."""
        with self._lock:
            self._look()
            self._places.pop(raw, None)
            self._spare.pop(raw, None)

    def _is_durable(self, raw: bytes) -> bool:
        place = self._places.get(raw)
        return place is not None and place.offset < self._settled[place.path.name]

    def _look(self) -> None:
        """Read what has been appended to the packs since the last look."""
        try:
            entries = sorted(os.scandir(self._folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            start = self._seen.get(entry.name, 0)
            if not entry.name.endswith(".pack") or entry.stat().st_size <= start:
                continue
            contents = pack.read(self._folder / entry.name, start)
            self._seen[entry.name], self._settled[entry.name] = contents.end, contents.settled
            for raw, place in contents.places:
                if self._places.setdefault(raw, place) is not place:
                    self._spare.setdefault(raw, []).append(place)


def _read(place: pack.Place) -> bytes:
    try:
        with open(place.path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), place.length, place.offset)
    except FileNotFoundError:
        return b""
