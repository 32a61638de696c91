"""Channels on a real ledger: each fact is told at least once and in order, a dead channel holds up no other, whoever is killed goes on."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ciranda.feedback import channels, following, incidents, items, notices, sending
from ciranda.feedback.facts import Names
from ciranda.kernel import events, migrations, outbound
from ciranda.kernel.database import Database
from ciranda.kernel.events import Event
from ciranda.project.declaration import Channel, Project
from support.feedback import Receiver, receiver
from support.kernel import Ledger

ROOMS = ("kernel", "access", "versions", "pipeline", "checks", "release", "monitor", "environment", "loop", "feedback")


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def db(ledger: Ledger) -> Database:
    opened = ledger.open()
    migrations.migrate(opened, [f"ciranda.{room}" for room in ROOMS])
    return opened


def happens(db: Database, kind: str, subject: str = "flights/prod", actor: str = "ana", **body: Any) -> int:
    return db.write(lambda tx: events.append(tx, chain="flights", kind=kind, subject=subject, actor=actor, body=body))


class Told:
    """Notices of one project with these channels; `look` until nothing is under way."""

    def __init__(self, db: Database, *declared: Channel) -> None:
        self.db = db
        self.names = Names(Project("flights", None, channels=declared), lambda release: release)
        reach = outbound.Reach(allowed=("127.0.0.1",))
        post = sending.Post(lambda: reach, lambda _, __: {}, lambda: None)  # type: ignore[arg-type,return-value]
        self.notices = notices.Notices(db, lambda _: self.names, post, lambda: "")
        db.write(lambda tx: channels.learn(tx, "flights", declared, {}))

    def row(self, name: str) -> channels.Row:
        return next(row for row in channels.rows(self.db) if row.name == name)

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not true():
            assert time.monotonic() < deadline
            self.notices.look()
            time.sleep(0.01)

    def now(self, name: str) -> None:
        """Forget that it has to wait."""
        self.db.write(
            lambda tx: tx.execute(f"UPDATE channel SET sent_us = NULL, retry_us = retry_us * 0 WHERE name = '{name}'")
        )


def test_facts_are_told_in_order_and_a_burst_at_once(db: Database, there: Receiver) -> None:
    told = Told(db, Channel("hook", "webhook", there.url))
    try:
        happens(db, "environment.held", reason="a")
        told.until(lambda: told.row("hook").sent == 1)
        for reason in ("b", "c"):
            happens(db, "environment.let-go", reason=reason)
        happens(db, "run.finished", "run-1")
        told.notices.look()
        assert len(there.came) == 1, "the rest of a burst waits"
        told.now("hook")
        told.until(lambda: told.row("hook").sent == 2)
        assert [fact["event"] for came in there.came for fact in came["body"]["facts"]] == [
            "environment.held", "environment.let-go", "environment.let-go",
        ]  # fmt: skip
        assert len({came["headers"]["idempotency-key"] for came in there.came}) == 2
    finally:
        told.notices.close()


def test_a_dead_channel_holds_up_no_other_and_tells_all_when_it_is_back(db: Database, there: Receiver) -> None:
    told = Told(db, Channel("dead", "webhook", "http://127.0.0.1:9/x"), Channel("live", "webhook", there.url))
    try:
        first = happens(db, "environment.held", reason="a")
        told.until(lambda: told.row("live").sent and told.row("dead").tries)
        dead = told.row("dead")
        assert "does not answer" in dead.problem
        assert (dead.until_seq, dead.sent) == (first, 0)
        assert dead.failing_us is not None
        happens(db, "environment.let-go", reason="b")
        back = Channel("dead", "webhook", there.url)
        told.names = Names(Project("flights", None, channels=(back,)), lambda release: release)
        db.write(lambda tx: channels.learn(tx, "flights", [back], {}))
        assert [row.name for row in channels.rows(db)] == ["dead"], "what is not declared any more is forgotten"
        told.until(lambda: told.row("dead").sent == 1)
        told.now("dead")
        told.until(lambda: told.row("dead").sent == 2)
        bodies = [came["body"]["facts"] for came in there.came if came["body"]["channel"] == "dead"]
        assert [[fact["event"] for fact in facts] for facts in bodies] == [["environment.held"], ["environment.let-go"]]
        assert (told.row("dead").failing_us, told.row("dead").problem) == (None, "")
    finally:
        told.notices.close()


def test_whoever_is_killed_after_sending_sends_the_same_again(
    db: Database, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    happens(db, "environment.held", reason="a")
    first = Told(db, Channel("hook", "webhook", there.url))
    with monkeypatch.context() as killed:
        killed.setattr(channels, "sent", lambda *_, **__: None)  # it was sent, and nobody wrote that down
        first.until(lambda: there.came)
        first.notices.close()
    happens(db, "environment.let-go", reason="b")
    second = Told(db, Channel("hook", "webhook", there.url))
    try:
        second.until(lambda: second.row("hook").sent == 1)
        one, other = there.came[:2]
        assert one["headers"]["idempotency-key"] == other["headers"]["idempotency-key"]
        assert one["body"] == other["body"]
    finally:
        second.notices.close()


def test_what_the_other_side_will_never_take_is_given_up(db: Database, there: Receiver) -> None:
    told = Told(db, Channel("hook", "webhook", there.url))
    try:
        there.answers += [(400, {}, b"invalid_blocks")] * notices.TRIES
        happens(db, "environment.held", reason="a")
        for tries in range(1, notices.TRIES):
            told.until(lambda tries=tries: told.row("hook").tries == tries)  # type: ignore[misc]
            told.now("hook")
        told.until(lambda: told.row("hook").dropped == 1)
        happens(db, "environment.let-go", reason="b")
        told.now("hook")
        told.until(lambda: told.row("hook").sent == 1)
        assert there.came[-1]["body"]["facts"][0]["event"] == "environment.let-go"
    finally:
        told.notices.close()


def test_a_channel_begins_with_the_change_that_brought_it(db: Database) -> None:
    happens(db, "environment.held", reason="long ago")
    merged = happens(db, "change.merged", "c1", number=1, head="abc")
    db.write(lambda tx: channels.learn(tx, "flights", [Channel("a", "slack", "secret:U")], {}))
    (row,) = channels.rows(db, "flights")
    assert row.seq == merged - 1
    db.write(lambda tx: channels.failed(tx, row, "away"))
    db.write(lambda tx: channels.learn(tx, "flights", [Channel("a", "slack", "secret:U")], {}))
    assert channels.rows(db)[0].tries == 1
    db.write(lambda tx: channels.learn(tx, "flights", [Channel("a", "slack", "secret:U")], {"U": 2}))
    assert (channels.rows(db)[0].tries, channels.rows(db)[0].retry_us) == (0, None), "a new secret is tried at once"


def follow(db: Database, commits: dict[str, list[tuple[str, str, str]]] | None = None) -> None:
    following.look(db, lambda event: (commits or {}).get(event.subject, []), lambda _: None)


def alert(db: Database, kind: str = "alert.fired", **body: Any) -> None:
    given = {
        "rule": "errors",
        "service": "delays",
        "severity": "page",
        "group": "delays",
        "text": "5 % fail",
        "since_us": 7,
    }
    happens(db, kind, actor="ciranda", **given | body)


def test_alerts_of_one_group_are_one_incident_that_people_end(db: Database) -> None:
    follow(db)
    alert(db, severity="ticket")
    alert(db)
    alert(db, rule="latency")
    alert(db, "alert.resolved")
    alert(db, service="other", group="other")
    follow(db)
    follow(db)
    second, first = incidents.listing(db, "flights")
    assert (first.title, first.started_us, first.opened_by, first.state) == ("5 % fail", 7, "ciranda", "open")
    assert second.service == "other"
    db.write(lambda tx: incidents.resolve(tx, "flights", 1, "went back", actor="ana"))
    alert(db)
    follow(db)
    assert [one.number for one in incidents.listing(db, "flights", unresolved=True)] == [3, 2]
    opened = [event for event in events.after(db, 0) if event.kind == "incident.opened"]
    assert opened[0].cause in {event.id for event in events.after(db, 0) if event.kind == "alert.fired"}


def test_a_home_with_a_history_opens_nothing_for_what_was(db: Database) -> None:
    alert(db)
    follow(db)
    assert incidents.listing(db, "flights") == []


def test_an_emergency_opens_an_incident(db: Database) -> None:
    follow(db)
    happens(db, "emergency.promoted", environment="prod", number=4, release="r4", reason="late flights")
    follow(db)
    (one,) = incidents.listing(db, "flights")
    assert (one.title, one.severity, one.opened_by) == ("emergency in prod: late flights", "ticket", "ana")


def test_an_event_leads_to_something_once_though_its_follower_is_killed(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(db)
    alert(db)
    alert(db, service="other", group="other")
    seen: list[Event] = []

    def killed(event: Event) -> None:
        seen.append(event)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        following.look(db, lambda _: [], killed)
    db.write(lambda tx: incidents.resolve(tx, "flights", 1, "", actor="ana"))
    follow(db)
    assert [one.service for one in incidents.listing(db, "flights")] == ["other", "delays"]


def test_a_merged_commit_closes_the_items_that_it_names(db: Database) -> None:
    follow(db)
    for title in ("a", "b"):
        db.write(lambda tx, title=title: items.add(tx, "flights", title, actor="ana", owner="@data"))  # type: ignore[misc]
    happens(db, "change.merged", "c1", number=1, head="abc")
    told = {"c1": [("abc", "closes item/2, item/9", "bo"), ("abd", "closes item/2", "bo")]}
    follow(db, told)
    follow(db, told)
    assert [(one.number, one.state, one.closed_by, one.commit_sha) for one in items.listing(db, "flights")] == [
        (2, "closed", "bo", "abc"), (1, "open", "", None),
    ]  # fmt: skip
    assert [event.kind for event in events.after(db, 0)].count("item.closed") == 1


def test_who_never_answers_holds_up_nobody_and_keeps_nobody_from_leaving(db: Database, there: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        told = Told(db, Channel("a-silent", "webhook", url), Channel("live", "webhook", there.url))
        happens(db, "environment.held", reason="a")
        told.until(lambda: told.row("live").sent == 1)
        told.notices.close()
        waiting = [thread for thread in threading.enumerate() if thread.name == "notify a-silent"]
        assert all(thread.daemon for thread in waiting)
    for thread in waiting:
        thread.join()
    row = told.row("a-silent")
    assert (row.sent, row.tries, row.until_seq is None) == (0, 0, False), (
        "nothing is noted after the end: it is sent again"
    )
