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
    unchanged: str  # the asset that the better model does not make anew
    changed: str  # the asset that it does


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
