"""The logs below `logs/`, by the clock: which size each had when, how much of each stays, and which go.

A log is bounded while its writer writes (`service/bounding.py`), so it is never renamed, and nothing is told to open it again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ciranda.access import settings
from ciranda.app import home as homes
from ciranda.kernel import clock, errors, log, sockets
from ciranda.service import bounding, logs, times

EVERY = 2.0  # seconds: as exact is the time of a line that says none
TIDY = 600.0  # seconds
_ASK = 2.0  # seconds for an answer of the keeper
_MB = 1_000_000
_DAY_US = 86_400_000_000
_YOUNG_US = 3_600_000_000  # an instance may be starting that the keeper did not list yet


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept: bytes of each log, bytes of those of all instances together, days after an instance last wrote."""

    each: int = 64 * _MB
    total: int = 2_000 * _MB
    days: int = 30


@dataclass(frozen=True, slots=True)
class Old:
    """The log of an instance that has ended."""

    log: Path
    size: int  # bytes that it takes of the disk
    written_us: int


def limits(home: Path) -> Limits:
    """What `[logs]` in the home's settings.toml says. Raises errors.Invalid."""
    section = settings.read(home).get("logs", {})
    default = Limits()
    found = {"each_mb": default.each // _MB, "total_mb": default.total // _MB, "days": default.days} | section
    for name, value in found.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 10_000_000:
            raise errors.Invalid(
                f"logs.{name} is not a whole number from 1",
                where=str(home / settings.FILE),
                hint="[logs] each_mb = 64, total_mb = 2000, days = 30",
            )
    return Limits(found["each_mb"] * _MB, found["total_mb"] * _MB, found["days"])


def outdated(old: Iterable[Old], living: int, kept: Limits, now_us: int) -> Iterator[Old]:
    """Which logs go: those that nothing was written to for so long, then the oldest while all together are too much. Pure.

    `living`: bytes of the logs of instances that live.
    """
    room = kept.total - living
    for one in sorted(old, key=lambda one: one.written_us, reverse=True):
        room -= one.size
        young = one.written_us > now_us - _YOUNG_US
        if one.written_us < now_us - kept.days * _DAY_US or (room < 0 and not young):
            yield one


class Logkeeping:
    """What control does for the logs of one home. All that it remembers may be lost."""

    def __init__(self, home: homes.Home) -> None:
        self._home = home
        self._sizes: dict[Path, int] = {}
        self._said = ""

    def look(self) -> None:
        """Note which log has grown, and bound those that are too long. Nothing is raised: a log may go at any time."""
        kept = self._limits()
        now: dict[Path, int] = {}
        for path in self._logs():
            try:
                found = path.stat()
                if found.st_size != self._sizes.get(path):
                    times.note(path, found.st_size, clock.now_us())
                now[path] = found.st_size
                if bounding.due(found, kept.each):
                    times.thin(path, bounding.bound(path, kept.each))
            except bounding.Unsupported:
                self._say(
                    "the file system cannot bound logs that are being written: those of ended instances go at most"
                )
            except errors.StorageFull:
                continue  # the times are longer than they need be
            except OSError as error:
                if not isinstance(error, FileNotFoundError):
                    self._say(f"{path.name}: {error}")
        self._sizes = now

    def tidy(self) -> None:
        """Take away the logs of instances that ended, by age and by how much there is. Raises errors.Unreachable."""
        kept = self._limits()
        listed = sockets.ask(self._home.sockets / "keeper", {"type": "list"}, _ASK)["children"]
        known = {child["log"] for child in listed}  # those that have just exited are still looked into
        old, living = [], 0
        for path in logs.everywhere(self._home.logs):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            size = found.st_blocks * 512
            if str(path) in known:
                living += size
            else:
                old.append(Old(path, size, found.st_mtime_ns // 1000))
        for one in outdated(old, living, kept, clock.now_us()):
            one.log.unlink(missing_ok=True)
            times.beside(one.log).unlink(missing_ok=True)
        for path in (self._home.logs / "instances").glob(f"*/*/*/*{times.SUFFIX}"):
            if not path.with_suffix(".log").exists():  # killed between the two
                path.unlink(missing_ok=True)

    def _logs(self) -> Iterator[Path]:
        yield from self._home.logs.glob("*.log")
        yield from logs.everywhere(self._home.logs)

    def _limits(self) -> Limits:
        """What is asked for; the usual where that cannot be read."""
        try:
            return limits(self._home.root)
        except errors.Invalid as error:
            self._say(f"settings.toml: {error}")
            return Limits()

    def _say(self, text: str) -> None:
        """Once, not at every look."""
        if text != self._said:
            self._said = text
            log.say(f"logs: {text}")
