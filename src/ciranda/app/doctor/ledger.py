"""The ledger: whether it opens, is whole, and what stands still in it."""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ciranda.access import tokens
from ciranda.app import home as homes
from ciranda.app import up
from ciranda.app.doctor import findings
from ciranda.app.doctor.findings import Finding
from ciranda.environment import secrets
from ciranda.kernel import errors, events, migrations, process, sealing, tasks
from ciranda.kernel.database import Database
from ciranda.pipeline import runs

MOST = 200_000  # events that are verified without being asked
AHEAD = 2_000_000  # µs by which an event may lie ahead of the clock
DAY = 86_400_000_000  # µs
STUCK = 60_000_000  # µs after its lease in which a task is taken again where there is a runner


def whole(home: homes.Home, database: Database) -> Iterator[Finding]:
    """Whether the database is one, and has every table. Raises what the database raises."""
    if home.ledger_url.startswith("sqlite"):
        said = [str(next(iter(row.values()))) for row in database.query("PRAGMA quick_check(5)")]
        if said != ["ok"]:
            yield findings.wrong(f"the ledger is damaged: {said[0]}", _place(home), findings.BACKUP)
            return
    else:
        database.one("SELECT 1 AS one")
    lacking = migrations.pending(database, [f"ciranda.{room}" for room in homes.ROOMS])
    if lacking:
        said_lacking = f"the tables of this Ciranda are not there: {findings.some(lacking)}"
        yield findings.wrong(
            said_lacking, _place(home), "use the Ciranda that made this home, or bring it up to date: ciranda up"
        )
        return
    yield findings.ok("the ledger is whole, and its tables are those of this Ciranda", _place(home))


def chained(database: Database, now_us: int, *, deep: bool) -> Iterator[Finding]:
    """Whether events are as they were written, and not from the future."""
    chains = events.chains(database)
    count = sum(chain.events for chain in chains)
    yield from judge_clock(chains, now_us)
    if count > MOST and not deep:
        yield findings.ok(f"{count:,} events, not verified: ciranda doctor --deep does")
        return
    damaged = False
    for chain in chains:
        try:
            events.verify(database, chain.name)
        except errors.Corrupt as error:
            damaged = True
            yield findings.wrong(error.message, error.where, findings.BACKUP)
    if not damaged:
        yield findings.ok(f"{findings.plural(count, 'event')}, each as it was written")


def judge_clock(chains: Iterable[events.Chain], now_us: int) -> Iterator[Finding]:
    """Whether the clock goes on from where the ledger is. Pure."""
    last = max(chains, key=lambda chain: chain.last_us, default=None)
    if last is not None and last.last_us > now_us + AHEAD:
        seconds = (last.last_us - now_us) // 1_000_000
        yield findings.wrong(
            f"the clock of this machine is {seconds:,} s behind the last event of {last.name}",
            time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_us / 1e6)),
            "sudo timedatectl set-ntp true",
        )


def moving(database: Database, now_us: int, *, runner: bool) -> Iterator[Finding]:
    """Tasks that nobody does, and runs whose process is gone."""
    since = _identity(now_us - DAY)
    yield from judge_tasks(
        tasks.held(database),
        tasks.given_up(database, since),
        now_us,
        runner=runner,
        dead=not_living(tasks.workers(database)),
    )
    orphaned = runs.orphaned(database)
    if orphaned:
        one, more = "run says that it goes on, and its process is", "runs say that they go on, and their processes are"
        names = findings.some(f"{run} of {project}" for project, run in orphaned)
        yield findings.warn(
            f"{findings.plural(len(orphaned), one, more)} gone",
            names,
            "the next run marks them as interrupted: ciranda run",
        )


def judge_tasks(
    held: Sequence[tasks.Taken], given_up: Sequence[tasks.Taken], now_us: int, *, runner: bool, dead: frozenset[str]
) -> Iterator[Finding]:
    """`runner`: one runs; `dead`: workers that do not live any more. Pure."""
    for task in held:
        name = f"the task {task.kind} {task.subject}"
        if not runner:
            yield findings.warn(f"{name} waits for a runner", f"task {task.id}", "ciranda up --detach")
        elif task.lease_us < now_us - STUCK or task.worker in dead:
            said = f"{name} was taken by {task.worker}, which is gone, and nobody takes it up"
            yield findings.wrong(said, f"task {task.id}", "ciranda down && ciranda up --detach")
    for task in given_up:
        said = (
            f"the task {task.kind} {task.subject} was given up after {findings.plural(task.attempts, 'try', 'tries')}"
        )
        yield findings.warn(said, f"task {task.id}", "tail logs/runner.log, in the home")


def not_living(workers: Iterable[str]) -> frozenset[str]:
    """Of the names of runners (`pid:start:boot`) those whose process is gone."""
    gone = set()
    for name in workers:
        pid = name.partition(":")[0]
        found = process.of(int(pid)) if pid.isdecimal() else None
        if found is None or f"{found.pid}:{found.start}:{found.boot[:8]}" != name:
            gone.add(name)
    return frozenset(gone)


def sealed(home: homes.Home, database: Database, projects: Iterable[str]) -> Iterator[Finding]:
    """Whether what is sealed in the ledger opens with the key of this home."""
    if not secrets.sealed_any(database):
        return
    key = sealing.load(home.root / secrets.FILE)
    count = sum(len(secrets.every(database, key, project)) for project in projects)
    yield findings.ok(f"{findings.plural(count, 'sealed value')}, each opens with the key of this home")


def token(home: homes.Home, database: Database) -> Iterator[Finding]:
    """Whether commands of this machine are let in."""
    try:
        written = home.token.read_text().strip()
    except FileNotFoundError:
        if home.state.joinpath("server.json").exists():
            said = "the first token is gone: commands that ask the server are refused"
            yield findings.wrong(
                said, str(home.token), f"write a token that you still have into it: chmod 600 {home.token}"
            )
        return
    if tokens.find(database, written) is None:
        yield findings.wrong(
            "the ledger does not know the token of this home: commands that ask the server are refused",
            str(home.token),
            "put back the file that belongs to this ledger, from a backup",
        )


def _place(home: homes.Home) -> str:
    url = home.ledger_url
    if url.startswith("sqlite"):
        return up.shown(Path("/" + url.partition("://")[2].lstrip("/")))
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"  # without user and password


def _identity(at_us: int) -> str:
    """How the identities of that time begin (RFC 9562 §5.7)."""
    text = f"{max(at_us, 0) // 1000:012x}"
    return f"{text[:8]}-{text[8:]}"
