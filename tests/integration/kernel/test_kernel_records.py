"""Events, tasks, leases and migrations, on SQLite and on PostgreSQL."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciranda.kernel import clock, digest, errors, events, lease, migrations, tasks
from ciranda.kernel.database import Database
from support.kernel import Ledger

bodies = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=5), max_size=3
)


def add(db: Database, chain: str = "flights", **more: Any) -> int:
    return db.write(lambda tx: events.append(tx, chain=chain, kind="thing.done", subject="s", actor="ana", **more))


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_events_are_read_in_the_order_of_their_commits(db: Database) -> None:
    first, other, second = add(db, body={"n": 1}), add(db, "other"), add(db, cause="x", body={"é": [1, None, "\u2028"]})
    assert first < other < second
    found = events.after(db, 0, chain="flights")
    assert [event.seq for event in found] == [first, second]
    assert found[0].previous is None
    assert found[1].previous == found[0].hash
    assert (found[1].cause, found[1].body) == ("x", {"é": [1, None, "\u2028"]})
    assert [event.seq for event in events.after(db, first)] == [other, second]
    assert [event.seq for event in events.after(db, first, limit=1)] == [other]
    assert events.after(db, second) == []


def test_a_hash_is_of_every_column_but_seq(db: Database) -> None:
    add(db, body={"n": 1})
    row = db.one("SELECT * FROM event")
    assert row is not None
    mark = row.pop("hash")
    row.pop("seq")
    assert digest.of("event", row) == mark


def test_an_undone_transaction_leaves_no_gap_and_no_event(db: Database) -> None:
    add(db)
    with pytest.raises(ZeroDivisionError):
        db.write(lambda tx: events.append(tx, chain="flights", kind="k", subject="s", actor="a") // 0)
    assert add(db) == 2
    assert events.verify(db, "flights") == 2


def test_chains_written_by_many_at_once_hold(ledger: Ledger) -> None:
    databases = [ledger.open() for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        seqs = list(pool.map(lambda n: add(databases[n % 4], f"chain{n % 3}"), range(120)))
    assert sorted(seqs) == list(range(1, 121))
    assert [events.verify(databases[0], f"chain{n}") for n in range(3)] == [40, 40, 40]


def test_an_empty_chain_is_whole(db: Database) -> None:
    assert events.verify(db, "nobody") == 0


def test_more_events_than_are_read_at_once(db: Database) -> None:
    def work(tx: Any) -> None:
        for _ in range(1005):
            events.append(tx, chain="flights", kind="k", subject="s", actor="a")

    db.write(work)
    assert events.verify(db, "flights") == 1005
    db.write(lambda tx: tx.execute("UPDATE event SET actor = 'b' WHERE seq = 1003"))
    with pytest.raises(errors.Corrupt, match="event 1003"):
        events.verify(db, "flights")


TAMPERINGS: dict[str, tuple[str, str]] = {
    "a changed body": ("UPDATE event SET body = '{}' WHERE seq = 3", "event 3"),
    "a changed actor": ("UPDATE event SET actor = 'eve' WHERE seq = 3", "event 3"),
    "a changed time": ("UPDATE event SET at_us = at_us + 1 WHERE seq = 3", "event 3"),
    "a changed cause": ("UPDATE event SET cause = 'y' WHERE seq = 3", "event 3"),
    "a changed hash": ("UPDATE event SET hash = 'b3:0' WHERE seq = 3", "event 3"),
    "a changed version": ("UPDATE event SET version = 2 WHERE seq = 3", "event 3"),
    "a removed event": ("DELETE FROM event WHERE seq = 3", "event 4"),
    "a removed first event": ("DELETE FROM event WHERE seq = 1", "event 2"),
    "a removed last event": ("DELETE FROM event WHERE seq = 5", "events after 4"),
    "no event at all": ("DELETE FROM event", "events after 0"),
    "an event of another chain": ("UPDATE event SET chain = 'other' WHERE seq = 3", "event 4"),
    "a head that is set back": ("UPDATE chain SET seq = 4", "events after 4"),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_found_and_named(db: Database, how: str) -> None:
    for number in range(5):
        add(db, body={"n": number}, cause="x")
    assert events.verify(db, "flights") == 5
    statement, named = TAMPERINGS[how]
    db.write(lambda tx: tx.execute(statement))
    with pytest.raises(errors.Corrupt, match=named) as raised:
        events.verify(db, "flights")
    assert "flights" in raised.value.where


@settings(max_examples=25)
@given(body=bodies)
def test_any_body_comes_back(db: Database, body: dict[str, Any]) -> None:
    seq = add(db, body=body)
    assert events.after(db, seq - 1)[0].body == body
    events.verify(db, "flights")


# ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def put(db: Database, subject: str = "s", kind: str = "judge", **body: Any) -> str:
    return db.write(lambda tx: tasks.put(tx, kind=kind, subject=subject, body=body))


def claim(
    db: Database, worker: str = "w", seconds: float = 60.0, kinds: tuple[str, ...] = ("judge",)
) -> tasks.Task | None:
    return tasks.claim(db, worker=worker, kinds=kinds, lease=seconds)


def taken(task: tasks.Task | None) -> tasks.Task:
    assert task is not None
    return task


def test_a_task_is_put_claimed_and_finished(db: Database) -> None:
    name = put(db, change=7)
    task = taken(claim(db))
    assert (task.id, task.kind, task.subject, task.body, task.attempts) == (name, "judge", "s", {"change": 7}, 1)
    assert claim(db) is None
    db.write(lambda tx: tasks.finish(tx, task, state="done", result={"verdict": "pass"}))
    assert tasks.get(db, name) == tasks.State("done", "w", 1, {"verdict": "pass"})
    assert claim(db) is None


def test_one_unfinished_task_a_kind_and_subject(db: Database) -> None:
    name = put(db, n=1)
    assert put(db, n=2) == name
    assert put(db, "other") != name
    assert put(db, kind="verify") != name
    task = taken(claim(db))
    assert put(db, n=3) == name
    db.write(lambda tx: tasks.finish(tx, task, state="failed", result={}))
    assert put(db) != name


def test_the_oldest_task_of_the_kinds_comes_first(db: Database) -> None:
    names = [put(db, str(number), kind) for number, kind in enumerate(["verify", "judge", "other", "judge"])]
    order = [taken(claim(db, kinds=("judge", "verify"))).id for _ in range(3)]
    assert order == [names[0], names[1], names[3]]
    assert claim(db, kinds=("judge", "verify")) is None
    assert claim(db, kinds=()) is None


def test_two_workers_never_get_one_task(ledger: Ledger) -> None:
    databases = [ledger.open() for _ in range(4)]
    for number in range(40):
        put(databases[0], str(number))

    def work(number: int) -> list[str]:
        found = []
        while (task := claim(databases[number], f"w{number}")) is not None:
            found.append(task.id)
        return found

    with ThreadPoolExecutor(4) as pool:
        got = [name for names in pool.map(work, range(4)) for name in names]
    assert len(got) == 40
    assert len(set(got)) == 40


def test_a_claim_that_ran_out_is_taken_over_and_its_holder_is_fenced(db: Database) -> None:
    put(db)
    slow = taken(claim(db, "slow", 0.0))
    quick = taken(claim(db, "quick"))
    assert (quick.fence, quick.attempts) == (slow.fence + 1, 2)
    assert not tasks.renew(db, slow, 60)
    with pytest.raises(errors.Fenced, match="taken over"):
        db.write(lambda tx: tasks.finish(tx, slow, state="done", result={}))
    assert tasks.renew(db, quick, 60)
    db.write(lambda tx: tasks.finish(tx, quick, state="done", result={}))
    with pytest.raises(errors.Fenced):
        db.write(lambda tx: tasks.finish(tx, quick, state="failed", result={}))
    assert tasks.get(db, quick.id).state == "done"


def test_what_a_fenced_worker_wrote_with_the_end_of_its_task_is_undone(db: Database) -> None:
    put(db)
    slow = taken(claim(db, "slow", 0.0))
    taken(claim(db, "quick"))

    def work(tx: Any) -> None:
        events.append(tx, chain="flights", kind="k", subject="s", actor="slow")
        tasks.finish(tx, slow, state="done", result={})

    with pytest.raises(errors.Fenced):
        db.write(work)
    assert events.after(db, 0) == []


def test_expired_claims_are_let_go(db: Database) -> None:
    put(db, "a")
    put(db, "b")
    old, held = taken(claim(db, "old", 0.0)), None
    assert tasks.release_expired(db) == 1
    assert tasks.release_expired(db) == 0
    assert not tasks.renew(db, old, 60)
    held = taken(claim(db))
    assert held.id == old.id
    assert tasks.release_expired(db) == 0


def test_an_unknown_task_is_not_found(db: Database) -> None:
    with pytest.raises(errors.NotFound, match="nowhere"):
        tasks.get(db, "nowhere")


# ── leases ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def got(one: lease.Lease | None) -> lease.Lease:
    assert one is not None
    return one


def test_a_lease_has_one_holder_and_a_growing_fence(db: Database) -> None:
    first = got(lease.acquire(db, "prod", "a", 60))
    assert lease.acquire(db, "prod", "b", 60) is None
    assert lease.acquire(db, "test", "b", 60) is not None
    lease.release(db, first)
    second = got(lease.acquire(db, "prod", "b", 60))
    assert second.fence > first.fence
    assert not lease.renew(db, first, 60)
    assert lease.renew(db, second, 60)
    lease.release(db, first)
    assert lease.renew(db, second, 60)


def test_a_lease_that_ran_out_is_taken_over_and_the_old_holder_is_fenced(db: Database) -> None:
    old = got(lease.acquire(db, "prod", "a", 0))
    db.write(lambda tx: lease.check(tx, old))
    new = got(lease.acquire(db, "prod", "b", 60))
    with pytest.raises(errors.Fenced, match="prod"):
        db.write(lambda tx: lease.check(tx, old))
    db.write(lambda tx: lease.check(tx, new))
    assert not lease.renew(db, old, 60)


def test_a_holder_may_acquire_again_which_fences_its_past(db: Database) -> None:
    old = got(lease.acquire(db, "prod", "a", 60))
    new = got(lease.acquire(db, "prod", "a", 60))
    assert new.fence == old.fence + 1
    with pytest.raises(errors.Fenced):
        db.write(lambda tx: lease.check(tx, old))


def test_a_released_lease_is_held_by_nobody(db: Database) -> None:
    one = got(lease.acquire(db, "prod", "a", 60))
    lease.release(db, one)
    with pytest.raises(errors.Fenced):
        db.write(lambda tx: lease.check(tx, one))
    assert not lease.renew(db, one, 60)


def test_many_who_want_a_lease_and_one_who_gets_it(ledger: Ledger) -> None:
    databases = [ledger.open() for _ in range(4)]
    gate = threading.Barrier(4)

    def work(number: int) -> lease.Lease | None:
        gate.wait(10)
        return lease.acquire(databases[number], "prod", f"h{number}", 60)

    with ThreadPoolExecutor(4) as pool:
        assert sum(one is not None for one in pool.map(work, range(4))) == 1


# ── migrations ───────────────────────────────────────────────────────────────────────────────────────────────────────

Room = Callable[..., str]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    """Make, or change, a package with migration scripts."""
    monkeypatch.syspath_prepend(tmp_path / "path")
    name = f"room_{clock.uuid7().replace('-', '')}"

    def make(**scripts: str) -> str:
        folder = tmp_path / "path" / name / "migrations"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "__init__.py").touch()
        for old in folder.iterdir():
            old.unlink()
        for number, text in scripts.items():
            (folder / f"{number.removeprefix('m')}.sql").write_text(text)
        return name

    return make


def test_scripts_are_applied_once_in_order(db: Database, room: Room) -> None:
    name = room(m0001="-- a; b\nCREATE TABLE one (id BIGINT, t TEXT DEFAULT 'x;y');\nINSERT INTO one (id) VALUES (1);")
    migrations.migrate(db, [name])
    migrations.migrate(db, [name])
    room(
        m0001="-- a; b\nCREATE TABLE one (id BIGINT, t TEXT DEFAULT 'x;y');\nINSERT INTO one (id) VALUES (1);",
        m0002="INSERT INTO one (id) VALUES (2); /* ; */",
    )
    migrations.migrate(db, [name])
    migrations.migrate(db, [name])
    assert db.query("SELECT id, t FROM one ORDER BY id") == [{"id": 1, "t": "x;y"}, {"id": 2, "t": "x;y"}]
    assert sys.modules[name]


def test_a_script_that_fails_leaves_nothing(db: Database, room: Room) -> None:
    name = room(m0001="CREATE TABLE one (id BIGINT); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(Exception, match="nowhere"):
        migrations.migrate(db, [name])
    migrations.migrate(db, [room(m0001="CREATE TABLE one (id BIGINT)")])


def test_a_changed_script_is_refused(db: Database, room: Room) -> None:
    migrations.migrate(db, [room(m0001="CREATE TABLE one (id BIGINT)")])
    with pytest.raises(errors.Stale, match=r"0001\.sql"):
        migrations.migrate(db, [room(m0001="CREATE TABLE one (id TEXT)")])


def test_tables_of_a_newer_version_are_refused(db: Database, room: Room) -> None:
    migrations.migrate(db, [room(m0001="CREATE TABLE one (id BIGINT)", m0002="CREATE TABLE two (id BIGINT)")])
    with pytest.raises(errors.Stale, match="newer"):
        migrations.migrate(db, [room(m0001="CREATE TABLE one (id BIGINT)")])


def test_a_gap_in_the_numbers_is_refused(db: Database, room: Room) -> None:
    with pytest.raises(errors.Invalid, match="0001"):
        migrations.migrate(db, [room(m0002="CREATE TABLE two (id BIGINT)")])


def test_many_who_migrate_at_once(ledger: Ledger, room: Room) -> None:
    name = room(m0001="CREATE TABLE one (id BIGINT)", m0002="CREATE TABLE two (id BIGINT)")
    databases = [ledger.open() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda db: migrations.migrate(db, [name]), databases))
    assert databases[0].query("SELECT id FROM two") == []
