"""The home as files: its format, who may read what must be private, and how much room everything takes."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app import up
from ciranda.app.doctor import findings
from ciranda.app.doctor.findings import Finding
from ciranda.environment import secrets

PRIVATE = ("token", secrets.FILE, "ledger.url")
FOLDERS = ("store", "repositories", "interpreters", "trees", "runs", "lines", "logs", "state")
LOUD = 1_000_000_000  # bytes of one log


@dataclass(frozen=True, slots=True)
class File:
    """A file or folder of the home: its permissions, and whether it is this user's."""

    path: str
    mode: int
    ours: bool
    writable: bool


@dataclass(frozen=True, slots=True)
class House:
    """What was found. `format`: what the home says of itself, None: nothing; `there`: there is something at all."""

    root: str
    there: bool
    format: str | None
    files: tuple[File, ...]
    missing: tuple[str, ...]  # folders


def observe(home: homes.Home) -> House:
    """Look at the files of a home. Raises OSError where it cannot be looked into."""
    said = None
    with suppress(FileNotFoundError, NotADirectoryError):
        said = (home.root / "format").read_text(errors="replace")
    looked = [home.root, *(home.root / name for name in (*PRIVATE, *FOLDERS, "ledger.db"))]
    there = home.root.is_dir() and any(home.root.iterdir())
    missing = tuple(name for name in FOLDERS if not (home.root / name).is_dir()) if said is not None else ()
    return House(str(home.root), there, said, tuple(_files(looked)), missing)


def judge(house: House) -> Iterator[Finding]:
    """What that means. Pure."""
    root = Path(house.root)
    if house.format is None:
        if house.there:
            yield findings.warn("there is no home here, but other files", house.root, "another home: --home DIR")
        else:
            yield findings.ok("there is no home yet: the first run, or ciranda up, makes one", house.root)
        return
    if house.format in homes.FORMER:
        yield findings.wrong("this home was made by an older Ciranda", house.root, "ciranda up --detach")
    elif house.format != homes.FORMAT:
        said = house.format.strip()[:40]
        yield findings.wrong(
            f"this home has the format {said!r}, not {homes.FORMAT.strip()!r}",
            house.root,
            "use the Ciranda that made it",
        )
    else:
        yield findings.ok(homes.FORMAT.strip(), house.root)
    for file in house.files:
        path = Path(file.path)
        name = "the home" if path == root else path.name
        if not file.ours:
            yield findings.wrong(
                f"{name} belongs to another user", file.path, f"sudo chown -R $(id -u) {up.typed(root)}"
            )
        elif path.name in PRIVATE and file.mode & 0o077:
            said = f"others may read {name} (mode {file.mode:04o})"
            yield findings.wrong(said, file.path, f"chmod 600 {up.typed(path)}")
        elif path == root and file.mode & 0o077:
            said = f"others may look into the home (mode {file.mode:04o})"
            yield findings.warn(said, file.path, f"chmod 700 {up.typed(root)}")
        elif not file.writable:
            yield findings.wrong(
                f"{name} cannot be written (mode {file.mode:04o})", file.path, f"chmod u+rwX {up.typed(path)}"
            )
    if house.missing:
        yield findings.wrong(f"folders of the home are gone: {', '.join(house.missing)}", house.root, findings.BACKUP)


def usage(home: homes.Home) -> dict[str, int]:
    """Bytes on the disk of each folder of the home, and of its other files as `ledger`; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    sizes = {name: _weigh(str(home.root / name), seen) for name in FOLDERS}
    sizes["ledger"] = sum(
        entry.stat(follow_symlinks=False).st_blocks * 512
        for entry in os.scandir(home.root)
        if entry.is_file(follow_symlinks=False)
    )
    return sizes


def logs(home: homes.Home) -> list[tuple[str, int]]:
    """The logs that take very much of the disk: one that is bounded does not."""
    found = []
    with suppress(FileNotFoundError):
        for entry in os.scandir(home.logs):
            size = (
                entry.stat(follow_symlinks=False).st_blocks * 512
            )  # a log that was bounded is longer than what is left of it
            if entry.is_file(follow_symlinks=False) and size > LOUD:
                found.append((entry.path, size))
    return found


def judge_usage(sizes: Mapping[str, int], loud: list[tuple[str, int]]) -> Iterator[Finding]:
    """How much everything takes, the largest first. Pure."""
    largest = sorted(sizes.items(), key=lambda item: -item[1])
    told = ", ".join(f"{name} {findings.size(size)}" for name, size in largest if size >= 1_000_000)
    yield findings.ok(f"{findings.size(sum(sizes.values()))} on the disk" + (f": {told}" if told else ""))
    for path, size in loud:
        yield findings.warn(f"a log has grown to {findings.size(size)}", path, f"truncate -s 0 {up.typed(Path(path))}")


def _files(paths: list[Path]) -> Iterator[File]:
    for path in paths:
        with suppress(FileNotFoundError, NotADirectoryError):
            found = path.stat()
            yield File(str(path), stat.S_IMODE(found.st_mode), found.st_uid == os.geteuid(), os.access(path, os.W_OK))


def _weigh(folder: str, seen: set[tuple[int, int]]) -> int:
    whole, waiting = 0, [folder]
    while waiting:
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            for entry in os.scandir(waiting.pop()):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                with suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    if (found.st_dev, found.st_ino) not in seen:
                        seen.add((found.st_dev, found.st_ino))
                        whole += found.st_blocks * 512
    return whole
