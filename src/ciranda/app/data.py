"""Large files beside Git: `ciranda.lock` says which, the store holds them, `push` and `pull` carry them between homes."""

import fcntl
import os
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ciranda.app.client import Client
from ciranda.kernel import errors, files
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.pipeline import tree
from ciranda.project import lockfile, read

IGNORED = ".gitignore"
_AT_ONCE = 5_000  # digests that a server is asked for at once
_OWN = (read.FILE, lockfile.FILE, IGNORED)


@dataclass(frozen=True, slots=True)
class File:
    """A file of the lock: what lies in the folder, and whether the store of this home has it."""

    path: str
    digest: str
    size: int
    state: Literal["here", "changed", "missing"]
    kept: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A file that was added, sent or fetched."""

    path: str
    size: int


Report = Callable[[Moved], None]


def look(folder: Path, database: Database, store: Store) -> list[File]:
    """The files of the lock, each as it is here. Unchanged ones are not read again."""
    locked = lockfile.read(folder)
    survey = tree.survey(tree.working(folder), database)

    def state(path: str, known: lockfile.Locked) -> Literal["here", "changed", "missing"]:
        if path not in survey.marks:
            return "missing"
        size = int(survey.marks[path].split()[0])
        same = path not in survey.links and size == known.size and survey.digest(path) == known.digest
        return "here" if same else "changed"

    found = [
        File(path, known.digest, known.size, state(path, known), store.has(known.digest))
        for path, known in sorted(locked.items())
    ]
    survey.keep(database)
    return found


def add(folder: Path, store: Store, given: Sequence[Path], report: Report) -> list[Moved]:
    """Put files (of folders: all in them) into the store and the lock, and have Git ignore them.

    Raises errors.NotFound, errors.Refused for what Git tracks and what lies elsewhere, errors.StorageFull.
    """
    paths = sorted({path for each in given for path in _inside(folder, each)})
    tracked = [name for name in (_git(folder, "ls-files", "-z", "--", *_literal(paths)) or "").split("\0") if name]
    if tracked:
        raise errors.Refused(
            f"Git tracks {tracked[0]}{_more(tracked)}: a file has one place",
            where=str(folder),
            hint=f"git rm --cached {tracked[0]}   then: ciranda data add {tracked[0]}",
        )
    added = []
    with _alone(folder):
        locked = lockfile.read(folder)
        for path in paths:
            made = store.put_file(folder / path)
            size = store.size(made)
            if locked.get(path) != lockfile.Locked(made, size):
                locked[path] = lockfile.Locked(made, size)
                added.append(Moved(path, size))
                report(added[-1])
        lockfile.parse(lockfile.text(locked).encode())
        _ignore(folder, paths)
        if added:
            files.write_atomic(folder / lockfile.FILE, lockfile.text(locked).encode())
    return added


def push(folder: Path, store: Store, server: Client | None, report: Report) -> list[Moved]:
    """Send what the server lacks; it may be repeated, and what is there is not sent again. None: the server of this home.

    Raises errors.NotFound for a file that is neither in the store nor here as the lock says, what the server refuses.
    """
    locked = lockfile.read(folder)
    digests = sorted({file.digest for file in locked.values()})
    lacking = [name for name in digests if not store.has(name)] if server is None else list(_lacking(server, digests))
    sent = []
    for path, file in sorted(locked.items()):
        if file.digest not in lacking:
            continue
        lacking.remove(file.digest)
        if not store.has(file.digest) and not _take(folder / path, file, store):
            raise errors.NotFound(
                f"{path} is not here as {lockfile.FILE} says, nor in the store of this home",
                where=lockfile.FILE,
                hint=f"ask whoever added it to send it, or take it as it is: ciranda data add {path}",
            )
        if server is not None:
            server.send(f"objects/{file.digest[3:]}", file.size, store.pieces(file.digest))
        sent.append(Moved(path, file.size))
        report(sent[-1])
    return sent


def pull(
    folder: Path,
    database: Database,
    store: Store,
    server: Client | None,
    report: Report,
    *,
    only: Sequence[Path] = (),
    force: bool = False,
) -> list[Moved]:
    """Write the files of the lock that are not here; `force`: also those that were changed.

    Raises errors.Refused for changed ones, errors.NotFound for what neither this home nor the server has.
    """
    wanted = [file for file in look(folder, database, store) if _asked(folder, file.path, only)]
    if only and not wanted:
        raise errors.NotFound(f"{lockfile.FILE} names no such file", hint="what it names: ciranda data status")
    changed = [file.path for file in wanted if file.state == "changed"]
    if changed and not force:
        raise errors.Refused(
            f"{changed[0]}{_more(changed)} was changed here",
            where=str(folder),
            hint="keep the change: ciranda data add " + changed[0] + "   or lose it: ciranda data pull --force",
        )
    fetched = []
    for file in wanted:
        if file.state == "here":
            continue
        if not store.has(file.digest):
            _fetch(file, store, server)
        target = folder / file.path
        parents = [parent for parent in target.parents if parent.is_relative_to(folder)]
        if any(parent.is_symlink() for parent in parents):
            raise errors.Refused(f"{file.path} leads over a link", where=str(folder))
        if os.path.lexists(target):
            target.unlink()
        store.export(file.digest, target, own=True)  # a hard link would let an editor write into the store
        fetched.append(Moved(file.path, file.size))
        report(fetched[-1])
    return fetched


def _fetch(file: File, store: Store, server: Client | None) -> None:
    if server is None:
        raise errors.NotFound(
            f"the store of this home does not have {file.path}",
            where=lockfile.FILE,
            hint="whoever added it sends it with: ciranda data push",
        )
    with server.receive(f"objects/{file.digest[3:]}") as pieces, store.incoming() as coming:
        for piece in pieces:
            coming.write(piece)
        coming.keep(file.digest)


def _take(path: Path, file: lockfile.Locked, store: Store) -> bool:
    """Whether the file as it lies here is what the lock says; then the store has it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == file.size and store.put_file(path) == file.digest


def _lacking(server: Client, digests: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(digests), _AT_ONCE):
        yield from map(str, server.post("objects", digests=digests[start : start + _AT_ONCE])["lacking"])


def _inside(folder: Path, given: Path) -> Iterator[str]:
    """The files that a path names, relative to the project."""
    path = Path(os.path.abspath(given))
    try:
        relative = path.relative_to(folder)
    except ValueError:
        raise errors.Refused(
            "it lies outside of the project",
            where=str(given),
            hint='take it in by reference: files = "/…" in [sources]',
        ) from None
    if not os.path.lexists(path):
        raise errors.NotFound("there is no such file", where=str(given))
    if path.is_dir() and not path.is_symlink():
        inner = [str(relative / name) if str(relative) != "." else name for name in tree.walk(path)]
        found = [name for name in inner if name not in _OWN]
        if not found or str(relative) == ".":
            raise errors.Refused("name the files, or a folder of data", where=str(given))
    else:
        found = [str(relative)]
    for name in found:
        if not stat.S_ISREG((folder / name).lstat().st_mode):
            raise errors.Refused("only regular files can be added, no links", where=name)
        if name in _OWN or lockfile.bad_path(name):
            raise errors.Refused("this file belongs to Git", where=name)
        yield name


def _ignore(folder: Path, paths: Iterable[str]) -> None:
    """Name files in `.gitignore` that Git does not ignore yet."""
    ignored = set((_git(folder, "check-ignore", "-z", "--stdin", given="\0".join(paths)) or "").split("\0"))
    new = [f"/{_escaped(path)}" for path in paths if path not in ignored]
    if new:
        place = folder / IGNORED
        before = place.read_text() if place.exists() else ""
        gap = "" if not before or before.endswith("\n") else "\n"
        files.write_atomic(place, (before + gap + "\n".join(new) + "\n").encode())


def _escaped(path: str) -> str:
    """A path as a pattern of `.gitignore` that matches it alone."""
    plain = "".join(f"\\{character}" if character in "\\*?[" else character for character in path)
    return plain[:-1] + "\\ " if plain.endswith(" ") else plain


def _literal(paths: Iterable[str]) -> list[str]:
    return [f":(literal){path}" for path in paths]


def _asked(folder: Path, path: str, only: Sequence[Path]) -> bool:
    places = [Path(os.path.abspath(each)) for each in only]
    return not places or any((folder / path).is_relative_to(place) for place in places)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1:,} more" if len(names) > 1 else ""


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else writes the lock meanwhile."""
    with open(folder / read.FILE, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _git(folder: Path, *arguments: str, given: str = "") -> str | None:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, input=given, check=False
    )
    return done.stdout if done.returncode == 0 else None
