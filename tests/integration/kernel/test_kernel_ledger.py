"""The ledger, on SQLite and on PostgreSQL: what is written is durable, alone, in order, and heard of."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.kernel.database import Database, Transaction, Waiter
from support.kernel import Ledger

TABLE = "CREATE TABLE thing (id BIGINT PRIMARY KEY, name TEXT, size DOUBLE PRECISION)"


@pytest.fixture
def things(ledger: Ledger) -> Database:
    db = ledger.open()
    db.write(lambda tx: tx.execute(TABLE))
    return db


@pytest.fixture
def waiter(ledger: Ledger) -> Iterator[Waiter]:
    one = ledger.open().waiter()
    yield one
    one.close()


def add(number: int, name: str | None = None) -> "Work":
    return Work(number, name)


class Work:
    """Adds one thing and returns its number."""

    def __init__(self, number: int, name: str | None) -> None:
        self.number, self.name = number, name

    def __call__(self, tx: Transaction) -> int:
        tx.execute("INSERT INTO thing (id, name) VALUES (:id, :name)", id=self.number, name=self.name)
        return self.number


def numbers(db: Database) -> list[int]:
    return [row["id"] for row in db.query("SELECT id FROM thing ORDER BY id")]


def test_what_is_written_is_read_by_others(things: Database, ledger: Ledger) -> None:
    assert things.write(add(1, "é\n'\"%s :x")) == 1
    assert ledger.open().query("SELECT id, name, size FROM thing") == [{"id": 1, "name": "é\n'\"%s :x", "size": None}]
    assert things.one("SELECT id FROM thing WHERE id = :id", id=2) is None


@pytest.mark.parametrize(("column", "value"), [("id", 1 << 64), ("name", "\udcff"), ("id", -(10**30))])
def test_what_no_row_could_hold_is_told_and_fails_its_caller_alone(
    things: Database, column: str, value: object
) -> None:
    columns = {"id": 7, "name": None} | {column: value}
    with pytest.raises(errors.Invalid):
        things.write(lambda tx: tx.execute("INSERT INTO thing (id, name) VALUES (:id, :name)", **columns))
    with suppress(errors.Invalid):  # a large number may be compared
        assert things.query(f"SELECT id FROM thing WHERE {column} = :value", value=value) == []
    assert things.write(add(1)) == 1


def test_a_transaction_reads_its_own_writes_and_counts_rows(things: Database) -> None:
    def work(tx: Transaction) -> tuple[int, object]:
        add(1)(tx)
        add(2)(tx)
        touched = tx.execute("UPDATE thing SET name = :name", name="new")
        return touched, tx.one("SELECT COUNT(*) AS number FROM thing WHERE name = :name", name="new")

    assert things.write(work) == (2, {"number": 2})


def test_returning_gives_rows(things: Database) -> None:
    row = things.write(lambda tx: tx.one("INSERT INTO thing (id) VALUES (:id) RETURNING id, name", id=7))
    assert row == {"id": 7, "name": None}
    assert numbers(things) == [7]


def test_both_databases_speak_the_same_values(things: Database) -> None:
    things.write(lambda tx: tx.execute("INSERT INTO thing (id, size) VALUES (:id, :size)", id=2**62, size=0.1))
    assert things.query("SELECT SUM(id) AS total, AVG(size) AS mean, COUNT(*) AS number FROM thing") == [
        {"total": 2**62, "mean": 0.1, "number": 1}
    ]
    assert things.query("SELECT id FROM thing WHERE :flag = 1", flag=True) == [{"id": 2**62}]
    assert (
        things.query("SELECT id FROM thing WHERE :name IS NULL AND name LIKE '%' || :part", name=None, part="x") == []
    )
    assert things.query("SELECT CAST(:n AS TEXT) AS text, ':n' AS literal -- :n\n", n=-3) == [
        {"text": "-3", "literal": ":n"}
    ]


def test_a_failure_is_its_callers_alone(things: Database) -> None:
    class Boom(Exception):
        pass

    def boom(tx: Transaction) -> None:
        add(2)(tx)
        raise Boom("two")

    gate = threading.Event()
    first = things.submit(lambda tx: gate.wait(10) and add(0)(tx))
    group = [things.submit(add(1)), things.submit(boom), things.submit(add(3)), things.submit(add(3))]
    gate.set()
    assert first.result() == 0
    assert group[0].result() == 1
    with pytest.raises(Boom, match="two"):
        group[1].result()
    assert group[2].result() == 3
    with pytest.raises(Exception, match=r"(?i)unique"):
        group[3].result()
    assert numbers(things) == [0, 1, 3]


@settings(max_examples=25)
@given(plan=st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=40))
def test_a_group_is_what_its_members_alone_would_be(things: Database, plan: list[tuple[int, bool]]) -> None:
    """Whatever members fail, by themselves or in the database, the others stand and are read in their order."""
    things.write(lambda tx: tx.execute("DELETE FROM thing"))

    def work(number: int, fails: bool) -> "object":
        def act(tx: Transaction) -> int:
            add(number)(tx)
            if fails:
                raise ValueError(number)
            return number

        return act

    futures = [things.submit(work(number, fails)) for number, fails in plan]  # type: ignore[arg-type]
    expected: set[int] = set()
    for (number, fails), future in zip(plan, futures, strict=True):
        failed = future.exception()
        if number in expected:
            assert failed is not None
            assert "unique" in str(failed).lower()
        elif fails:
            assert isinstance(failed, ValueError)
        else:
            assert future.result() == number
            expected.add(number)
    assert numbers(things) == sorted(expected)


def test_waiting_members_share_a_transaction(things: Database, waiter: Waiter, ledger: Ledger) -> None:
    gate = threading.Event()
    first = things.submit(lambda tx: gate.wait(10))
    futures = [things.submit(add(number)) for number in range(200)]
    started = time.perf_counter()
    gate.set()
    assert [future.result() for future in futures] == list(range(200))
    assert first.result()
    assert time.perf_counter() - started < 2


def test_a_write_inside_a_write_is_refused_at_once(things: Database) -> None:
    with pytest.raises(RuntimeError, match="wait for itself"):
        things.write(lambda tx: things.write(add(1)))
    assert numbers(things) == []


def test_many_threads_and_processes_lose_nothing(things: Database, ledger: Ledger) -> None:
    others = [ledger.open() for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: others[number % 4].write(add(number)), range(200)))
    assert numbers(things) == list(range(200))


def test_readers_do_not_wait_for_a_writer(things: Database, ledger: Ledger) -> None:
    things.write(add(1))
    gate, inside = threading.Event(), threading.Event()

    def work(tx: Transaction) -> None:
        add(2)(tx)
        inside.set()
        gate.wait(10)

    future = things.submit(work)
    assert inside.wait(10)
    assert numbers(ledger.open()) == [1]
    gate.set()
    future.result()
    assert numbers(things) == [1, 2]


def test_a_reader_cannot_write(things: Database) -> None:
    with pytest.raises(Exception, match=r"read-?only"):
        things.query("INSERT INTO thing (id) VALUES (1)")
    assert numbers(things) == []


def test_tables_are_transactional(db: Database) -> None:
    def work(tx: Transaction) -> None:
        tx.execute(TABLE)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it is ours
        db.write(work)
    db.write(lambda tx: tx.execute(TABLE))


def settle(waiter: Waiter) -> None:
    """Take in the news of what was committed so far: PostgreSQL may bring it a moment after the commit."""
    while waiter.wait(0.1):
        pass


def test_a_waiter_hears_of_a_commit_elsewhere(things: Database, waiter: Waiter) -> None:
    settle(waiter)
    things.write(add(1))
    assert waiter.wait(5)
    settle(waiter)
    later = threading.Timer(0.05, things.write, [add(2)])
    later.start()
    started = time.monotonic()
    assert waiter.wait(10)
    assert time.monotonic() - started < 5
    later.join()
    assert numbers(things) == [1, 2]


def test_a_commit_before_the_wait_is_not_missed_and_counts_once(things: Database, waiter: Waiter) -> None:
    settle(waiter)
    for number in range(5):
        things.write(add(number))
    assert waiter.wait(5)
    settle(waiter)
    assert not waiter.wait(0)


def test_a_failed_write_wakes_nobody(things: Database, waiter: Waiter) -> None:
    settle(waiter)
    with pytest.raises(ZeroDivisionError):
        things.write(lambda tx: 1 // 0)
    with pytest.raises(Exception, match="nowhere"):
        things.write(lambda tx: tx.execute("INSERT INTO nowhere VALUES (1)"))
    assert not waiter.wait(0.1)


def test_what_was_taken_back_in_time_is_not_done(things: Database) -> None:
    gate, inside = threading.Event(), threading.Event()
    first = things.submit(lambda tx: inside.set() or gate.wait(10))
    assert inside.wait(10)
    second, third = things.submit(add(2)), things.submit(add(3))
    assert second.cancel()
    gate.set()
    assert (first.result(), third.result()) == (True, 3)
    assert numbers(things) == [3]


def test_a_waiter_can_be_woken_by_another_thread(waiter: Waiter) -> None:
    later = threading.Timer(0.05, waiter.wake)
    later.start()
    assert waiter.wait(10)
    later.join()
    assert not waiter.wait(0)
    waiter.wake()
    assert waiter.wait(0)


def test_closing_finishes_what_was_submitted(ledger: Ledger, things: Database) -> None:
    other = ledger.open()
    futures = [other.submit(add(number)) for number in range(50)]
    other.close()
    assert [future.result(0) for future in futures] == list(range(50))
    assert numbers(things) == list(range(50))
    with pytest.raises(RuntimeError, match="closed"):
        other.write(add(99))


def test_reading_starts_no_thread(ledger: Ledger) -> None:
    db = ledger.open()
    before = threading.active_count()
    assert db.query("SELECT id FROM task") == []
    assert threading.active_count() == before


def test_the_writer_finds_a_transaction_that_a_work_has_ended(things: Database) -> None:
    """A work that breaks the rules (it ends the transaction) fails, and the next one is as good as ever."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the database says of it
        things.write(lambda tx: tx.execute("ROLLBACK"))
    assert things.write(add(1)) == 1
    assert numbers(things) == [1]
