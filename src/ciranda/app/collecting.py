"""What a home need not keep: decided from ledger, repositories and store, shown with its reasons, and taken away.

Everything that a row of the ledger names is kept, but for rows that are known not to keep anything: those of releases, runs and cached
results which the project's `[keep]` lets go. A table that is not known here keeps whatever it names. What nothing names is a run's that
was killed, or data that was never pushed: it goes when it is a day old.
"""

import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ciranda.access import users
from ciranda.app import home as homes
from ciranda.app import nearest
from ciranda.environment import revisions
from ciranda.kernel import clock, dump, errors, events, statements, sweep
from ciranda.kernel.database import Database, Row, Transaction
from ciranda.kernel.store import Store
from ciranda.loop import changes, receive
from ciranda.project import lockfile
from ciranda.project.declaration import Keep
from ciranda.release import releases
from ciranda.versions import repositories, trees

sql = statements.load("ciranda.app", "collecting.sql")

GRACE = 86_400.0  # seconds: what is younger may belong to something under way
PATIENCE = 30.0  # seconds to wait for runs to end
DAY_US = 86_400_000_000
LARGEST = 64 << 20  # bytes of an object that is looked into for the names of others
_NAME = re.compile(rb"b3:[0-9a-f]{64}")
_DROP = {
    "unchanged": (sql.drop_unchanged,),
    "result": (sql.drop_result,),
    "outcome": (sql.drop_outcome,),
    "job_run": (sql.drop_job_verdicts, sql.drop_job_run),
}
# Tables whose rows keep no object: facts, what can be looked up anew, and names of other things.
FREE = {"event", "chain", "file_stat", "unchanged", "description", "module", "profile"}
FREE |= {"check_failure", "code_failure", "code_pass"}


@dataclass(frozen=True, slots=True)
class Going:
    """One kind of what is taken away: how many, how many bytes, and why."""

    what: str  # versions, results, job runs, trees, interpreters, runs, lines
    count: int
    size: int
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go. `releases`: those that cannot be gone back to any more; `kept` objects stay, of `size` bytes."""

    going: tuple[Going, ...]
    releases: tuple[str, ...]
    kept: int
    size: int
    objects: frozenset[str] = frozenset()
    paths: tuple[Path, ...] = ()
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def freed(self) -> int:
        """Bytes."""
        return sum(one.size for one in self.going)


@dataclass(frozen=True, slots=True)
class _Project:
    """What of a project is kept: identities of releases and runs, and since when everything is."""

    kept: dict[str, releases.Release]
    let_go: tuple[releases.Release, ...]
    runs: frozenset[str]
    changes: frozenset[str]
    since_us: int


def plan(home: homes.Home, ledger: Database, store: Store) -> Plan:
    """What would go now. Raises errors.CirandaError where a declaration or a repository cannot be read: then nothing goes."""
    projects = {str(row["name"]): _project(home, ledger, str(row["name"])) for row in ledger.query(sql.projects)}
    rows: dict[str, list[str]] = {"result": [], "outcome": [], "unchanged": []}
    roots = _named(ledger, projects, rows)
    rows["job_run"] = [
        str(row["id"])
        for name, project in projects.items()
        for row in ledger.query(sql.old_job_runs, project=name, since_us=project.since_us)
    ]
    for name, project in projects.items():
        roots |= _locked(home, ledger, name, project)
    reached = _reached(store, roots)
    profiles = [row for row in ledger.query(sql.profiles) if row["version"] in reached]
    reached |= _reached(store, {str(row["object"]) for row in profiles})
    found = {one.digest: one for one in sweep.listed(home.store)}
    before = time.time() - GRACE
    gone = frozenset(name for name, one in found.items() if name not in reached and one.at < before)
    files = [*_trees(home, ledger), *_interpreters(home, store, projects), *_old(home, projects)]
    let_go = tuple(f"{one.name} of {one.project}" for project in projects.values() for one in project.let_go)
    going = [
        Going(
            "versions",
            len(gone),
            sum(found[name].size for name in gone),
            "no release, run or job that is kept names them",
        ),
        Going("results", len(rows["result"]), 0, "cached for runs that are not kept: such a step would run again"),
        Going("job runs", len(rows["job_run"]), 0, "ended long ago; of each job the newest stay"),
        *(Going(kind, len(each), sum(map(_size, each)), why) for kind, why, each in files),
    ]
    return Plan(
        tuple(one for one in going if one.count), let_go, len(found) - len(gone),
        sum(one.size for name, one in found.items() if name not in gone), gone,
        tuple(path for _, _, each in files for path in each),
        {table: tuple(keys) for table, keys in rows.items()},
    )  # fmt: skip


def collect(home: homes.Home, ledger: Database, store: Store, report: Callable[[str], None]) -> Plan:
    """Take away what need not be kept; rows go before what they name. Safe to be killed in: the next one goes on.

    Raises errors.Refused while something is being stored, and as `plan` does.
    """
    report("waiting until nothing is being stored")
    with store.alone(PATIENCE):
        report("looking for what is named")
        decided = plan(home, ledger, store)

        def work(tx: Transaction) -> None:
            for table, acts in _DROP.items():
                for key in decided.rows[table]:
                    for statement in acts:
                        tx.execute(statement, key=key)

        if any(decided.rows.values()):
            ledger.write(work)
        report("taking away")
        sweep.remove(home.store, decided.objects)
        for path in decided.paths:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    if decided.going:
        body = {
            "freed": decided.freed,
            "releases": len(decided.releases),
            "going": {one.what: one.count for one in decided.going},
        }
        ledger.write(
            lambda tx: events.append(
                tx, chain=users.CHAIN, kind="home.collected", subject="home", actor=nearest.actor(), body=body
            )
        )
    return decided


def _project(home: homes.Home, ledger: Database, name: str) -> _Project:
    """Which releases and runs of a project are kept, by what its protected branch declares."""
    keep = _declared(home, ledger, name)
    since_us = clock.now_us() - keep.days * DAY_US
    made = releases.history(ledger, name, most=1 << 31)
    running = {str(row["release"]) for row in ledger.query(sql.needed_releases, project=name)}
    kept = {
        one.id: one
        for place, one in enumerate(made)
        if place < keep.releases or one.created_us >= since_us or one.id in running
    }
    its = {one.change for one in kept.values() if one.change}
    young = ledger.query(sql.kept_changes, project=name, since_us=since_us)
    mine = its | {str(row["id"]) for row in young}
    runs = {str(row["id"]) for row in ledger.query(sql.young_runs, project=name, since_us=since_us)}
    runs |= {str(row["run"]) for row in ledger.query(sql.runs_of_changes, project=name) if row["id"] in mine}
    runs |= {str(row["run"]) for row in ledger.query(sql.runs_of_outputs, project=name)}
    runs |= {str(row["steps_of"]) for row in ledger.query(sql.borrowed_steps, project=name) if row["id"] in runs}
    return _Project(kept, tuple(one for one in made if one.id not in kept), frozenset(runs), frozenset(mine), since_us)


def _declared(home: homes.Home, ledger: Database, name: str) -> Keep:
    known = changes.project(ledger, name)
    if known is None:
        return Keep()
    repository = repositories.path(home.repositories, known.repository)
    head = repositories.read_ref(repository, f"refs/heads/{known.branch}")
    return Keep() if head is None else receive.declared(repository, head).keep


def _named(ledger: Database, projects: Mapping[str, _Project], rows: dict[str, list[str]]) -> set[str]:
    """The digests that rows name; the keys of rows that keep nothing any more are added to `rows`."""
    runs = {run for project in projects.values() for run in project.runs}

    def work(tx: Transaction) -> set[str]:
        found: set[str] = set()
        used: set[str] = set()  # keys of what kept runs found
        tables = dump.tables([f"ciranda.{room}" for room in homes.ROOMS])
        for table in [*(each for each in tables if each not in ("result", "outcome")), "result", "outcome"]:
            if table in FREE:
                continue
            for row in tx.each(f"SELECT * FROM {table}"):
                if table in ("run_step", "run_outcome") and row["run"] in runs:
                    used.add(str(row["key"]))
                if _keeps(table, row, projects, runs) or (table in ("result", "outcome") and row["key"] in used):
                    found.update(name for value in row.values() if isinstance(value, str) for name in _digests(value))
                elif table in rows:
                    rows[table].append(str(row["key"]))
        rows["unchanged"] += [str(row["tree"]) for row in tx.query(sql.unchanged) if row["run"] not in runs]
        return found

    return ledger.write(work)


def _keeps(table: str, row: Row, projects: Mapping[str, _Project], runs: Collection[str]) -> bool:
    """Whether a row keeps what it names."""
    if table in ("run_step", "run_outcome"):
        return row["run"] in runs
    project = projects.get(str(row.get("project", "")))
    if project is None:
        return True
    match table:
        case "release":
            return row["id"] in project.kept
        case "change":
            return row["id"] in project.changes
        case "result" | "outcome":
            return row["run"] in project.runs or int(row["made_us"]) >= project.since_us
        case _:
            return True


def _digests(text: str) -> list[str]:
    return [name.decode() for name in _NAME.findall(text.encode())] if "b3:" in text else []


def _locked(home: homes.Home, ledger: Database, name: str, project: _Project) -> set[str]:
    """The digests that `ciranda.lock` names in the commits of kept releases and at the head of the branch."""
    known = changes.project(ledger, name)
    if known is None:
        return set()
    repository = repositories.path(home.repositories, known.repository)
    commits = {one.commit_sha for one in project.kept.values()}
    commits |= set(repositories.list_refs(repository, "refs/heads", "refs/tags").values())
    commits |= {str(row["head"]) for row in ledger.query(sql.heads, project=name) if row["id"] in project.changes}
    found: set[str] = set()
    for commit in commits:
        data = trees.read_file(repository, commit, lockfile.FILE)
        found.update(match.decode() for match in _NAME.findall(data or b""))
    return found


def _reached(store: Store, roots: set[str]) -> set[str]:
    """The roots and all that the objects among them name: files of folders, assets of manifests, pins of references."""
    reached: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        try:
            if store.is_folder(name) or store.size(name) <= LARGEST:
                data = store.get(name)
                waiting += [found.decode() for found in _NAME.findall(data)] if data[:1] in (b"[", b"{") else []
        except (errors.NotFound, errors.Corrupt):
            continue
    return reached


def _trees(home: homes.Home, ledger: Database) -> Iterator[tuple[str, str, list[Path]]]:
    """Trees of releases that run nowhere and are no way back."""
    needed = set()
    for place in revisions.environments(ledger):
        for one in revisions.history(ledger, place.project, place.name, 10):
            needed.add(f"{place.project}-{releases.by_id(ledger, one.release).commit_sha}")
    found = [path for path in _aged(home.trees) if path.name.removesuffix(".assets") not in needed]
    yield "trees", "of releases that run nowhere; written again when they are needed", found


def _interpreters(
    home: homes.Home, store: Store, projects: Mapping[str, _Project]
) -> Iterator[tuple[str, str, list[Path]]]:
    """Interpreters of no kept release, made before all that is kept."""
    named = set()
    for release in (release for project in projects.values() for release in project.kept.values()):
        with suppress(errors.NotFound, errors.Corrupt):
            named.add(releases.manifest(store, release).interpreter)
    found = [
        path
        for path in _aged(home.interpreters)
        if path.is_dir() and f"b3:{path.name}" not in named and path.stat().st_mtime < _since(projects)
    ]
    yield "interpreters", "of no release that is kept; built again from their locks", found


def _old(home: homes.Home, projects: Mapping[str, _Project]) -> Iterator[tuple[str, str, list[Path]]]:
    """Folders of runs and lines of changes that are not kept."""
    runs = {run for project in projects.values() for run in project.runs}
    kept = {change for project in projects.values() for change in project.changes}
    since = _since(projects)
    old = [path for path in _aged(home.runs) if path.name not in runs and path.stat().st_mtime < since]
    yield "runs", "logs of runs that are not kept", old
    lines = [path for path in _aged(home.lines) if path.stem not in kept and path.stat().st_mtime < since]
    yield "lines", "of changes, runs and jobs that are not kept", lines


def _since(projects: Mapping[str, _Project]) -> float:
    """Since when everything of every project is kept (seconds since 1970)."""
    return min([project.since_us for project in projects.values()] or [0]) / 1e6


def _aged(folder: Path) -> list[Path]:
    before = time.time() - GRACE
    return sorted(path for path in folder.iterdir() if path.stat().st_mtime < before) if folder.exists() else []


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(each.lstat().st_size for each in path.rglob("*") if not each.is_dir())
    return path.lstat().st_size
