"""The files that a run is about: a working tree with what Git says of it, or a tree written from a commit."""

import os
import stat
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ciranda.kernel import digest, errors, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.project import lockfile

sql = statements.load("ciranda.pipeline")
RACY = 2_000_000_000  # nanoseconds after a change during which a file may change again without its times telling


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder of project files. `files` are relative to it; None: all that are there (a tree written from a commit)."""

    path: Path
    commit: str | None
    dirty: int = 0  # number of changed files
    files: tuple[str, ...] | None = None


def working(path: Path) -> Tree:
    """A folder as somebody works in it: the files that Git tracks or would track, and how many differ from the commit.

    Outside of a repository all files count, but for those whose names begin with a dot.
    """
    said = _git(path, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--", ".")
    listed = _git(path, "ls-files", "-z", "--", ".")
    status, names = said.communicate()[0], listed.communicate()[0]
    if said.returncode or listed.returncode:
        return Tree(
            path, None, 0, tuple(name for name in walk(path) if not any(p.startswith(".") for p in name.split("/")))
        )
    commit, dirty, untracked = None, 0, []
    entries = iter(os.fsdecode(status).split("\0"))
    prefix = _prefix(path)
    for entry in entries:
        match entry[:2]:
            case "# ":
                if entry.startswith("# branch.oid ") and not entry.endswith("(initial)"):
                    commit = entry.removeprefix("# branch.oid ")
            case "? ":
                dirty += 1
                untracked.append(entry[2:].removeprefix(prefix))
            case "2 ":
                dirty += 1
                next(entries)  # where it was renamed from
            case "1 " | "u ":
                dirty += 1
            case _:
                pass
    tracked = [name for name in os.fsdecode(names).split("\0") if name]
    locked = [name for name in lockfile.read(path) if os.path.lexists(path / name)]  # Git ignores them, we do not
    return Tree(path, commit, dirty, tuple(sorted({*tracked, *untracked, *locked})))


def walk(path: Path) -> list[str]:
    """Every file and link under a folder, `.git` left out, sorted."""
    found = []
    for folder, inner, names in os.walk(path):
        inner[:] = sorted(name for name in inner if name != ".git")
        links = [name for name in inner if os.path.islink(os.path.join(folder, name))]
        found += [os.path.relpath(os.path.join(folder, name), path) for name in (*names, *links)]
    return sorted(found)


def _git(path: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        environment.pop(name, None)
    return subprocess.Popen(
        ["git", "-C", str(path), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


def _prefix(path: Path) -> str:
    """Where the folder lies in its repository, as `status` writes it; empty at the root."""
    if (path / ".git").exists():
        return ""
    return os.fsdecode(_git(path, "rev-parse", "--show-prefix").communicate()[0]).strip("\n")


@dataclass
class Survey:
    """The files of a tree with their marks (what a change of them changes) and, once asked for, their digests."""

    tree: Tree
    marks: dict[str, str]
    links: dict[str, str]  # path → where it leads, as it says
    executable: frozenset[str]
    seen_ns: int  # when it was looked at, in nanoseconds since 1970
    _known: dict[str, tuple[str, str]] = field(default_factory=dict)  # path → mark, digest
    _read: dict[str, str] = field(default_factory=dict)
    _fresh: dict[str, tuple[str, str]] = field(default_factory=dict)  # of what was read, what may be remembered

    @property
    def paths(self) -> list[str]:
        return sorted(self.marks)

    def digest(self, path: str) -> str:
        """The digest of a file's bytes (of a link: of where it leads); unchanged files are not read again."""
        mark = self.marks[path]
        known = self._known.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        if path in self._read:
            return self._read[path]
        now = time.time_ns()
        if path in self.links:
            return digest.digest("object", os.fsencode(self.links[path]))
        try:
            found = digest.of_file(self.tree.path / path)
        except (FileNotFoundError, PermissionError) as error:
            raise _unreadable(path, error) from None
        _, modified, changed, _ = (int(part) for part in mark.split())
        self._read[path] = found
        if max(modified, changed) < now - RACY:
            self._fresh[path] = (mark, found)
        return found

    def listing(self, paths: Iterable[str]) -> list[list[object]]:
        """`[path, digest, mode]` of files, sorted by path."""
        return [[path, self.digest(path), self.mode(path)] for path in sorted(paths)]

    def mode(self, path: str) -> int:
        return 0o755 if path in self.executable else 0o644

    def keep(self, database: Database) -> None:
        """Remember the digests that were computed, for the next run in this working tree."""
        fresh = self._fresh
        gone = [path for path in self._known if path not in self.marks]
        tree = str(self.tree.path)
        if self.tree.files is None or not (fresh or gone):
            return

        def work(tx: Transaction) -> None:
            for path, (mark, found) in fresh.items():
                tx.execute(sql.keep_file_stat, tree=tree, path=path, mark=mark, digest=found)
            for path in gone:
                tx.execute(sql.forget_file_stat, tree=tree, path=path)

        database.submit(work)


def survey(tree: Tree, database: Database | None) -> Survey:
    """Look at every file once; nothing is read. `database` is where digests of earlier runs are looked for.

    Raises errors.Invalid for a name that is not UTF-8.
    """
    seen_ns = time.time_ns()
    known: dict[str, tuple[str, str]] = {}
    if tree.files is not None and database is not None:
        known = {
            row["path"]: (row["mark"], row["digest"]) for row in database.query(sql.file_stats, tree=str(tree.path))
        }
    locked = lockfile.read(tree.path) if tree.files is None else {}
    marks: dict[str, str] = {}
    links: dict[str, str] = {}
    executable = set()
    for path in walk(tree.path) if tree.files is None else tree.files:
        full = os.path.join(tree.path, path)
        try:
            found = os.lstat(full)
            path.encode()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except UnicodeEncodeError:
            raise errors.Invalid("a file's name must be UTF-8", where=ascii(path), hint="rename it") from None
        if stat.S_ISLNK(found.st_mode):
            links[path] = os.readlink(full)
        elif not stat.S_ISREG(found.st_mode):
            continue
        elif found.st_mode & 0o100:
            executable.add(path)
        marks[path] = mark(found)
        if path in locked and stat.S_ISREG(found.st_mode) and not found.st_mode & 0o222:
            known[path] = (marks[path], locked[path].digest)  # it came from the store, which has read it
    return Survey(tree, marks, links, frozenset(executable), seen_ns, known)


def mark(found: os.stat_result) -> str:
    """What changes with a file: size, times of modification and change in nanoseconds, inode."""
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def _unreadable(path: str, error: OSError) -> errors.Refused:
    return errors.Refused(
        f"a file of the project cannot be read: {error.strerror}", where=path, hint="is it still being written?"
    )
