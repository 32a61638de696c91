"""The tree of a commit, written from Git objects by us: no hooks, no filters, no submodules, no link that leaves the tree."""

import errno
import fnmatch
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ciranda.kernel import errors, files
from ciranda.kernel.store import Store
from ciranda.versions import completing, refs, repositories

LINK, MODULE, RUNNABLE = "120000", "160000", "100755"
LONGEST_LINK = 4095  # bytes of a link's target
PIECE = 1 << 20  # bytes copied at once
# What file systems of other machines take for `.git`: short names of Windows, and code points that HFS+ ignores.
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_GIT_NAMES = frozenset({".git", "git~1"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a tree: its mode as Git writes it ("100644"), the name of its blob, its size in bytes."""

    mode: str
    blob: str
    size: int


def listing(repository: Path, commit: str) -> dict[str, Entry]:
    """Every file of a commit's tree by path, links and submodules too; raises `errors.NotFound` for what is no commit of the repository."""
    told = _ls_tree(repository, commit, "-r", "-l")
    found: dict[str, Entry] = {}
    for line in told.split("\0")[:-1]:
        facts, _, path = line.partition("\t")
        mode, _kind, blob, size = facts.split()
        if path in found:
            raise errors.Invalid(f"the tree names {refs.plain(path)} twice", where=commit)
        if size == "BAD":
            raise _not_whole(repository, commit)
        found[path] = Entry(mode, blob, 0 if size == "-" else int(size))
    return found


def read_file(repository: Path, commit: str, path: str) -> bytes | None:
    """The bytes of one plain file of a commit; None where there is no plain file of this path (a folder, a link, nothing)."""
    if any(part in ("", ".", "..") for part in path.split("/")):
        return None
    facts, _, name = _ls_tree(repository, commit, path=path).partition("\0")[0].partition("\t")
    if name != path or not facts.startswith("100"):
        return None
    blob = facts.split()[2]
    done = _git(repository, "cat-file", "blob", blob)
    if done.returncode:
        raise errors.Corrupt(f"the object {blob} of {refs.plain(path)} cannot be read", where=str(repository))
    return done.stdout


def write(
    repository: Path,
    commit: str,
    destination: Path,
    *,
    store: Store | None = None,
    own: bool = False,
    skip: Iterable[str] = (),
) -> None:
    """Write a commit's tree to `destination`, whole or not at all; it may exist only as an empty folder.

    `skip`: paths or glob patterns (`*` within a name, `**` over folders) of files and folders that are left out. Files are 0644
    or 0755. Raises `errors.Invalid` for a submodule, a link out of the tree and a name that no checkout may have;
    `errors.Refused` where something is already there.

    With `store` the files of the tree's `ciranda.lock` come from there (`own`: as copies that may be written to); what it lacks
    is errors.NotFound.
    """
    left_out = matcher(skip)
    wanted = {path: entry for path, entry in listing(repository, commit).items() if not left_out(path)}
    check_paths(wanted, commit)
    with files.room(destination.parent):
        destination.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
        try:
            fresh.chmod(0o755)
            _write_files(repository, wanted, fresh, commit)
            if store is not None:
                completing.complete(fresh, store, own=own)
            fresh.rename(destination)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            raise errors.Refused(
                "something is already there, where a tree should be written", where=str(destination)
            ) from None
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def check_paths(entries: dict[str, Entry], commit: str) -> None:
    """Refuse, by `errors.Invalid`, a submodule and every name that could leave the tree or pass for Git's own."""
    for path, entry in entries.items():
        parts = path.split("/")
        if entry.mode == MODULE:
            raise errors.Invalid(
                f"{refs.plain(path)} is a submodule, which Ciranda does not follow",
                where=commit,
                hint="put its files into this repository",
            )
        if entry.mode not in (LINK, RUNNABLE, "100644", "100664"):
            raise errors.Invalid(f"{refs.plain(path)} has the mode {entry.mode}, which no file has", where=commit)
        for part in parts:
            if part in ("", ".", "..") or is_git_name(part):
                raise errors.Invalid(
                    f"{refs.plain(path)} has the part {part!r}, which no file of a tree may have", where=commit
                )
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        taken = next((folder for folder in above if folder in entries), None)
        if taken:
            raise errors.Invalid(f"{refs.plain(taken)} is a file and a folder at once", where=commit)


def check_link(path: str, target: bytes, commit: str) -> None:
    """Refuse a link that leaves the tree.

    The target must be relative, go up first and only as far as the tree's root, then down: each link that it passes obeys the
    same rule, so that following any chain of them stays inside.
    """
    parts = target.split(b"/")
    down = next((index for index, part in enumerate(parts) if part not in (b"..", b".")), len(parts))
    climbs = parts[:down].count(b"..")
    if (
        not target
        or len(target) > LONGEST_LINK
        or target.startswith(b"/")
        or b"\0" in target
        or climbs > path.count("/")
        or b".." in parts[down:]
    ):
        shown = refs.plain(target.decode(errors="replace"))
        raise errors.Invalid(
            f"{refs.plain(path)} is a link to {shown}, which leaves the tree",
            where=commit,
            hint="link only to files of the repository",
        )


def is_git_name(part: str) -> bool:
    """Whether some file system takes this name for `.git`."""
    seen = _IGNORED.sub("", part).split(":")[0].rstrip(". ").lower()
    return seen in _GIT_NAMES


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """A predicate over paths: does one of the patterns match the path or a folder above it?"""
    compiled = [[_part(part) for part in pattern.split("/") if part not in ("", ".")] for pattern in patterns]
    return lambda path: any(parts and _matches(parts, path.split("/")) for parts in compiled)


def _part(part: str) -> re.Pattern[str] | None:
    """One name of a pattern; None: `**`, any number of folders."""
    return None if part == "**" else re.compile(fnmatch.translate(part))


def _matches(pattern: Sequence[re.Pattern[str] | None], path: Sequence[str]) -> bool:
    if not pattern:
        return True
    if pattern[0] is None:
        return any(_matches(pattern[1:], path[start:]) for start in range(len(path)))
    return bool(path) and bool(pattern[0].match(path[0])) and _matches(pattern[1:], path[1:])


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    argv, environment = repositories.command(repository, *arguments), repositories.environment(repository)
    return subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def _ls_tree(repository: Path, commit: str, *options: str, path: str | None = None) -> str:
    """What `git ls-tree -z` tells. Raises `errors.NotFound` for no commit, `errors.Corrupt` for one without a whole tree."""
    only = ("--", path) if path is not None else ()
    done = _git(repository, "ls-tree", "-z", "--full-tree", *options, refs.check_commit(commit), *only)
    if done.returncode == 0:
        return os.fsdecode(done.stdout)
    if repositories.object_kind(repository, commit) != "commit":
        raise errors.NotFound(f"there is no commit {commit}", where=str(repository))
    raise _not_whole(repository, commit)


def _not_whole(repository: Path, commit: str) -> errors.Corrupt:
    return errors.Corrupt(
        f"the tree of {commit} is not whole", where=str(repository), hint="push it again from a clone that has it"
    )


def _write_files(repository: Path, entries: dict[str, Entry], root: Path, commit: str) -> None:
    links: list[tuple[str, bytes]] = []
    folders = {""}
    order = list(entries.items())
    for (path, entry), content in zip(order, _contents(repository, [entry.blob for _, entry in order]), strict=True):
        if entry.mode == LINK:
            target = content.read(LONGEST_LINK + 1) if content.size > LONGEST_LINK else content.rest()
            check_link(path, target, commit)
            links.append((path, target))
            continue
        _ensure_folder(root, path.rpartition("/")[0], folders)
        descriptor = os.open(root / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(descriptor, 0o755 if entry.mode == RUNNABLE else 0o644)
            content.copy_to(descriptor)
        finally:
            os.close(descriptor)
    for path, target in links:  # last, so that no file is ever written through one
        _ensure_folder(root, path.rpartition("/")[0], folders)
        os.symlink(target, os.fsencode(root / path))


def _ensure_folder(root: Path, folder: str, known: set[str]) -> None:
    if folder in known:
        return
    _ensure_folder(root, folder.rpartition("/")[0], known)
    (root / folder).mkdir(mode=0o755)
    known.add(folder)


class _Content:
    """The bytes of one blob while it passes by."""

    def __init__(self, stream: IO[bytes], blob: str, size: int) -> None:
        self.size = size
        self._stream, self._blob, self._left = stream, blob, size

    def read(self, most: int) -> bytes:
        data = self._stream.read(min(most, self._left))
        self._left -= len(data)
        if not data and self._left:
            raise errors.Corrupt(f"the object {self._blob} ends {self._left} bytes early")
        return data

    def rest(self) -> bytes:
        pieces = []
        while self._left:
            pieces.append(self.read(PIECE))
        return b"".join(pieces)

    def copy_to(self, descriptor: int) -> None:
        while self._left:
            view = memoryview(self.read(PIECE))
            while view:
                view = view[os.write(descriptor, view) :]


def _contents(repository: Path, blobs: Sequence[str]) -> Iterator[_Content]:
    """The blobs in the order that was asked, through one `git cat-file --batch`."""
    with tempfile.TemporaryFile() as asked:
        asked.write("".join(f"{blob}\n" for blob in blobs).encode())
        asked.seek(0)
        argv = repositories.command(repository, "cat-file", "--batch", "--buffer")
        with subprocess.Popen(
            argv,
            env=repositories.environment(repository),
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=1 << 16,
        ) as process:
            stream = process.stdout
            assert stream is not None
            try:
                for blob in blobs:
                    head = stream.readline().split()
                    if len(head) != 3 or head[0].decode() != blob or head[1] != b"blob":
                        raise errors.Corrupt(
                            f"the object {blob} cannot be read",
                            where=str(repository),
                            hint="push it again from a clone that has it",
                        )
                    content = _Content(stream, blob, int(head[2]))
                    yield content
                    content.rest()
                    stream.read(1)
            finally:
                process.kill()
