"""What is played: a project, the traffic that it gets, and the commits that are pushed to it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Edit:
    """A commit: its subject, what it changes in the working tree, and what a refusal of it must say."""

    subject: str
    apply: Callable[[Path], None]
    shown: str = ""  # the change in a line, for people
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Night:
    """What somebody else leaves for a nightly job, and what has to come of it."""

    arrive: Callable[[Path], None]  # given the working tree; it is left outside of that
    shown: str
    day: str  # of every row of the table that it makes
    rows: int
    reasons: tuple[str, ...] = ()  # what the job's failure must say


@dataclass(frozen=True, slots=True)
class Nightly:
    """A job, the table that it makes, and two nights of it."""

    job: str
    table: str
    good: Night
    bad: Night
    check: str  # what the bad one fails
    wrong: frozenset[str]  # the ids of its wrong rows


@dataclass(frozen=True, slots=True)
class Trail:
    """What is true of the data, counted in the files themselves: where a prediction that is followed back must lead."""

    learnt: int  # rows that the model learns from
    rows: int  # of the table that it takes them from
    where: str  # SQL that one row of that table answers to
    file: str  # of the repository, which has that row
    line: str  # as it is written there


@dataclass(frozen=True, slots=True)
class Season:
    """A second project, whose world changes while it is watched: what it is asked before and after, and what arrives."""

    project: str
    service: str
    column: str  # what is not what it was
    model: str  # what is made anew
    write: Callable[[Path], None]  # the first commit's files
    before: tuple[bytes, ...]  # what the traffic asks, one request each
    after: tuple[bytes, ...]
    arrive: Callable[[Path], None]  # the files of the new season; given the working tree, left outside of it
    shown: str
    flawed: Edit  # a release that answers some requests with an error
    share: float  # of the requests that it answers so
    ground: Edit  # a release that brings infrastructure of its own
    lesson: Edit  # what was learnt from the flawed one; its subject closes the first item


@dataclass(frozen=True, slots=True)
class Story:
    """A project to play with. `probe` is one request whose answer tells the first model from the better one."""

    project: str
    service: str
    introduction: str
    write: Callable[[Path], None]  # the first commit's files
    bodies: tuple[bytes, ...]  # what the traffic asks, one request each
    probe: bytes
    failing: Edit  # a unit test fails
    spoilt: Edit  # the data breaks its contract
    better: Edit  # a better model
    unchanged: str  # the table that the better model does not make anew
    changed: str  # the model
    nightly: Nightly
    trail: Trail
    season: Season


def incoming(tree: Path) -> Path:
    """The folder beside the repository where somebody else leaves files."""
    return tree.parent / "incoming"


def leave(name: str, text: str) -> Callable[[Path], None]:
    """A file that is there at once, as a careful sender leaves it."""

    def arrive(tree: Path) -> None:
        folder = incoming(tree)
        folder.mkdir(exist_ok=True)
        coming = folder / f".{name}"
        coming.write_text(text, encoding="utf-8")
        coming.rename(folder / name)

    return arrive


def replace(file: str, old: str, new: str) -> Callable[[Path], None]:
    """An edit of one place of one file. Raises ValueError where that place is not there exactly once."""

    def apply(folder: Path) -> None:
        path = folder / file
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{file} has {text.count(old)} places that read {old!r}; the story needs one")
        path.write_text(text.replace(old, new), encoding="utf-8")

    return apply


def harmless(folder: Path) -> None:
    """An edit that changes nothing that anybody computes: what breaks an act on purpose."""
    with (folder / "README.md").open("a", encoding="utf-8") as readme:
        readme.write("\nNothing else changed.\n")
