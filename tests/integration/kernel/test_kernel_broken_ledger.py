"""Ledgers that go away, come back, are not there, or are none."""

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ciranda.kernel import database, errors, events, migrations
from ciranda.kernel.database import Database
from support.kernel import Ledger, Server, opener


@pytest.fixture
def remote(postgres_server: Server, short_path: Path) -> Iterator[tuple[Ledger, Database]]:
    made, close = opener(postgres_server.fresh(), short_path)
    yield made, made.open()
    close()


def note(db: Database) -> int:
    return db.write(lambda tx: events.append(tx, chain="c", kind="k", subject="s", actor="a"))


def cut(ledger: Ledger) -> None:
    """End every other connection to the database, as a server that starts again does."""
    with psycopg.connect(ledger.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        while connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone():
            pass


def test_lost_connections_are_made_again(remote: tuple[Ledger, Database]) -> None:
    ledger, db = remote
    note(db)
    db.query("SELECT 1 AS one")
    for number in (2, 3):
        cut(ledger)
        assert note(db) == number
        cut(ledger)
        assert events.verify(db, "c") == number


def test_a_connection_lost_in_the_middle_fails_that_transaction_alone(remote: tuple[Ledger, Database]) -> None:
    ledger, db = remote
    inside, go = threading.Event(), threading.Event()

    def work(tx: database.Transaction) -> int:
        seq = events.append(tx, chain="c", kind="lost", subject="s", actor="a")
        inside.set()
        go.wait(10)
        return seq + len(tx.query("SELECT 1 AS one"))

    future = db.submit(work)
    assert inside.wait(10)
    cut(ledger)
    go.set()
    with pytest.raises(errors.Unreachable, match="went away"):
        future.result(10)
    assert note(db) == 1
    assert [event.kind for event in events.after(db, 0)] == ["k"]


def test_a_waiter_whose_connection_is_lost_listens_again(remote: tuple[Ledger, Database]) -> None:
    ledger, db = remote
    waiter = db.waiter()
    try:
        cut(ledger)
        assert waiter.wait(5)  # what was committed meanwhile is not known: look
        assert waiter.wait(5)  # it listens anew
        later = threading.Timer(0.05, note, [db])
        later.start()
        assert waiter.wait(10)
        later.join()
    finally:
        waiter.close()


@pytest.mark.parametrize("query", ["host=/tmp/nowhere-at-all", "host=127.0.0.1&port=1"])
def test_a_server_that_is_not_there_is_said_without_the_password(query: str, short_path: Path) -> None:
    db = database.open(f"postgresql://ana:geheim@/flights?{query}", short_path)
    for act in (lambda: db.query("SELECT 1 AS one"), lambda: note(db), db.waiter):
        with pytest.raises(errors.Unreachable) as raised:
            act()
        assert "geheim" not in str(raised.value) + raised.value.where + raised.value.hint
    db.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "ledger.db", "sqlite://relative", ""])
def test_another_kind_of_address_is_refused(url: str, short_path: Path) -> None:
    with pytest.raises(errors.Invalid, match="ledger"):
        database.open(url, short_path)


# ── an SQLite file that is none ──────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"garbage" * 1000)
    db = database.open(f"sqlite:///{path}", tmp_path)
    for act in (lambda: db.query("SELECT 1 FROM event"), lambda: note(db)):
        with pytest.raises(errors.Corrupt, match="ledger") as raised:
            act()
        assert raised.value.where == str(tmp_path)
    db.close()
    assert path.read_bytes() == b"garbage" * 1000


def test_a_ledger_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()
    db = database.open(f"sqlite:///{tmp_path}/ledger.db", tmp_path)
    for act in (lambda: db.query("SELECT 1 FROM event"), lambda: note(db)):
        with pytest.raises(errors.Refused, match="cannot be read or written"):
            act()
    db.close()


def test_reading_makes_no_ledger(tmp_path: Path) -> None:
    db = database.open(f"sqlite:///{tmp_path}/ledger.db", tmp_path)
    with pytest.raises(errors.NotFound, match="no ledger"):
        db.query("SELECT 1 FROM event")
    db.close()
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_cut_short_by_a_crash_is_read_from_its_log(tmp_path: Path) -> None:
    """What a process leaves that was killed with the log not yet in the file: the next reader sees it all."""
    home, copy = tmp_path / "home", tmp_path / "copy"
    home.mkdir()
    copy.mkdir()
    db = database.open(f"sqlite:///{home}/ledger.db", tmp_path)
    migrations.migrate(db, ["ciranda.kernel"])
    for _ in range(5):
        note(db)
    for name in ("ledger.db", "ledger.db-wal"):
        (copy / name).write_bytes((home / name).read_bytes())
    db.close()
    with (copy / "ledger.db-wal").open("ab") as log:
        log.write(b"\x00torn" * 500)
    reader = database.open(f"sqlite:///{copy}/ledger.db", tmp_path)
    assert events.verify(reader, "c") == 5
    assert note(reader) == 6
    reader.close()
