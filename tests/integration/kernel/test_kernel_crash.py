"""Kill -9 at every named point, and at any moment: what was acknowledged is there, nothing half-written is visible, and it goes on."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ciranda.access import tokens
from ciranda.kernel import database, digest, events, failpoints, lines, store
from support import kernel_client
from support.kernel import Server

KERNEL = ("access", "files", "ledger", "lines", "migrations", "store")
POINTS = sorted(name for name in failpoints.NAMES if name.partition(".")[0] in KERNEL)
COUNT = 3  # rounds of the client


@pytest.fixture
def home(short_path: Path) -> Path:
    path = short_path / "home"
    path.mkdir()
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, home: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{home}/ledger.db"
    server: Server = request.getfixturevalue("postgres_server")
    return server.fresh()


def client(home: Path, url: str, first: int, failpoint: str = "") -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, kernel_client.__file__, home, url, str(first), str(COUNT)],
        env={**os.environ, "CIRANDA_FAILPOINT": failpoint, "XDG_RUNTIME_DIR": str(home.parent)},
        stdout=subprocess.PIPE,
    )


def facts(said: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines() if line.endswith(b"}")]


def check(home: Path, url: str, said: list[dict[str, Any]], *, alone: bool = True) -> None:
    """What a process that starts now finds; `alone`: one client wrote, so that its numbers only grow."""
    objects = store.Store(home / "store")
    ledger = database.open(url, home.parent)
    try:
        rows = events.after(ledger, 0) if ledger_exists(home, url) else []
        assert events.verify(ledger, "crash") == len(rows) if rows else True
        token = home / "token"
        if token.exists() and said:
            assert tokens.find(ledger, token.read_text().strip()) == tokens.User("admin", "admin")
    finally:
        ledger.close()
    for row in rows:
        for name in row.body["names"]:
            assert objects.has(name)
            objects.get(name)
            if objects.is_folder(name):
                assert [path for path, _, _ in objects.listing(name)] == ["large", "small"]
    by_seq = {row.seq: row.body["names"] for row in rows}
    written = {
        record["number"] for record in lines.follow(home / "lines.jsonl", stop=lambda: True, wait=lambda _: None)
    }
    for fact in said:
        match fact:
            case {"seq": seq, "names": names}:
                assert by_seq[seq] == names
            case {"line": number}:
                assert number in written
            case {"state": number}:
                assert state(home) >= number if alone else state(home) >= 0
            case {"export": number}:
                assert (home / "out" / str(number)).is_dir()
    if (home / "state.json").exists():
        state(home)
    for path in (home / "store" / "objects").rglob("*"):
        if path.is_file():
            assert digest.of_file(path) == f"b3:{path.parent.name}{path.name}"
            assert path.stat().st_mode & 0o777 == 0o444
    for path in (home / "out").glob("[0-9]*"):
        assert sorted(inner.name for inner in path.iterdir()) == ["large", "small"]
        assert (path / "large").read_bytes() == path.name.encode() * store.INLINE
        assert (path / "small").read_bytes() == b"small " + path.name.encode()


def ledger_exists(home: Path, url: str) -> bool:
    """Whether the tables are there: the client may have died before."""
    ledger = database.open(url, home.parent)
    try:
        if url.startswith("sqlite"):
            if not (home / "ledger.db").exists():
                return False
            return ledger.one("SELECT name FROM sqlite_master WHERE name = 'event'") is not None
        return ledger.one("SELECT to_regclass('event') AS found") != {"found": None}
    finally:
        ledger.close()


def state(home: Path) -> int:
    kept = json.loads((home / "state.json").read_text())
    assert len(kept["fill"]) == 10_000
    number: int = kept["number"]
    return number


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_a_point(home: Path, point: str, nth: int) -> None:
    kill_at(home, f"sqlite:///{home}/ledger.db", point, nth)


@pytest.mark.parametrize("nth", [1, 4])
@pytest.mark.parametrize("point", [name for name in POINTS if name.startswith(("ledger", "access", "migrations"))])
def test_a_kill_at_a_point_of_the_ledger_on_postgres(home: Path, postgres_server: Server, point: str, nth: int) -> None:
    kill_at(home, postgres_server.fresh(), point, nth)


def kill_at(home: Path, url: str, point: str, nth: int) -> None:
    """Kill a client at a point, look, let another one do the same work, and look again."""
    killed = client(home, url, 0, f"{point}:{nth}")
    said = facts(killed.communicate()[0])
    if killed.returncode == 0:
        assert point in ("store.pack.created", "access.token.written", "migrations.applied")  # passed less often
        assert len(said) == 4 * COUNT
    else:
        assert killed.returncode == -signal.SIGKILL
    check(home, url, said)
    again = client(home, url, 0)
    more = facts(again.communicate()[0])
    assert again.returncode == 0
    assert len(more) == 4 * COUNT
    check(home, url, said + more)


@pytest.mark.parametrize("seed", range(2))
def test_kills_at_any_moment(home: Path, url: str, seed: int) -> None:
    """Two clients at once on one home, killed after some lines each, five times over."""
    chance = random.Random(seed)
    said: list[dict[str, Any]] = []
    numbers = itertools.count(0, COUNT)
    for _ in range(3):
        pair = [client(home, url, next(numbers)) for _ in range(2)]
        waiting = [threading.Thread(target=read_some(one, chance.randrange(4 * COUNT), said)) for one in pair]
        for thread in waiting:
            thread.start()
        for thread in waiting:
            thread.join()
        check(home, url, said, alone=False)


def read_some(one: "subprocess.Popen[bytes]", number: int, said: list[dict[str, Any]]) -> Callable[[], None]:
    """Read some lines of a client, kill it, and read what it had still said."""

    def act() -> None:
        assert one.stdout is not None
        found = b"".join(one.stdout.readline() for _ in range(number))
        one.kill()
        found += one.communicate()[0]
        said.extend(facts(found))

    return act


def test_a_token_makes_one_kill_in_a_tree(home: Path) -> None:
    url = f"sqlite:///{home}/ledger.db"
    token = home.parent / "once"
    token.touch()
    os.environ["CIRANDA_FAILPOINT_FILE"] = str(token)
    try:
        codes = [(one := client(home, url, n, "ledger.locked:2")).communicate() and one.returncode for n in (0, 10)]
    finally:
        del os.environ["CIRANDA_FAILPOINT_FILE"]
    assert codes == [-signal.SIGKILL, 0]
    assert not token.exists()
