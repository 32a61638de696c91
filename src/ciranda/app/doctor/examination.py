"""Everything that the doctor looks at, in order; what cannot be looked at is a finding, and the rest goes on."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.app import nearest
from ciranda.app.doctor import delivery, findings, house, keeping, ledger, machine, project, running, telling
from ciranda.app.doctor.findings import Finding
from ciranda.app.views import status
from ciranda.kernel import clock, database, errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.pipeline import locks
from ciranda.project import read
from ciranda.service import counters, table
from ciranda.versions import repositories

COLLECT = "ciranda gc"


@dataclass(frozen=True, slots=True)
class Part:
    """What was looked at: `machine`, `home` or `project`, where it is, and what was found."""

    name: str
    where: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was found."""

    parts: tuple[Part, ...]

    def count(self, level: findings.Level) -> int:
        return sum(finding.level == level for part in self.parts for finding in part.findings)

    def document(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {**asdict(self), **{level: self.count(level) for level in ("ok", "warn", "wrong")}}


def examine(home: homes.Home, start: Path, *, deep: bool, report: Callable[[str], None]) -> Examination:
    """Look at the machine, the home, and the project around `start` if there is one. Nothing is changed.

    `deep`: every object of the store is read, Git looks at every object, every event is verified. `report`: what is looked at.
    """
    report("machine")
    parts = [Part("machine", "", tuple(_machine(home)))]
    report("home")
    parts.append(Part("home", str(home.root), tuple(_home(home, deep, report))))
    folder = nearest.folder(start)
    if folder is not None:
        report("project")
        parts.append(Part("project", str(folder), tuple(_project(folder, home))))
    return Examination(tuple(parts))


def _machine(home: homes.Home) -> Iterable[Finding]:
    return findings.guarded("the machine", lambda: machine.judge(machine.observe(home), collect=COLLECT))


def _home(home: homes.Home, deep: bool, report: Callable[[str], None]) -> Iterator[Finding]:
    try:
        found = house.observe(home)
    except OSError as error:
        yield findings.wrong(
            f"the home cannot be looked into: {(error.strerror or '').lower()}", str(home.root), "ls -ld it"
        )
        return
    yield from house.judge(found)
    if found.format is None:
        return
    yield from findings.guarded(
        "the room that it takes", lambda: house.judge_usage(house.usage(home), house.logs(home))
    )
    server: list[running.Server] = []

    def look() -> Iterator[Finding]:
        server.append(running.observe(home))
        yield from running.judge(server[0])

    yield from findings.guarded("the server", look)
    if found.format == homes.FORMAT:
        yield from _opened(home, server[0] if server else None, deep, report)
    yield from _repositories(home, deep, report)


def _opened(
    home: homes.Home, server: running.Server | None, deep: bool, report: Callable[[str], None]
) -> Iterator[Finding]:
    """What the ledger tells, and what it names."""
    try:
        opened = database.open(home.ledger_url, Path(server.folder) if server else home.state)
    except (errors.CirandaError, OSError) as error:
        yield findings.wrong(f"the ledger cannot be opened: {error}", str(home.root), "look at ledger.url")
        return
    try:
        report("ledger")
        whole = findings.guarded("the ledger", partial(ledger.whole, home, opened))
        yield from whole
        if any(finding.level == "wrong" for finding in whole):
            yield findings.warn(
                "what is delivered, kept and due was not looked at: only the ledger knows it", str(home.root)
            )
            return
        looks = _looks(home, opened, Store(home.store), server, deep)
        for what, one in looks.items():
            report(what)
            yield from findings.guarded(what, one)
    finally:
        opened.close()


def _looks(
    home: homes.Home, opened: Database, store: Store, server: running.Server | None, deep: bool
) -> dict[str, Callable[[], Iterable[Finding]]]:
    now_us, up = clock.now_us(), server is not None and server.up
    known = {project.name: project for project in changes.projects(opened)}
    live: list[keeping.Live] = []

    def objects() -> Iterator[Finding]:
        live.extend(keeping.live(opened, store))
        yield from keeping.objects(live, store, budget=None if deep else keeping.BUDGET)

    looks: dict[str, Callable[[], Iterable[Finding]]] = {
        "the events": lambda: ledger.chained(opened, now_us, deep=deep),
        "the token": lambda: ledger.token(home, opened),
        "the secrets": lambda: ledger.sealed(home, opened, known),
        "tasks and runs": lambda: ledger.moving(opened, now_us, runner=up),
        "changes": lambda: delivery.waiting(opened, now_us),
        "infrastructure": lambda: delivery.infra(opened, now_us),
        "what is delivered": lambda: delivery.judge(
            _status(home, opened, server), up=up, served=server is not None and server.serves
        ),
        "the secrets that are needed": lambda: delivery.unset(opened, store, known),
        "who is told": lambda: telling.channels(home, opened, known, now_us),
        "the objects of what is live": objects,
        "the interpreters of what is live": lambda: keeping.programs(live, home),
    }
    if deep:
        looks["the store"] = lambda: keeping.every(home.store, store)
    for one in known.values():
        looks[f"the branch of {one.name}"] = partial(keeping.refs, opened, home, one)
    return looks


def _repositories(home: homes.Home, deep: bool, report: Callable[[str], None]) -> Iterator[Finding]:
    names = repositories.names(home.repositories)
    found: list[Finding] = []
    for name in names:
        report(f"repository {name}")
        found += findings.guarded(f"the repository {name}", partial(keeping.repository, home, name, deep=deep))
    yield from found
    if names and not found:
        yield findings.ok(f"{findings.plural(len(names), 'repository', 'repositories')}, whole as Git sees them")


def _project(folder: Path, home: homes.Home) -> Iterator[Finding]:
    declared = list(project.declared(folder))
    yield from declared
    if any(finding.level == "wrong" for finding in declared):
        return
    said = read.read(folder)
    lock: list[locks.Lock | None] = []

    def locked() -> Iterator[Finding]:
        lock.append(locks.resolve(folder))
        yield project.judge_lock(lock[0])

    def files() -> Iterator[Finding]:
        found = project.observe(folder, said)
        yield from project.judge(said, found)
        yield from project.modules(folder, said, found.paths, lock[0] if lock else None)

    yield from findings.guarded("the lock", locked)
    yield from findings.guarded("the files of the project", files)
    seen: list[project.Remote] = []

    def pushed() -> Iterator[Finding]:
        seen.append(project.look_at_remote(folder, home))
        yield project.judge_remote(seen[0])

    yield from findings.guarded("the remote", pushed)
    here = not seen or seen[0].url is None or seen[0].home
    if here and (home.root / "format").exists():
        yield from findings.guarded("the secrets of the project", lambda: _unset(home, said))


def _unset(home: homes.Home, said: Any) -> list[Finding]:
    opened = database.open(home.ledger_url, home.state)
    try:
        return list(project.unset(opened, said))
    finally:
        opened.close()


def _status(home: homes.Home, opened: Database, server: running.Server | None) -> status.Status:
    """The state as `ciranda status` has it, with what runs as it was found here."""
    try:
        routes, counted = table.load(home.state / "routes.json"), counters.read(home.state / "counters")
    except errors.Corrupt:
        routes, counted = table.Table(), {}
    there = server.instances if server is not None else frozenset[str]()
    return status.gather(home, opened, running=status.Running(server is not None and server.up, there, routes, counted))
