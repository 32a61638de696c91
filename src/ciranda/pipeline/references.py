"""References: sources that lie outside of the project. They are listed with what pins them, and not copied unless they are kept.

The version of one has the codec `reference`; its object is the canonical listing `[[path or URL, bytes, pin]]`. The pin of a
file is the digest of its bytes; of a URL its ETag, else its Last-Modified, else the digest of its body. A kept one is a
version like that of files of the tree: its bytes are in the store.
"""

import os
import stat
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from ciranda.kernel import confine, digest, errors, outbound, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.pipeline import fingerprint, tree
from ciranda.pipeline.records import Version
from ciranda.project.declaration import Source

sql = statements.load("ciranda.pipeline")
CODEC = "reference"
FORMAT = 1
LARGEST = 16 << 30  # bytes that are read from one URL
MOST = 100_000  # files of one reference
_ATTEMPTS = 3  # at a file that changes while it is read
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or URL: where it is, its bytes (None: a server did not say), and what pins it."""

    place: str
    size: int | None
    pin: str  # "b3:…" (of the bytes), "etag:…", "modified:…"

    @property
    def remote(self) -> bool:
        return not self.place.startswith("/")

    @property
    def name(self) -> str:
        """Where it lies among the files of its source: a file under its own path, a URL under its last name."""
        if not self.remote:
            return self.place[1:]
        last = PurePosixPath(unquote(urlsplit(self.place).path)).name
        return last if last not in ("", ".", "..") and "\0" not in last and "/" not in last else "body"


class Sink(Protocol):
    """What takes the pieces of a body."""

    def write(self, data: bytes, /) -> object:
        """Take a piece."""


class Moved(errors.Refused):
    """What a reference leads to is no longer what its pin says."""

    def __init__(self, asset: str, place: str, was: str, now: str) -> None:
        super().__init__(
            f"{asset} moved underneath: {place} was {short(was)}, {now}",
            hint="take it in with: ciranda run --refresh",
        )


@dataclass
class Marks:
    """Digests of files by what changes with them, remembered in the ledger: an unchanged file is never read again."""

    database: Database
    _known: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)  # folder → path → mark, digest
    _fresh: dict[str, tuple[str, str]] = field(default_factory=dict)

    def find(self, place: str) -> tuple[str, str] | None:
        """Mark and digest of a path (or of a URL: validator and digest) as they were remembered."""
        folder = place.rpartition("/")[0]
        if folder not in self._known:
            rows = self.database.query(sql.file_stats, tree=f"outside {folder}")
            self._known[folder] = {row["path"]: (row["mark"], row["digest"]) for row in rows}
        return self._fresh.get(place) or self._known[folder].get(place)

    def note(self, place: str, mark: str, found: str) -> None:
        self._fresh[place] = (mark, found)

    def keep(self) -> None:
        """Remember what was noted."""
        fresh, self._fresh = self._fresh, {}

        def work(tx: Transaction) -> None:
            for place, (mark, found) in fresh.items():
                folder = place.rpartition("/")[0]
                tx.execute(sql.keep_file_stat, tree=f"outside {folder}", path=place, mark=mark, digest=found)

        for place, told in fresh.items():
            self._known.setdefault(place.rpartition("/")[0], {})[place] = told
        if fresh:
            self.database.submit(work)


@dataclass(frozen=True)
class Outside:
    """What references are looked at with. `home` is what nothing may be read from."""

    store: Store
    marks: Marks
    reach: outbound.Reach
    home: Path


def version(source: Source, outside: Outside) -> Version:
    """A reference as it is now. With `keep` its bytes are copied into the store.

    Raises errors.Invalid for one that leads to nothing or to what may not be read, errors.Unreachable, errors.Stale for files
    that do not keep still, errors.StorageFull.
    """
    try:
        found = _keep(source, outside) if source.keep else _list(source, outside)
    except errors.CirandaError as error:
        if isinstance(error, errors.StorageFull):
            raise
        what = f"the source {source.name} cannot be had: {error}"
        raise errors.Invalid(what, where=error.where or f"ciranda.toml:{source.line}", hint=error.hint) from error
    outside.marks.keep()
    return found


def entries(store: Store, listing: str) -> list[Entry]:
    """What a version of the codec `reference` names. Raises errors.NotFound, errors.Corrupt."""
    return [Entry(str(place), size, str(pin)) for place, size, pin in digest.parse(store.get(listing))]


def short(pin: str) -> str:
    """A pin as people read it."""
    return f"{pin[:11]}…" if digest.is_digest(pin) else pin


def paths(source: Source) -> list[str]:
    """The files that a reference's pattern names, as absolute paths in name order; names that begin with a dot are left out.

    Raises errors.Refused for more than MOST, and for a folder that cannot be read.
    """
    pattern = os.path.normpath(os.path.expanduser(source.files))
    parts = PurePosixPath(pattern).parts
    plain = next((n for n, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
    root = str(PurePosixPath(*parts[:plain]))
    if os.path.isfile(root):
        return [root] if plain == len(parts) else []

    def refuse(error: OSError) -> None:
        raise _unreadable(str(error.filename), error)

    found: list[str] = []
    for folder, inner, names in os.walk(root, onerror=refuse if os.path.isdir(root) else None):
        inner[:] = [name for name in inner if not name.startswith(".")]
        found += [os.path.join(folder, name) for name in names if not name.startswith(".")]
        if len(found) > MOST:
            raise errors.Refused(f"it has more than {MOST:,} files", where=root, hint="name fewer: a narrower pattern")
    relative = {path.removeprefix("/"): path for path in found}
    return [relative[path] for path in fingerprint.matching(relative, pattern.removeprefix("/"))]


def folders(listed: Iterable[Entry]) -> list[Path]:
    """The folders and files that a confined worker must see to read what is listed."""
    temporary = {Path(place).resolve() for place in ("/tmp", "/var/tmp", "/run", os.environ.get("TMPDIR", "/tmp"))}
    found: dict[Path, None] = {}
    for entry in listed:
        if not entry.remote:
            real = Path(os.path.realpath(entry.place))
            found[real if real.parent in temporary else real.parent] = None
    return list(found)


def allow(place: str, home: Path) -> None:
    """Refuse a path that leads into the home or to credentials: a source must not read what a step may not."""
    real = Path(os.path.realpath(place))
    barred = [home.resolve(), *(path.resolve() for path in confine.credentials(Path(os.path.expanduser("~"))))]
    if any(real.is_relative_to(path) for path in barred):
        raise errors.Refused("it leads into the home or to credentials, which no step may read", where=place)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def digest_of(place: str, marks: Marks) -> tuple[str, str, int]:
    """Mark, digest and bytes of a file; it is read only if it may have changed since it was read last.

    Raises errors.Stale for one that changes while it is read, errors.Refused for what cannot be read.
    """
    for _ in range(_ATTEMPTS):
        try:
            now = time.time_ns()
            with open(place, "rb") as file:
                before = os.fstat(file.fileno())
                if not stat.S_ISREG(before.st_mode):
                    raise errors.Refused("it is not a file", where=place)
                mark = tree.mark(before)
                remembered = marks.find(place)
                if remembered is not None and remembered[0] == mark:
                    return mark, remembered[1], before.st_size
                found = _hash(file)
                after = tree.mark(os.fstat(file.fileno()))
            if after == mark == tree.mark(os.stat(place)):
                if max(before.st_mtime_ns, before.st_ctime_ns) < now - tree.RACY:
                    marks.note(place, mark, found)
                return mark, found, before.st_size
        except OSError as error:
            raise _unreadable(place, error) from error
    raise errors.Stale("it keeps changing while it is read", where=place, hint="is it still being written?")


def _hash(file: BinaryIO) -> str:
    """The digest of a file that somebody else may cut short at any time: it is read, never mapped."""
    whole = digest.hasher("object")
    while piece := file.read(_PIECE):
        whole.update(piece)
    return digest.PREFIX + whole.hexdigest()


def _list(source: Source, outside: Outside) -> Version:
    listed = [_asked(source.url, outside)] if source.url else [_file(path, outside) for path in _found(source, outside)]
    with outside.store.batch():
        made = outside.store.put(digest.canonical([[entry.place, entry.size, entry.pin] for entry in listed]))
    size = sum(entry.size or 0 for entry in listed)
    return Version(source.name, made, _key(source, made), CODEC, size, "source")


def _file(path: str, outside: Outside) -> Entry:
    _, found, size = digest_of(path, outside.marks)
    return Entry(path, size, found)


def _found(source: Source, outside: Outside) -> list[str]:
    found = paths(source)
    if not found:
        raise errors.NotFound(
            f'no file is called "{source.files}" here',
            where=f"ciranda.toml:{source.line}",
            hint="is it mounted, is it spelt so?",
        )
    for path in found:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise errors.Invalid("a file's name must be UTF-8", where=ascii(path), hint="rename it") from None
        allow(path, outside.home)
    return found


def _unreadable(place: str, error: OSError) -> errors.Refused:
    return errors.Refused(f"it cannot be read: {error.strerror or error}", where=place)


# ── URLs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def validator(answer: outbound.Answer) -> str | None:
    """What an answer says of its version: its ETag, else when it was modified, if that is long enough ago to tell anything."""
    tag = answer.headers.get("etag", "").strip()
    if tag:
        return f"etag:{tag}"
    modified = answer.headers.get("last-modified", "").strip()
    try:
        when = parsedate_to_datetime(modified).timestamp()
        now = parsedate_to_datetime(answer.headers["date"]).timestamp() if "date" in answer.headers else time.time()
    except (TypeError, ValueError):
        return None
    return f"modified:{modified}" if when < now - 2 else None


def check_answer(answer: outbound.Answer, place: str) -> None:
    """Refuse an answer that is not the whole of what was asked for."""
    if answer.status != 200:
        raise errors.Unreachable(f"the server answered {answer.status}", where=place)
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise errors.Refused("the server sends it compressed, though it was asked not to", where=place)
    length = length_of(answer)
    if length is not None and length > LARGEST:
        raise _too_large(place)


def length_of(answer: outbound.Answer) -> int | None:
    """The bytes that an answer says it has."""
    said = answer.headers.get("content-length", "")
    return int(said) if said.isdigit() else None


def drain(answer: outbound.Answer, place: str, into: Sink | None) -> tuple[str, int]:
    """Read a body to its end, into a file if there is one: its digest and its bytes."""
    whole, size = digest.hasher("object"), 0
    for piece in answer.pieces:
        size += len(piece)
        if size > LARGEST:
            raise _too_large(place)
        whole.update(piece)
        if into is not None:
            into.write(piece)
    return digest.PREFIX + whole.hexdigest(), size


def _asked(url: str, outside: Outside) -> Entry:
    with outbound.get(url, outside.reach) as answer:
        check_answer(answer, url)
        pin = validator(answer)
        if pin is not None:
            return Entry(url, length_of(answer), pin)
        found, size = drain(answer, url, None)
        return Entry(url, size, found)


def _too_large(place: str) -> errors.Refused:
    return errors.Refused(f"it is larger than {LARGEST >> 30} GiB", where=place)


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _keep(source: Source, outside: Outside) -> Version:
    if source.url:
        kept = [(Entry(source.url, None, "").name, *_keep_url(source.url, outside))]
    else:
        kept = [(path[1:], *_keep_file(path, outside)) for path in _found(source, outside)]
    made = outside.store.put_listing([[name, found, 0o644] for name, found, _ in kept])
    return Version(source.name, made, _key(source, made), "files", sum(size for _, _, size in kept), "source")


def _keep_file(path: str, outside: Outside) -> tuple[str, int]:
    """A file's bytes, copied: its digest and size are those of the copy, whatever happens to the file meanwhile."""
    store = outside.store
    for _ in range(_ATTEMPTS):
        now = time.time_ns()
        with ExitStack() as opened:
            try:
                file = opened.enter_context(open(path, "rb"))
                before = os.fstat(file.fileno())
            except OSError as error:
                raise _unreadable(path, error) from error
            if not stat.S_ISREG(before.st_mode):
                raise errors.Refused("it is not a file", where=path)
            remembered = outside.marks.find(path)
            if remembered is not None and remembered[0] == tree.mark(before) and store.has(remembered[1]):
                return remembered[1], before.st_size
            copy = opened.enter_context(store.incoming())
            while piece := _piece(file, path):
                copy.write(piece)
            mark = tree.mark(os.fstat(file.fileno()))
            if mark == tree.mark(before):
                kept = copy.keep()
                if max(before.st_mtime_ns, before.st_ctime_ns) < now - tree.RACY:
                    outside.marks.note(path, mark, kept)
                return kept, copy.size
    raise errors.Stale("it keeps changing while it is copied", where=path, hint="is it still being written?")


def _keep_url(url: str, outside: Outside) -> tuple[str, int]:
    store = outside.store
    with outbound.get(url, outside.reach) as answer:
        check_answer(answer, url)
        said, remembered = validator(answer), outside.marks.find(url)
        if said is not None and remembered is not None and remembered[0] == said and store.has(remembered[1]):
            return remembered[1], store.size(remembered[1])
        with store.incoming() as copy:
            drain(answer, url, copy)
            kept = copy.keep()
    if said is not None:
        outside.marks.note(url, said, kept)
    return kept, copy.size


def _piece(file: BinaryIO, path: str) -> bytes:
    try:
        return file.read(_PIECE)
    except OSError as error:
        raise _unreadable(path, error) from error


def _key(source: Source, made: str) -> str:
    return digest.of("key", {"format": FORMAT, "source": source.name, "files": made})
