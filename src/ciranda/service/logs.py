"""The logs of instances and of the server's own processes: where they lie, what their lines say and when, and following them."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ciranda.kernel import clock
from ciranda.service import bounding, said, times

_LOOK = 0.1  # seconds between looks at files that have nothing new
_BLOCK = 1 << 16  # bytes; also the longest line that is given whole
_NEAR_US = 60_000_000  # a line's own time may be as far from when it was written as its writer's clock is wrong


@dataclass(frozen=True, slots=True)
class Line:
    """One line that somebody wrote. `text` is all of it; `message` and `fields` what it says where it is JSON.

    `at_us` is its own time (`exact`) where it has one that can be true, else the moment by which it had been written.
    """

    instance: str
    text: str
    at_us: int = 0
    exact: bool = False
    level: str | None = None
    message: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are asked for: written at or after a time, of a level or a worse one, whose text is as it should be."""

    since_us: int | None = None
    level: str | None = None
    matches: Callable[[str], bool] | None = None

    @property
    def every(self) -> bool:
        """Whether every line is."""
        return self.since_us is None and self.level is None and self.matches is None

    def takes(self, line: Line) -> bool:
        """Whether a line is; a time that is not its own is the latest that it can have been written at."""
        return (
            (self.since_us is None or line.at_us >= self.since_us)
            and (self.level is None or said.at_least(line.level, self.level))
            and self.matching(line.text)
        )

    def matching(self, text: str) -> bool:
        return self.matches is None or self.matches(text)


@dataclass(frozen=True, slots=True)
class Writer:
    """Whose log it is, as its path says."""

    environment: str
    service: str
    release: str  # "r42"
    instance: str

    @property
    def short(self) -> str:
        """What tells it from the other instances of its release."""
        return self.instance.rpartition("-")[2]


def writer(log: Path) -> Writer:
    """Whose log lies at a path that `path` gave."""
    environment, service, instance = log.parts[-3], log.parts[-2], log.stem
    release = instance.removeprefix(f"{environment}-{service}-").rpartition("-")[0]
    return Writer(environment, service, release, instance)


def path(logs: Path, project: str, environment: str, service: str, instance: str) -> Path:
    """Where an instance's output goes."""
    return logs / "instances" / project / environment / service / f"{instance}.log"


def find(logs: Path, project: str, environment: str, service: str | None = None) -> list[Path]:
    """The logs of the instances of an environment, or of one of its services; the last written is the last."""
    return _by_time((logs / "instances" / project / environment).glob(f"{service or '*'}/*.log"))


def everywhere(logs: Path, project: str = "*") -> list[Path]:
    """The logs of every instance of a project, or of all; the last written is the last."""
    return _by_time((logs / "instances").glob(f"{project}/*/*/*.log"))


def _by_time(found: Iterable[Path]) -> list[Path]:
    """By when each was last written; one that is taken away meanwhile is not there any more."""
    dated = []
    for log in found:
        try:
            dated.append((log.stat().st_mtime_ns, log.name, log))
        except FileNotFoundError:
            continue
    return [log for _, _, log in sorted(dated)]


def tail(log: Path, lines: int) -> list[Line]:
    """The last lines of a log, as texts; a file that is not there has none."""
    found = b"".join(_last(log, lines, _size(log))).splitlines()
    return [Line(log.stem, text.decode("utf-8", "replace")) for text in found][-lines:] if lines else []


def follow(
    find: Callable[[], list[Path]],
    *,
    wanted: Wanted,
    most: int | None,
    stop: Callable[[], bool],
    wait: Callable[[float], object],
) -> Iterator[Line]:
    """What is wanted of the logs that `find` gives, by time (of each the last `most`; None: all), then what is written to them and to
    new ones.

    After each look `stop()` is asked whether to end, and `wait(seconds)` is called where there was nothing new.
    """
    readers = {log: _Reader(log, wanted) for log in find()}
    firsts = heapq.merge(*(reader.first(most) for reader in readers.values()), key=lambda one: one[0])
    yield from (line for _, line in firsts)
    while True:
        news = False
        for log in find():
            if log not in readers:
                readers[log] = _Reader(log, wanted)
            for line in readers[log].more():
                news = True
                yield line
        if stop():
            break
        if not news:
            wait(_LOOK)
    if most != 0:
        yield from (line for reader in readers.values() for line in reader.rest())


class _Reader:
    """One log, read once from where something is wanted."""

    def __init__(self, log: Path, wanted: Wanted) -> None:
        self._log = log
        self._wanted = wanted
        self._at = 0
        self._levels = said.Levels()

    def first(self, most: int | None) -> Iterator[tuple[int, Line]]:
        """What is there already and wanted, each with the time by which it is told among the lines of others: that never goes back."""
        end = _size(self._log)
        known = times.load(self._log)
        if self._wanted.since_us is not None:
            self._at = known.offset(self._wanted.since_us)
        elif self._wanted.every and most is not None:
            self._at = end - sum(map(len, _last(self._log, most, end)))
        found = self._lines(end, known)
        if most is not None:
            found = iter(deque(found, maxlen=most))
        latest = 0
        for line in found:
            latest = max(latest, line.at_us)
            yield latest, line

    def more(self) -> Iterator[Line]:
        """What has been written since, whole lines."""
        now_us = clock.now_us()
        end = _size(self._log)
        if end < self._at:  # its writer has begun it again
            self._at = 0
        yield from self._lines(end, times.Times(last_us=now_us))

    def rest(self) -> Iterator[Line]:
        """The line that was never ended."""
        known = times.load(self._log)
        for data in _read(self._log, self._at, _BLOCK).lstrip(b"\0").splitlines():
            yield from self._line(data, (None, known.last_us))

    def _lines(self, end: int, known: times.Times) -> Iterator[Line]:
        """Whole lines up to an offset; what is gone is passed over, with the line that it ended in."""
        torn = False
        while self._at < end:
            begin = _begin(self._log)
            if begin > self._at:
                self._at, torn = begin, True
            data = _read(self._log, self._at, min(_BLOCK, end - self._at))
            whole = data.rfind(b"\n") + 1
            if not whole and len(data) == _BLOCK:
                whole = _BLOCK  # a line without end
            if not whole:
                return
            place = self._at
            self._at += whole
            for piece in data[:whole].splitlines(keepends=True):
                place += len(piece)
                if torn or piece.startswith(b"\0"):  # a hole came while it was read
                    torn = False
                    continue
                yield from self._line(piece.rstrip(b"\r\n"), known.span(place))

    def _line(self, data: bytes, span: tuple[int | None, int]) -> Iterator[Line]:
        """A line, if it is wanted. What is not is not looked into where nobody needs to know what it says."""
        text = data.decode("utf-8", "replace")
        if self._wanted.level is None and not self._wanted.matching(text):
            return
        found = said.read(text)
        own = _own(found, span)
        at_us = span[1] if own is None else own
        level = self._levels.of(found, text)
        line = Line(self._log.stem, text, at_us, own is not None, level, found.text, found.fields)
        if self._wanted.takes(line):
            yield line


def _own(found: said.Said, span: tuple[int | None, int]) -> int | None:
    """A line's own time, where it agrees with when it was written; without a zone it may be this machine's or UTC."""
    if found.at_us is None:
        return None
    candidates = [found.at_us, said.as_utc(found.at_us)] if found.local else [found.at_us]
    after, before = span
    for at_us in candidates:
        if at_us <= before + _NEAR_US and (after is None or at_us >= after - _NEAR_US):
            return at_us
    return None


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def _read(log: Path, at: int, size: int) -> bytes:
    try:
        with open(log, "rb", buffering=0) as file:
            file.seek(at)
            return file.read(size)
    except FileNotFoundError:
        return b""


def _begin(log: Path) -> int:
    try:
        with open(log, "rb", buffering=0) as file:
            return bounding.begin(file.fileno())
    except FileNotFoundError:
        return 0


def _last(log: Path, lines: int, end: int) -> list[bytes]:
    """The last lines of what lies before an offset, with their ends."""
    try:
        with open(log, "rb", buffering=0) as file:
            begin = min(bounding.begin(file.fileno()), end)
            at, data = end, b""
            while at > begin and data.count(b"\n") <= lines:
                step = min(_BLOCK, at - begin)
                at = file.seek(at - step)
                data = file.read(step) + data
    except FileNotFoundError:
        return []
    found = data.splitlines(keepends=True)
    return found[max(len(found) - lines, 1 if at else 0) :]
