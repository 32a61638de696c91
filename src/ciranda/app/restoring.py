"""A home out of a backup: filled beside its place, compared with what the backup says of itself, and only then put there."""

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ciranda.app import backup
from ciranda.app import home as homes
from ciranda.environment import revisions
from ciranda.kernel import dump, errors, events, files
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.pipeline import interpreters
from ciranda.release import releases
from ciranda.versions import copies, repositories, trees

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, and compared: rows of tables, events of chains, refs, objects that releases name.

    `lost`: objects that releases name and that the backed-up home had lost itself, or had corrupt. `unbuilt`: interpreters of
    what is live that could not be built here, with the reason. `locked`: secrets whose key the backup did not have.
    """

    home: Path
    rows: int
    events: int
    refs: int
    objects: int
    lost: tuple[str, ...]
    unbuilt: tuple[str, ...]
    locked: int


def restore(path: Path, home: homes.Home, *, ledger: str | None, report: Report) -> Restored:
    """Make a home of a backup; it is there as a whole or not at all.

    Raises errors.Refused where something is already, errors.Corrupt where the backup is not what it says of itself.
    """
    if home.root.exists() and any(home.root.iterdir()):
        raise errors.Refused(
            "there is something here already",
            where=str(home.root),
            hint="another home: ciranda restore FILE --home DIR",
        )
    fresh = homes.Home(home.root.with_name(f".{home.root.name}.{os.getpid()}.restoring"))
    try:
        with files.room(home.root.parent):
            fresh.root.parent.mkdir(parents=True, exist_ok=True)
            with backup.reading(path) as (archive, facts):
                homes.create(fresh, ledger)
                _fill(archive, facts, fresh, report)
            report("comparing")
            rows, chained = _compared(facts, fresh)
            objects, lost = _objects(fresh)
            if home.root.exists():
                home.root.rmdir()
            os.rename(fresh.root, home.root)
    finally:
        shutil.rmtree(fresh.root, ignore_errors=True)
        shutil.rmtree(fresh.sockets, ignore_errors=True)
    for name in facts["repositories"]:
        repositories.ensure(home.repositories, name)  # its hooks name the home
    refs = sum(len(copy.refs) for copy in facts["repositories"].values())
    sealed = 0 if (home.root / backup.KEY).exists() else getattr(facts["tables"].get("secret"), "rows", 0)
    return Restored(home.root, rows, chained, refs, objects, lost, _interpreters(home, report), sealed)


def _fill(archive: tarfile.TarFile, facts: dict[str, Any], home: homes.Home, report: Report) -> None:
    seen: set[str] = set()
    with homes.opened(home) as (ledger, _):
        for member in archive:
            if member.name == backup.FACTS:
                continue  # read already
            file = archive.extractfile(member) if member.isreg() else None
            if file is None:
                raise errors.Corrupt("this is no plain file", where=member.name)
            if member.name in seen:
                raise errors.Corrupt("this is in the backup twice", where=member.name)
            seen.add(member.name)
            kind, _, name = member.name.partition("/")
            match kind:
                case "ledger":
                    _refuse_gap(name.removesuffix(".jsonl"), facts, seen)
                    _rows(ledger, name.removesuffix(".jsonl"), facts, file, home.root)
                case "repositories":
                    report(f"repository {name.removesuffix('.pack')}")
                    _repository(home, name.removesuffix(".pack"), facts, file)
                case _ if backup.COPIED.match(member.name):
                    _copy(home.root, member.name, file)
                case _:
                    raise errors.Corrupt("this does not belong into a backup", where=member.name)
    wanted = [f"ledger/{table}.jsonl" for table in facts["tables"]]
    wanted += [f"repositories/{name}.pack" for name in facts["repositories"]]
    if lost := [name for name in wanted if name not in seen]:
        raise errors.Corrupt("this is not in the backup, which says that it is", where=lost[0])


def _refuse_gap(table: str, facts: dict[str, Any], seen: set[str]) -> None:
    """Raises errors.Corrupt where a table that comes before this one, and that it may refer to, has not come."""
    tables = [each for each in dump.tables(backup.packages()) if each in facts["tables"]]
    before = tables[: tables.index(table)] if table in tables else []
    if lost := next((each for each in before if f"ledger/{each}.jsonl" not in seen), None):
        raise errors.Corrupt("this table is not in the backup, which says that it is", where=lost)


def _rows(ledger: Database, table: str, facts: dict[str, Any], file: IO[bytes], folder: Path) -> None:
    if table not in facts["tables"] or table not in dump.tables(backup.packages()):
        raise errors.Corrupt("this Ciranda has no such table", where=table, hint="use the Ciranda that made the backup")

    def work(tx: Transaction) -> None:
        if tx.one(f"SELECT 1 AS found FROM {table} LIMIT 1"):
            raise errors.Refused("the ledger is not empty", where=table, hint="name an empty one: --ledger URL")
        dump.insert(tx, table, spool)

    with tempfile.TemporaryFile(dir=folder) as spool:  # what is not as it was is no row that a table would take
        sums = dump.Sum()
        spool.writelines(sums.add(line) for line in file)
        spool.seek(0)
        if sums.table != facts["tables"][table]:
            raise errors.Corrupt(f"the rows of {table} are not as they were", where=table, hint="take another backup")
        ledger.write(work)


def _repository(home: homes.Home, name: str, facts: dict[str, Any], file: IO[bytes]) -> None:
    if name not in facts["repositories"]:
        raise errors.Corrupt("this repository is not in the backup's list", where=name)
    copy: copies.Copy = facts["repositories"][name]
    copies.unpack(home.repositories, name, copy, file)
    if copies.look(repositories.path(home.repositories, name)) != copy:
        raise errors.Corrupt("the refs of this repository are not as they were", where=name)


def _copy(root: Path, name: str, file: IO[bytes]) -> None:
    target = root / name
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(target, "xb") as out:
        shutil.copyfileobj(file, out)
        out.flush()
        os.fsync(out.fileno())
    target.chmod(0o444 if name.startswith("store/objects/") else 0o600)


def _compared(facts: dict[str, Any], home: homes.Home) -> tuple[int, int]:
    """Rows and events, each as it was when the backup was made. Raises errors.Corrupt."""
    with homes.opened(home) as (ledger, _):

        def work(tx: Transaction) -> dict[str, dump.Table]:
            found = {}
            for table in facts["tables"]:
                sums = dump.Sum()
                for line in dump.lines(tx, table):
                    sums.add(line)
                found[table] = sums.table
            return found

        found = ledger.write(work)
        for table, said in facts["tables"].items():
            if found[table] != said:
                raise errors.Corrupt(
                    f"the rows of {table} are not as they were", where=table, hint="take another backup"
                )
        chains = [str(row["chain"]) for row in ledger.query("SELECT DISTINCT chain FROM event")]
        return sum(table.rows for table in found.values()), sum(events.verify(ledger, chain) for chain in chains)


def _objects(home: homes.Home) -> tuple[int, tuple[str, ...]]:
    """How many objects the releases name, each read and verified, and those that are not what they should be."""
    lost: dict[str, None] = {}
    seen: set[str] = set()
    with homes.opened(home) as (ledger, store):
        for release in _releases(ledger):
            try:
                seen.add(release.manifest)
                content = releases.manifest(store, release)
            except (errors.NotFound, errors.Corrupt):
                lost[f"the manifest of {release.name} of {release.project}"] = None
                continue
            for name, asset in content.assets.items():
                if asset.digest not in seen:
                    seen.add(asset.digest)
                    try:
                        _verify(store, asset.digest)
                    except (errors.NotFound, errors.Corrupt):
                        lost[f"{name} of {release.name} of {release.project}"] = None
    return len(seen), tuple(lost)


def _releases(ledger: Database) -> list[releases.Release]:
    projects = sorted({str(row["project"]) for row in ledger.query("SELECT DISTINCT project FROM release")})
    return [release for project in projects for release in releases.history(ledger, project, most=1 << 31)]


def _verify(store: Store, name: str) -> None:
    if store.is_folder(name):
        for _, inner, _ in store.listing(name):
            _verify(store, inner)
    elif store.path(name) is None:  # a large one is verified by being asked for
        store.get(name)


def _interpreters(home: homes.Home, report: Report) -> tuple[str, ...]:
    """Build the interpreters of what is live, since services cannot start without them; what cannot be built is told."""
    unbuilt = []
    with homes.opened(home) as (ledger, store):
        for place in revisions.environments(ledger):
            live = revisions.current(ledger, place.project, place.name)
            known = changes.project(ledger, place.project)
            if live is None or known is None:
                continue
            release = releases.by_id(ledger, live.release)
            tree = home.trees / f"{place.project}-{releases.manifest(store, release).commit}"
            try:
                if not tree.exists():
                    trees.write(
                        repositories.path(home.repositories, known.repository), release.commit_sha, tree, store=store
                    )
                interpreters.ensure(interpreters.resolve(tree), home.interpreters, report)
            except errors.CirandaError as error:
                unbuilt.append(f"{release.name} of {place.project}: {error.message}")
    return tuple(dict.fromkeys(unbuilt))
