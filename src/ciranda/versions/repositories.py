"""Bare Git repositories at `repositories/NAME.git`, reached through the git command line alone."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ciranda.kernel import errors, failpoints, files
from ciranda.versions import refs
from ciranda.versions.pushes import NOTHING

WINDOW = (sys.executable, "-I", "-m", "ciranda.app.window")
OLDEST_GIT = (2, 30)  # proc-receive came with 2.29, its fixes with 2.30
SETTINGS = {
    "core.fsync": "all",
    "core.fsyncMethod": "batch",
    "core.logAllRefUpdates": "false",
    "core.filesRefLockTimeout": "2000",
    "gc.auto": "0",
    "http.receivepack": "true",
    "receive.advertisePushOptions": "true",
    "receive.autogc": "false",
    "receive.hideRefs": "refs/changes",
    "receive.procReceiveRefs": "refs/",
    "transfer.fsckObjects": "true",
    "uploadpack.allowFilter": "true",
}
FORGOTTEN = 3600.0  # seconds: the objects of a push that is still coming are younger
FULL = 1 << 15  # bytes that are left where there is no room for a ref with its lock any more
STALE = 5.0  # seconds: a lock of Git this old belongs to a process that was killed


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit says of itself. `at` is in seconds UTC."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: str
    email: str
    at: int
    subject: str


def command(repository: Path, *arguments: str) -> list[str]:
    """The git command for a repository: its own configuration, no pager, no replaced objects, no pathspec magic."""
    return ["git", "--no-pager", "--no-replace-objects", "--literal-pathspecs", f"--git-dir={repository}", *arguments]


def environment(repository: Path, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment in which git runs: nothing of the user's or the machine's configuration, no prompt, no Git variable of a caller."""
    source = os.environ if inherited is None else inherited
    kept = {
        name: source[name]
        for name in ("PATH", "TMPDIR", "XDG_RUNTIME_DIR", "HOME", "LD_LIBRARY_PATH")
        if name in source
    }
    return kept | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": str(repository),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_COMMITTER_NAME": "ciranda",
        "GIT_COMMITTER_EMAIL": "ciranda@localhost",
        "LC_ALL": "C.UTF-8",
    }


def check_git() -> None:
    """Raise `errors.Refused` where git is missing or too old for the window."""
    try:
        told = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        raise errors.Refused("git is not on the PATH", hint="install Git 2.30 or newer") from None
    found = tuple(int(part) for part in told.split()[2].split(".")[:2] if part.isdigit())
    if found < OLDEST_GIT:
        raise errors.Refused(f"{told.strip()} is too old", hint="install Git 2.30 or newer")


def path(folder: Path, name: str) -> Path:
    """Where a repository lies, whether it exists or not."""
    return folder / f"{refs.check_name(name)}.git"


def ensure(folder: Path, name: str, *, window: Sequence[str] = WINDOW) -> Path:
    """The repository, made at once or not at all, with settings and hooks brought up to date; `folder` is a home's `repositories/`."""
    repository = path(folder, name)
    with files.room(folder):
        if not repository.exists():
            _make(folder, repository, window)
        elif _written_settings(repository) != _settings():
            _configure(repository)
        for hook in ("proc-receive", "post-receive"):
            _write_hook(repository, hook, hook_text(folder.parent, hook, window))
    return repository


def hook_text(home: Path, hook: str, window: Sequence[str]) -> str:
    """The hook: a shell that becomes the window."""
    return f"#!/bin/sh\nCIRANDA_HOME={_quoted(str(home))}\nexport CIRANDA_HOME\nexec {' '.join(_quoted(word) for word in window)} {hook}\n"


def names(folder: Path) -> list[str]:
    """Every repository of a home."""
    if not folder.exists():
        return []
    return sorted(
        entry.name.removesuffix(".git")
        for entry in folder.iterdir()
        if entry.suffix == ".git" and not entry.name.startswith(".")
    )


def sweep(folder: Path) -> None:
    """Take away what was left by whoever was killed an hour ago or more: pushes while they sent, repositories that were being made."""
    for left in (*folder.glob("*.git/objects/tmp_objdir-incoming-*"), *folder.glob(".new-*")):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > FORGOTTEN:
                shutil.rmtree(left, ignore_errors=True)


def read_ref(repository: Path, ref: str) -> str | None:
    """The object that a full ref name points to; None: there is no such ref."""
    return list_refs(repository, ref).get(ref)


def list_refs(repository: Path, *prefixes: str) -> dict[str, str]:
    """Every ref under the prefixes (whole path components), by name."""
    told = _git(repository, "for-each-ref", "--format=%(objectname) %(refname)", *prefixes)
    pairs = (line.split(" ", 1) for line in os.fsdecode(told).splitlines())
    return {ref: oid for oid, ref in pairs}


def write_change_ref(repository: Path, number: int, commit: str) -> str:
    """Keep a change's commits from collection, durably, before its row is written; returns the ref. Safe to repeat."""
    ref = f"refs/changes/{int(number)}"
    if not update_ref(repository, ref, commit, NOTHING) and read_ref(repository, ref) != commit:
        raise errors.Stale(f"{ref} already names another commit", where=str(repository))
    return ref


def update_ref(repository: Path, ref: str, new: str, old: str) -> bool:
    """Move a ref from `old` to `new` (40 zeros: nothing), durably; False: it is elsewhere. Raises `errors.Refused` with Git's reason."""
    failpoints.failpoint("ref.update")
    arguments = (
        ["-d", ref, refs.check_commit(old)] if new == NOTHING else [ref, refs.check_commit(new), refs.check_commit(old)]
    )
    for attempt in (1, 2):
        done = _run(repository, "update-ref", "--no-deref", *arguments)
        if done.returncode == 0:
            failpoints.failpoint("ref.updated")
            return True
        if (read_ref(repository, ref) or NOTHING) != old:
            return False
        if attempt == 2 or not _remove_stale_locks(repository, ref):
            raise _failed(f"Git could not move {refs.plain(ref)}", repository, done.stderr)
    return False


def set_head(repository: Path, branch: str) -> None:
    """What a clone checks out."""
    _git(repository, "symbolic-ref", "HEAD", branch)


def is_ancestor(repository: Path, older: str, newer: str) -> bool:
    """Whether `older` is `newer` or one of its ancestors."""
    done = _run(repository, "merge-base", "--is-ancestor", refs.check_commit(older), refs.check_commit(newer))
    if done.returncode > 1:
        raise errors.NotFound(
            f"Git cannot compare {older[:7]} and {newer[:7]}: {_reason(done.stderr)}", where=str(repository)
        )
    return done.returncode == 0


def object_kind(repository: Path, name: str) -> Literal["commit", "tag", "tree", "blob"] | None:
    """What kind of object a full name names; None: no such object."""
    done = _run(repository, "cat-file", "-t", refs.check_commit(name))
    kind = done.stdout.decode().strip()
    return kind if done.returncode == 0 else None  # type: ignore[return-value]


def commit(repository: Path, name: str) -> Commit:
    """What a commit says of itself; raises `errors.NotFound`."""
    form = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%ct%x00%s"
    done = _run(repository, "log", "-1", "--no-show-signature", form, refs.check_commit(name), "--")
    if done.returncode:
        raise errors.NotFound(f"there is no commit {name}", where=str(repository))
    found, tree, parents, author, email, at, subject = done.stdout.decode("utf-8", "replace").rstrip("\n").split("\0")
    return Commit(found, tree, tuple(parents.split()), author, email, int(at), subject)


def messages(repository: Path, older: str | None, newer: str, most: int = 1000) -> list[tuple[str, str, str]]:
    """The commits that lead from one (None: the beginning) to another, oldest first: name, author, whole message."""
    span = refs.check_commit(newer) if older is None else f"{refs.check_commit(older)}..{refs.check_commit(newer)}"
    told = _git(repository, "log", "--reverse", f"--max-count={most}", "--format=%H%x00%an%x00%B%x00%x01", span, "--")
    found = []
    for text in told.decode("utf-8", "replace").split("\0\x01")[:-1]:
        name, author, message = text.lstrip("\n").split("\0", 2)
        found.append((name, author, message))
    return found


def between(repository: Path, older: str, newer: str) -> tuple[int, int]:
    """How many commits lead from one to another, and by how many people. Raises errors.Refused."""
    told = _git(repository, "log", "--format=%ae", f"{refs.check_commit(older)}..{refs.check_commit(newer)}", "--")
    people = told.decode("utf-8", "replace").split()
    return len(people), len(set(people))


def _settings() -> str:
    return "".join(f"{key} = {value}\n" for key, value in sorted(SETTINGS.items()))


def _written_settings(repository: Path) -> str:
    try:
        return (repository / "ciranda-settings").read_text()
    except FileNotFoundError:
        return ""


def _make(folder: Path, repository: Path, window: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        _git(fresh, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", "--object-format=sha1")
        _configure(fresh)
        for hook in ("proc-receive", "post-receive"):
            _write_hook(fresh, hook, hook_text(folder.parent, hook, window))
        failpoints.failpoint("repository.rename")
        try:
            fresh.rename(repository)
        except OSError:
            if not repository.exists():  # else somebody else made it meanwhile
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _configure(repository: Path) -> None:
    for key, value in SETTINGS.items():
        _git(repository, "config", "--file", str(repository / "config"), key, value)
    (repository / "ciranda-settings").write_text(_settings())


def _write_hook(repository: Path, name: str, text: str) -> None:
    hook = repository / "hooks" / name
    with suppress(FileNotFoundError):
        if hook.read_text() == text:
            return
    hook.parent.mkdir(exist_ok=True)
    descriptor, fresh = tempfile.mkstemp(prefix=f".{name}-", dir=hook.parent)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(descriptor)
    os.chmod(fresh, 0o755)
    os.replace(fresh, hook)


def _remove_stale_locks(repository: Path, ref: str) -> bool:
    """What was killed leaves locks that Git never takes away; control alone writes refs, so an old one has no owner."""
    removed = False
    for lock in (repository / f"{ref}.lock", repository / "HEAD.lock", repository / "packed-refs.lock"):
        with suppress(FileNotFoundError, NotADirectoryError):  # the latter: a branch has the name of its folder
            if time.time() - lock.stat().st_mtime > STALE:
                lock.unlink()
                removed = True
    return removed


def _git(repository: Path, *arguments: str) -> bytes:
    done = _run(repository, *arguments)
    if done.returncode:
        raise _failed(f"git {arguments[0]} failed", repository, done.stderr)
    return done.stdout


def _run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(repository, *arguments),
        env=environment(repository),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def _failed(what: str, repository: Path, stderr: bytes) -> errors.CirandaError:
    if os.strerror(errno.ENOSPC).encode() in stderr or _full(repository):
        return files.full(repository)
    return errors.Refused(f"{what}: {_reason(stderr)}", where=str(repository))


def _full(repository: Path) -> bool:
    """Git does not say of every failure that there was no room."""
    try:
        found = os.statvfs(repository)
    except FileNotFoundError:  # then that is what is wrong, and Git says so
        return False
    return found.f_blocks > 0 and found.f_bavail * found.f_frsize < FULL


def _reason(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return refs.plain(lines[-1].removeprefix("fatal: ").removeprefix("error: ")) if lines else "no reason given"


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
