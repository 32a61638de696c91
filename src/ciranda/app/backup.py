"""A home as one archive, made while it runs.

The rows of the ledger and the refs of the repositories are read in one transaction, so that they are of one moment. What they name
is copied afterwards: objects are never changed, only added, so that a copy made later has them all. What can be made again (interpreters,
trees, instances) and what only this machine knows (sockets, logs of processes) is left out; so is the key of the secrets, unless it is
asked for.

    ciranda-backup.json     first: format, sums of the tables, refs
    ledger/TABLE.jsonl      repositories/NAME.pack      store/…      lines/…      runs/ID/log.jsonl
    token      settings.toml      secrets.key
"""

import gzip
import io
import json
import lzma
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from ciranda.access import users
from ciranda.app import home as homes
from ciranda.app import nearest
from ciranda.environment import secrets
from ciranda.kernel import clock, database, dump, errors, events, files
from ciranda.kernel.database import Transaction
from ciranda.project import names
from ciranda.version import __version__
from ciranda.versions import copies, repositories

FORMAT = "ciranda.backup/1"
FACTS = "ciranda-backup.json"
KEY = secrets.FILE
OWN = ("token", "settings.toml")  # files of the home itself
COPIED = re.compile(
    rf"(store/(objects/[0-9a-f]{{2}}/[0-9a-f]{{62}}|packs/[\w.-]+\.pack)|lines/[\w.-]+\.jsonl|runs/[\w-]+/log\.jsonl"
    rf"|{'|'.join(map(re.escape, (*OWN, KEY)))})\Z",
    re.ASCII,
)  # what is copied as it is

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Made:
    """What a backup holds. `size` is the archive's, in bytes."""

    path: Path
    tables: int
    rows: int
    repositories: int
    objects: int  # files of the store: large objects and packs
    size: int
    key: bool


def packages() -> list[str]:
    """The rooms whose tables are kept."""
    return [f"ciranda.{room}" for room in homes.ROOMS]


def write(home: homes.Home, path: Path, *, key: bool, report: Report) -> Made:
    """Write the archive; it is there as a whole or not at all. A name that ends in `.gz` is compressed.

    Raises errors.Refused where the path is taken or cannot be written, errors.StorageFull.
    """
    if path.exists():
        raise errors.Refused(f"{path} is there already", hint="give the backup another name")
    if key and not (home.root / KEY).exists():
        raise errors.NotFound("this home has no secrets yet", where=str(home.root / KEY), hint="leave out --with-key")
    if not path.parent.is_dir():
        raise errors.NotFound(f"{path.parent} is no folder", where=str(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with (
            files.room(path.parent),
            homes.opened(home) as (ledger, _),
            tempfile.TemporaryDirectory(dir=path.parent) as spool,
        ):
            with suppress(errors.StorageFull):  # a home whose disk is full is backed up above all
                body = {"file": path.name, "key": key}
                ledger.write(
                    lambda tx: events.append(
                        tx, chain=users.CHAIN, kind="home.backed-up", subject="home", actor=nearest.actor(), body=body
                    )
                )
            report("ledger and refs")
            facts = _ledger(home, ledger, Path(spool))
            with tarfile.open(temporary, "w:gz" if path.suffix == ".gz" else "w") as archive:
                os.chmod(temporary, 0o600)
                objects = _fill(archive, home, facts, Path(spool), key=key, report=report)
            _sync(temporary)
            os.rename(temporary, path)
            files.sync_folder(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    tables = facts["tables"]
    rows = sum(table["rows"] for table in tables.values())
    return Made(path, len(tables), rows, len(facts["repositories"]), objects, path.stat().st_size, key)


def _ledger(home: homes.Home, ledger: database.Database, spool: Path) -> dict[str, Any]:
    """Every table into a file of the spool, and every ref, in one transaction."""
    tables: dict[str, dict[str, Any]] = {}
    refs: dict[str, dict[str, Any]] = {}

    def work(tx: Transaction) -> None:
        for table in dump.tables(packages()):
            sums = dump.Sum()
            with open(spool / table, "wb") as file:
                file.writelines(sums.add(line) for line in dump.lines(tx, table))
            tables[table] = asdict(sums.table)
        for name in repositories.names(home.repositories):
            refs[name] = asdict(copies.look(repositories.path(home.repositories, name)))

    ledger.write(work)
    made = {"format": FORMAT, "home": homes.FORMAT.strip(), "ciranda": __version__, "made_us": clock.now_us()}
    return made | {"tables": tables, "repositories": refs}


def _fill(
    archive: tarfile.TarFile, home: homes.Home, facts: dict[str, Any], spool: Path, *, key: bool, report: Report
) -> int:
    """Everything in the order in which a restore wants it; returns how many files of the store there are."""
    _text(archive, FACTS, json.dumps(facts, indent=1, sort_keys=True).encode())
    for table in facts["tables"]:
        with open(spool / table, "rb") as file:
            _file(archive, f"ledger/{table}.jsonl", file)
    for name, copy in facts["repositories"].items():
        report(f"repository {name}")
        with tempfile.TemporaryFile(dir=spool) as pack:
            if copy["refs"]:
                copies.pack(repositories.path(home.repositories, name), copy["refs"], pack)
            pack.seek(0)
            _file(archive, f"repositories/{name}.pack", pack)
    own = [name for name in OWN if (home.root / name).exists()]
    for name in [*own, *([KEY] if key else [])]:
        _text(archive, name, (home.root / name).read_bytes())
    report("store")
    objects = sum(_path(archive, home.root, path) for path in _below(home.store / "objects", "*/*"))
    objects += sum(_path(archive, home.root, path) for path in _below(home.store / "packs", "*.pack"))
    report("lines and logs of runs")
    for path in [*_below(home.lines, "*.jsonl"), *_below(home.runs, "*/log.jsonl")]:
        _path(archive, home.root, path)
    return objects


def _below(folder: Path, pattern: str) -> Iterator[Path]:
    yield from sorted(path for path in folder.glob(pattern) if path.is_file())


def _path(archive: tarfile.TarFile, root: Path, path: Path) -> bool:
    """A file as it is now; one that went away meanwhile was named by nothing that is kept."""
    try:
        with open(path, "rb") as file:
            _file(archive, path.relative_to(root).as_posix(), file)
    except FileNotFoundError:
        return False
    return True


def _file(archive: tarfile.TarFile, name: str, file: IO[bytes]) -> None:
    """A file of which no more is taken than it holds now: it may grow while it is read."""
    info = tarfile.TarInfo(name)
    info.size = os.fstat(file.fileno()).st_size
    info.mode = 0o600
    archive.addfile(info, file)


def _text(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o600
    archive.addfile(info, io.BytesIO(data))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def reading(path: Path) -> Iterator[tuple[tarfile.TarFile, dict[str, Any]]]:
    """An archive that stands at what follows its facts, of which `tables` and `repositories` are records.

    Raises errors.NotFound, errors.Invalid for another file, errors.Corrupt for one that cannot be read to its end.
    """
    if not path.is_file():
        raise errors.NotFound("there is no such backup", where=str(path))
    try:
        with tarfile.open(path, "r|*") as archive:
            first = archive.next()
            file = archive.extractfile(first) if first is not None and first.name == FACTS else None
            yield archive, _facts(json.loads(file.read()) if file is not None else {}, path)
    except PermissionError:
        raise errors.Refused("this backup cannot be read by you", where=str(path)) from None
    except (
        tarfile.TarError,
        ValueError,
        EOFError,
        RecursionError,
        gzip.BadGzipFile,
        zlib.error,
        lzma.LZMAError,
    ) as error:
        raise errors.Corrupt(
            f"this backup cannot be read: {error}", where=str(path), hint="take another one"
        ) from error


def _facts(told: Any, path: Path) -> dict[str, Any]:
    if not isinstance(told, dict) or (told.get("format"), told.get("home")) != (FORMAT, homes.FORMAT.strip()):
        raise _foreign(path)
    known = set(dump.tables(packages()))
    try:
        tables = {name: dump.Table(**said) for name, said in told["tables"].items()}
        copied = {name: copies.Copy(**said) for name, said in told["repositories"].items()}
        refs = [text for copy in copied.values() for pair in copy.refs.items() for text in pair]
    except (KeyError, TypeError, AttributeError) as error:
        raise errors.Corrupt(
            f"what this backup says of itself is not whole: {error}", where=str(path), hint="take another one"
        ) from None
    if strange := next((table for table in tables if table not in known), None):
        raise errors.Corrupt(
            "this Ciranda has no such table", where=strange, hint="use the Ciranda that made the backup"
        )
    if not all(names.problem(copy) is None for copy in copied) or not all(isinstance(text, str) for text in refs):
        raise errors.Corrupt("it names repositories that cannot be", where=str(path), hint="take another one")
    return told | {"tables": tables, "repositories": copied}


def _foreign(path: Path) -> errors.Invalid:
    return errors.Invalid(
        "this is not a backup that this Ciranda reads", where=str(path), hint="use the Ciranda that made it"
    )
