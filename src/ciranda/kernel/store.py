"""Objects by digest: small ones in packs, large ones as files, folders as listings of both (ARCHITECTURE.md §6).

An object is durable before its digest is given to anybody (in a batch: before the batch ends), so that the ledger never
names what a crash takes away. What is read is checked against its digest.
"""

import fcntl
import os
import shutil
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ciranda.kernel import clock, copying, digest, errors, files, pack, packs
from ciranda.kernel.failpoints import failpoint

INLINE = 64 << 10  # bytes; a larger object is a file of its own
_HELD = 16 << 20  # bytes that a batch keeps in memory before it writes a frame
_PIECE = 1 << 20  # bytes that are read at once
_STALE = 86_400.0  # seconds after which a temporary file is nobody's any more


class _Batch(threading.local):
    """What one thread has put and not made durable yet."""

    def __init__(self) -> None:
        self.depth = 0
        self.items: dict[bytes, pack.Item] = {}
        self.size = 0
        self.folders: set[Path] = set()


class Store:
    """The objects under one root. Any number of threads and processes may use the same root."""

    def __init__(self, root: Path) -> None:
        self._root, self._objects, self._tmp = root, root / "objects", root / "tmp"
        self._packs = packs.Packs(root / "packs")
        self._lock = threading.Lock()
        self._batch = _Batch()
        self._held: dict[bytes, list[pack.Item]] = {}  # what the batches of all threads hold, readable already
        self._verified: set[tuple[int, int, int, int]] = set()  # device, inode, size, modified
        self._swept = False

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Small puts of this thread inside share one fsync, done at exit; if the body raises, they are as if never put.

        Raises errors.StorageFull at exit.
        """
        batch = self._batch
        batch.depth += 1
        try:
            yield
            if batch.depth == 1:
                self._flush()
        finally:
            batch.depth -= 1
            if batch.depth == 0:
                self._let_go()
                batch.folders.clear()

    def put(self, data: bytes) -> str:
        """Keep bytes and return their digest. Raises errors.StorageFull."""
        name = digest.digest("object", data)
        with self.batch():
            if len(data) <= INLINE:
                self._hold(pack.Item(_raw(name), data, folder=False))
            elif not self._has_file(name, len(data)):
                temporary = self._temporary()
                with self._filling(temporary):
                    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                    try:
                        files.write_all(descriptor, data)
                    finally:
                        os.close(descriptor)
                    self._land(temporary, name)
        return name

    def put_file(self, path: Path, *, move: bool = False) -> str:
        """Keep a file or a folder and return its digest; with `move` the path is gone afterwards, which costs no copy.

        A folder keeps its regular files with their paths and whether they are executable. Raises errors.Invalid for a
        link or a special file in it, errors.StorageFull.
        """
        with self.batch():
            if path.is_dir() and not path.is_symlink():
                name = self._put_folder(path, move)
                if move:
                    shutil.rmtree(path)
                return name
            return self._put_regular(path, move)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Nothing is collected meanwhile: what is put, or found to be here, stays until the ledger names it."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def alone(self, patience: float) -> Iterator[None]:
        """Nobody puts anything meanwhile. Raises errors.Refused when somebody still does after `patience` seconds."""
        until = time.monotonic() + patience
        while True:
            try:
                with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
                    yield
                    return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise errors.Refused(
                        "something is being stored: a run, or data that comes in",
                        where=str(self._root),
                        hint="try again later",
                    ) from None
                time.sleep(0.05)  # an flock knows no time-out

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with files.room(self._root.parent):
            self._root.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, how)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def incoming(self) -> "Iterator[Incoming]":
        """Bytes that come piece by piece, from a stream: `write` them, then `keep` them. What is not kept is gone afterwards.

        Raises errors.StorageFull.
        """
        temporary = self._temporary()
        with files.room(self._tmp.parent):
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            yield Incoming(self, temporary, descriptor)
        finally:
            os.close(descriptor)
            with suppress(FileNotFoundError):
                temporary.unlink()

    def land(self, temporary: Path, name: str, size: int) -> None:
        """Make a filled temporary file of `incoming` the object of that name, which is the digest of what it holds."""
        with self.batch():
            if size <= INLINE:
                self.put(_contents(temporary))
            elif not self._has_file(name, size):
                with files.room(self._tmp.parent):
                    self._land(temporary, name)

    def put_listing(self, listing: Iterable[Sequence[object]]) -> str:
        """Keep a folder whose files are kept already: (path with `/`, digest, mode 0o644 or 0o755) of each; returns its digest."""
        data = digest.canonical(sorted([list(entry) for entry in listing], key=lambda entry: str(entry[0])))
        name = digest.digest("folder", data)
        with self.batch():
            self._hold(pack.Item(_raw(name), data, folder=True))
        return name

    def has(self, digest: str) -> bool:
        """Whether the object is here; it is not read."""
        return self._small(_raw(digest)) is not None or self._file(digest).exists()

    def is_folder(self, digest: str) -> bool:
        """Whether this is a folder's digest. Raises errors.NotFound."""
        small = self._small(_raw(digest))
        if small is None and not self._file(digest).exists():
            raise _missing(digest)
        return small is not None and small.folder

    def size(self, digest: str) -> int:
        """Bytes of an object; of a folder, of all its files. Raises errors.NotFound."""
        match self._small(_raw(digest)):
            case pack.Item(folder=True) | pack.Place(folder=True):
                return sum(self.size(inner) for _, inner, _ in self.listing(digest))
            case pack.Item(data=data):
                return len(data)
            case pack.Place(length=length):
                return length
        try:
            return self._file(digest).stat().st_size
        except FileNotFoundError:
            raise _missing(digest) from None

    def get(self, digest: str) -> bytes:
        """The bytes of an object (of a folder: its listing), verified. Raises errors.NotFound, errors.Corrupt."""
        raw = _raw(digest)
        match self._small(raw):
            case pack.Item(data=data):
                return data
            case pack.Place(path=path, folder=folder):
                right = self._packs.read(raw, lambda data: _matches(digest, data, folder))
                if right is None:
                    raise _corrupt(digest, path)
                return right
        path = self._file(digest)
        try:
            with open(path, "rb") as file:
                mark = _mark(os.fstat(file.fileno()))
                data = file.read()
        except FileNotFoundError:
            raise _missing(digest) from None
        if mark not in self._verified:
            if not _matches(digest, data, folder=False):
                raise _corrupt(digest, path)
            self._verified.add(mark)
        return data

    def pieces(self, digest: str) -> Iterator[bytes]:
        """The bytes of an object, some at a time and not verified: whoever takes them knows the digest. Raises errors.NotFound."""
        if self._small(_raw(digest)) is not None:
            yield self.get(digest)
            return
        try:
            file = open(self._file(digest), "rb")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            raise _missing(digest) from None
        with file:
            while piece := file.read(_PIECE):
                yield piece

    def listing(self, digest: str) -> list[tuple[str, str, int]]:
        """What a folder holds: (path with `/`, digest, mode 0o644 or 0o755), sorted by path."""
        return [(path, inner, mode) for path, inner, mode in _parse(self.get(digest))]

    def path(self, digest: str) -> Path | None:
        """Where a large object lies as a read-only file of its own, verified once; None for one in a pack, which `get` reads.

        Raises errors.NotFound, errors.Corrupt.
        """
        if self._small(_raw(digest)) is not None:
            return None
        path = self._file(digest)
        self._verify(digest, path)
        return path

    def export(self, digest: str, destination: Path, *, own: bool = False) -> None:
        """Make a read-only file or folder of the object, at a path that does not exist yet; whole or not at all.

        By reflink, else by hard link, else by copy. With `own` it may be written to: never a hard link, and not read-only.
        Raises errors.NotFound, errors.Corrupt, errors.StorageFull, FileExistsError.
        """
        if os.path.lexists(destination):
            raise FileExistsError(destination)
        destination.parent.mkdir(parents=True, exist_ok=True)
        temporary = destination.with_name(f".{destination.name}.{os.urandom(4).hex()}.tmp")
        with files.room(destination.parent):
            try:
                if self.is_folder(digest):
                    temporary.mkdir()
                    for path, inner, mode in self.listing(digest):
                        target = temporary / path
                        target.parent.mkdir(parents=True, exist_ok=True)
                        self._export_file(inner, target, own, executable=bool(mode & 0o100))
                else:
                    self._export_file(digest, temporary, own, executable=False)
                failpoint("store.export.filled")
                os.rename(temporary, destination)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                with suppress(FileNotFoundError, IsADirectoryError):
                    os.unlink(temporary)
                raise
        failpoint("store.export.renamed")

    def discard(self, digest: str) -> None:
        """Forget an object that was found corrupt: it counts as missing here, and putting it again makes it whole."""
        self._packs.drop(_raw(digest))
        with suppress(FileNotFoundError):
            os.unlink(self._file(digest))

    # ── putting ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _put_folder(self, root: Path, move: bool) -> str:
        listing = [[path, self._put_regular(root / path, move), mode] for path, mode in sorted(_walk(root))]
        data = digest.canonical(listing)
        name = digest.digest("folder", data)
        self._hold(pack.Item(_raw(name), data, folder=True))
        return name

    def _put_regular(self, path: Path, move: bool) -> str:
        size = _regular(path).st_size
        if size <= INLINE:
            name = self.put(_contents(path))
            if move:
                path.unlink()
            return name
        if not move:
            name = digest.of_file(path)
            if self._has_file(name, size):
                return name
        temporary = self._temporary()
        with self._filling(temporary):
            copying.take(path, temporary, move=move)
            size = _regular(temporary).st_size
            name = digest.of_file(temporary)  # of what was taken: the path may be written to at any time
            if size > INLINE and not self._has_file(name, size):
                self._land(temporary, name)
                return name
            if size <= INLINE:
                self.put(_contents(temporary))
            temporary.unlink()
        return name

    def _has_file(self, name: str, size: int) -> bool:
        """Whether a large object is here as a whole; its name is made durable with this batch, whoever wrote it."""
        path = self._file(name)
        try:
            found = path.stat().st_size == size
        except FileNotFoundError:
            return False
        if found:
            self._batch.folders.add(path.parent)
        return found

    def _temporary(self) -> Path:
        with files.room(self._tmp.parent):
            self._tmp.mkdir(parents=True, exist_ok=True)
            if not self._swept:
                self._swept = True
                for entry in os.scandir(self._tmp):
                    with suppress(FileNotFoundError):
                        if entry.stat(follow_symlinks=False).st_mtime < time.time() - _STALE:
                            os.unlink(entry)
        return self._tmp / clock.uuid7()

    @contextmanager
    def _filling(self, temporary: Path) -> Iterator[None]:
        with files.room(self._tmp.parent):
            try:
                yield
            except BaseException:
                with suppress(FileNotFoundError):
                    temporary.unlink()
                raise

    def _land(self, temporary: Path, name: str) -> None:
        """Make a filled temporary file the object; its name is durable when the batch ends."""
        failpoint("store.object.written")
        path = self._file(name)
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fchmod(descriptor, 0o444)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        failpoint("store.object.synced")
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._batch.folders.update((self._objects.parent, self._objects))
        os.rename(temporary, path)
        failpoint("store.object.renamed")
        self._batch.folders.add(path.parent)

    def _hold(self, item: pack.Item) -> None:
        batch = self._batch
        if item.digest in batch.items:
            return
        batch.items[item.digest] = item
        with self._lock:
            self._held.setdefault(item.digest, []).append(item)
        batch.size += len(item.data)
        if batch.size > _HELD:
            self._flush()

    def _flush(self) -> None:
        """Make what this thread holds durable."""
        batch = self._batch
        with files.room(self._objects.parent):
            if batch.items:
                self._packs.add(list(batch.items.values()))
                self._let_go()
            for folder in batch.folders:
                files.sync_folder(folder)
            batch.folders.clear()

    def _let_go(self) -> None:
        batch = self._batch
        with self._lock:
            for raw in batch.items:
                self._held[raw].pop()
                if not self._held[raw]:
                    del self._held[raw]
        batch.items.clear()
        batch.size = 0

    # ── finding ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _small(self, raw: bytes) -> pack.Item | pack.Place | None:
        """A small object that is held, or where it is packed."""
        held = self._held.get(raw)
        if held:
            with suppress(IndexError):  # another thread has just made it durable
                return held[-1]
        return self._packs.find(raw)

    def _file(self, name: str) -> Path:
        return self._objects / name[3:5] / name[5:]

    def _export_file(self, name: str, target: Path, own: bool, *, executable: bool) -> None:
        mode = (0o555 if executable else 0o444) | (0o200 if own else 0)
        if self._small(_raw(name)) is not None:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                files.write_all(descriptor, self.get(name))
                os.fchmod(descriptor, mode)
            finally:
                os.close(descriptor)
            return
        source = self._file(name)
        self._verify(name, source)
        if own:
            copying.take(source, target, move=False)
            os.chmod(target, mode)
        else:
            copying.give(source, target, mode)

    def _verify(self, name: str, path: Path) -> None:
        """Read a large object once a process and inode."""
        try:
            mark = _mark(path.stat())
        except FileNotFoundError:
            raise _missing(name) from None
        if mark not in self._verified:
            if digest.of_file(path) != name:
                raise _corrupt(name, path)
            self._verified.add(mark)


class Incoming:
    """An object on its way in. `size` is how many bytes have come."""

    def __init__(self, store: Store, temporary: Path, descriptor: int) -> None:
        self._store, self._temporary, self._descriptor = store, temporary, descriptor
        self._whole = digest.hasher("object")
        self.size = 0

    def write(self, data: bytes) -> None:
        """Take a piece. Raises errors.StorageFull."""
        with files.room(self._temporary.parent):
            files.write_all(self._descriptor, data)
        self._whole.update(data)
        self.size += len(data)

    def keep(self, expected: str | None = None) -> str:
        """Keep what has come and return its digest. Raises errors.Corrupt where another one was `expected`."""
        name = digest.PREFIX + self._whole.hexdigest()
        if expected not in (None, name):
            raise errors.Corrupt(f"what came is {name}, not {expected}", hint="send it again")
        self._store.land(self._temporary, name, self.size)
        return name


def _walk(root: Path) -> Iterator[tuple[str, int]]:
    """The regular files under a folder as (path with `/`, mode). Raises errors.Invalid for anything else there."""
    for folder, inner, names in os.walk(root):
        for name in [*names, *(name for name in inner if os.path.islink(os.path.join(folder, name)))]:
            path = Path(folder, name)
            mode = _regular(path).st_mode
            relative = path.relative_to(root).as_posix()
            try:
                relative.encode()
            except UnicodeEncodeError:
                raise errors.Invalid("a file's name must be UTF-8", where=ascii(str(path))) from None
            yield relative, 0o755 if mode & 0o100 else 0o644


def _regular(path: Path) -> os.stat_result:
    """What a regular file is. Raises errors.Invalid for anything else."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise errors.Invalid("only regular files can be kept, no links and no special files", where=str(path))
    return found


def _contents(path: Path) -> bytes:
    """The bytes of a file that is not a link."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return file.read()


def _raw(name: str) -> bytes:
    if not digest.is_digest(name):
        raise errors.Invalid(f"{name!r} is not a digest", hint="a digest is b3: and 64 hexadecimal digits")
    return bytes.fromhex(name[3:])


def _parse(listing: bytes) -> Any:
    return digest.parse(listing)


def _matches(name: str, data: bytes, folder: bool) -> bool:
    return digest.digest("folder" if folder else "object", data) == name


def _mark(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _missing(name: str) -> errors.NotFound:
    return errors.NotFound(f"the object {name} is not in the store", hint="make it anew: ciranda run")


def _corrupt(name: str, path: Path) -> errors.Corrupt:
    return errors.Corrupt(
        f"the object {name} is not what was stored", where=str(path), hint="make it anew: ciranda run"
    )
