"""All packs of a folder: where each object lies, and one pack of our own to append to."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ciranda.kernel import files, pack


@dataclass(slots=True)
class _Known:
    """What is known of one pack."""

    path: Path
    spots: dict[bytes, int] = field(default_factory=dict)
    settled: int = 0  # up to where its objects are durable
    end: int = 0  # up to where it has been read


class Packs:
    """The small objects of a store. For any number of threads; other processes append to packs of their own meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._known: dict[str, _Known] = {}
        self._appender: pack.Appender | None = None

    def find(self, raw: bytes) -> pack.Place | None:
        """Where an object lies; if it is not known, the packs are looked at again."""
        with self._lock:
            places = self._places(raw)
            if places and not places[0].path.exists():  # it was collected
                self._forget_vanished()
                places = self._places(raw)
            if not places:
                self._look()
                places = self._places(raw)
        return places[0] if places else None

    def read(self, raw: bytes, is_right: Callable[[bytes], bool]) -> bytes | None:
        """The bytes of an object from the first of its places where they are right; None: they are right nowhere."""
        place = self.find(raw)
        if place is not None and is_right(data := _read(place)):
            return data
        with self._lock:
            self._forget_vanished()
            self._look()
            places = self._places(raw)
        return next((data for data in map(_read, places) if is_right(data)), None)

    def add(self, items: Sequence[pack.Item]) -> None:
        """Append what is not durable here already; on return all of it is. Raises OSError."""
        with self._lock:
            self._forget_vanished()
            if not self._known:
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
            known = self._known.setdefault(current.path.name, _Known(current.path))
            for item, spot in zip(missing, current.append(missing), strict=True):
                known.spots[item.digest] = spot
            known.settled = known.end = current.end
            self._appender = current

    def _forget_vanished(self) -> None:
        """Packs that somebody took away: what lay there counts as missing, and nothing more is written to where nobody reads."""
        for name in [name for name, known in self._known.items() if not known.path.exists()]:
            del self._known[name]
            if self._appender is not None and self._appender.path.name == name:
                self._appender = None

    def drop(self, raw: bytes) -> None:
        """Forget where an object lies, in this process."""
        with self._lock:
            self._look()
            for known in self._known.values():
                known.spots.pop(raw, None)

    def _places(self, raw: bytes) -> list[pack.Place]:
        found = ((known.path, known.spots.get(raw)) for known in self._known.values())
        return [pack.place(path, spot) for path, spot in found if spot is not None]

    def _is_durable(self, raw: bytes) -> bool:
        return any((known.spots.get(raw, known.settled << 33) >> 33) < known.settled for known in self._known.values())

    def _look(self) -> None:
        """Read what has been appended to the packs since the last look."""
        try:
            entries = sorted(os.scandir(self._folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            known = self._known.get(entry.name)
            if not entry.name.endswith(".pack") or entry.stat().st_size <= (known.end if known else 0):
                continue
            if known is None:
                known = self._known[entry.name] = _Known(self._folder / entry.name)
            contents = pack.read(known.path, known.end)
            known.settled, known.end = contents.settled, contents.end
            known.spots.update(zip(contents.digests, contents.spots, strict=True))


def _read(place: pack.Place) -> bytes:
    try:
        with open(place.path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), place.length, place.offset)
    except FileNotFoundError:
        return b""
