"""The logs of instances: where they lie, their last lines, and following them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_LOOK = 0.1  # seconds between looks at files that have nothing new
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Line:
    """One line that an instance wrote."""

    instance: str
    text: str


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
    folder = logs / "instances" / project / environment
    return sorted(folder.glob(f"{service or '*'}/*.log"), key=lambda found: (found.stat().st_mtime_ns, found.name))


def everywhere(logs: Path, project: str) -> list[Path]:
    """The logs of every instance of a project; the last written is the last."""
    folder = logs / "instances" / project
    return sorted(folder.glob("*/*/*.log"), key=lambda found: (found.stat().st_mtime_ns, found.name))


def tail(log: Path, lines: int) -> list[Line]:
    """The last lines of a log; a file that is not there has none."""
    try:
        with open(log, "rb") as file:
            at = file.seek(0, 2)
            data = b""
            while at > 0 and data.count(b"\n") <= lines:
                step = min(_BLOCK, at)
                at = file.seek(at - step)
                data = file.read(step) + data
    except FileNotFoundError:
        return []
    found = data.splitlines()[-lines:] if lines else []
    return [Line(log.stem, text.decode("utf-8", "replace")) for text in found]


def follow(
    find: Callable[[], list[Path]], *, lines: int, stop: Callable[[], bool], wait: Callable[[float], object]
) -> Iterator[Line]:
    """The last lines of each log that `find` gives, then every line as it is written, in new logs too.

    Whenever there is nothing new `stop()` is asked whether to end, and else `wait(seconds)` is called.
    """
    places: dict[Path, int] = {}
    first = True
    while True:
        news = False
        for log in find():
            if log not in places:
                places[log] = log.stat().st_size if first else 0
                yield from tail(log, lines) if first else ()
            for line in _more(log, places):
                news = True
                yield line
        first = False
        if not news:
            if stop():
                return
            wait(_LOOK)


def _more(log: Path, places: dict[Path, int]) -> list[Line]:
    with open(log, "rb") as file:
        file.seek(places[log])
        data = file.read(_BLOCK)
    whole = data.rfind(b"\n") + 1
    if not whole and len(data) == _BLOCK:
        whole = _BLOCK  # a line without end
    places[log] += whole
    return [Line(log.stem, text.decode("utf-8", "replace")) for text in data[:whole].splitlines()]
