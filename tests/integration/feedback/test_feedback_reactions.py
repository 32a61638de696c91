"""Reactions on a real ledger: an event is answered once, acted once, and what came of it is found again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ciranda.environment import revisions
from ciranda.environment.revisions import Revision
from ciranda.feedback.reactions import answering, reactor, rows
from ciranda.kernel import errors, events, migrations
from ciranda.loop import changes, refresh
from ciranda.loop.places import Workshop
from ciranda.project import declaration
from support import environment
from support.environment import Site
from support.kernel import Ledger

BACK = declaration.Reaction("back", "errors", "rollback", environments=("prod",), ask_first=0)
RETRAIN = declaration.Reaction("retrain", "drift", "retrain", environments=("prod",), ask_first=1)


class House:
    """A site whose releases have reactions, and what reacts there."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.database = site.database
        folder = site.folder
        self.places = Workshop(
            site.database, site.store, folder, folder, folder, folder, folder, folder, lambda: "http://127.0.0.1"
        )

    def live(self, commit: str, **declared: Any) -> Revision:
        """A release that has reached prod."""
        made = self.site.target(commit, **{"reactions": (BACK, RETRAIN)} | declared)
        self.site.reach(made)
        return made

    def happens(self, kind: str, release: str, **body: Any) -> None:
        """An event of prod."""
        told = {"service": "delays", "release": release, "text": f"{kind} of {release}"} | body
        self.database.write(
            lambda tx: events.append(tx, chain="flights", kind=kind, subject="flights/prod", actor="ciranda", body=told)
        )

    def look(self) -> list[rows.Reaction]:
        """A reactor that has just started looks; all reactions, oldest first."""
        reactor.Reactor(self.places).look()
        return rows.listed(self.database, "flights")[::-1]


@pytest.fixture
def house(ledger: Ledger, tmp_path: Path) -> Iterator[House]:
    site = environment.site(ledger, tmp_path)
    migrations.migrate(site.database, ["ciranda.kernel", "ciranda.loop", "ciranda.feedback"])
    yield House(site)
    site.database.close()


def test_errors_take_production_back_once_and_hold_it(house: House) -> None:
    house.live("c1")
    house.live("c2")
    house.happens("alert.fired", "r2", rule="errors", metric="errors")
    (one,) = house.look()
    assert (one.state, one.rule.name, one.why, one.asked) == ("done", "back", "within its bounds", False)
    assert one.led is not None
    target = revisions.by_id(house.database, one.led[1])
    assert (target.cause, target.actor, target.release) == (
        "rollback", "reaction:back", revisions.get(house.database, "flights", "prod", 1).release,
    )  # fmt: skip
    assert revisions.environment(house.database, "flights", "prod").held_reason == "reaction/1: alert.fired of r2"
    house.site.reach(target)
    house.happens("alert.fired", "r1", rule="errors", metric="errors")
    assert [(one.state, one.why) for one in house.look()] == [
        ("done", "within its bounds"),
        ("skipped", "r1 is itself what was gone back to: further back is for a person to say"),
    ]
    told = [one for one in events.after(house.database, 0) if one.kind.startswith("reaction.")]
    assert [one.kind for one in told] == ["reaction.decided", "reaction.done", "reaction.decided"]
    happened = [one.id for one in events.after(house.database, 0) if one.kind == "alert.fired"]
    assert [one.cause for one in told] == [happened[0], happened[0], happened[1]]


def test_what_was_cut_off_between_the_answer_and_the_act_is_acted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.live("c1")
    house.live("c2")
    house.happens("alert.fired", "r2", rule="errors", metric="errors")
    with monkeypatch.context() as cut:
        cut.setattr(reactor.Reactor, "_go_on", lambda *_: None)
        assert [one.state for one in house.look()] == ["acting"]
    assert [one.state for one in house.look()] == ["done"]
    assert [one.cause for one in revisions.history(house.database, "flights", "prod")] == [
        "rollback", "promotion", "promotion",
    ]  # fmt: skip


def test_a_way_back_that_is_not_there_is_told(house: House) -> None:
    house.live("c1")
    house.happens("alert.fired", "r1", rule="errors", metric="errors")
    (one,) = house.look()
    assert one.state == "refused"
    assert "nothing" in one.why or "no " in one.why


def test_drift_asks_first_and_an_approved_one_looks_for_new_data(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.live("c1")
    house.happens("drift.found", "r1", column="day")
    house.happens("drift.found", "r1", column="month")
    asked, other = house.look()
    assert (asked.state, asked.why) == ("asking", "a person is asked the first once")
    assert (other.state, other.why) == ("skipped", "a person is asked already")
    looks: list[str] = []
    monkeypatch.setattr(refresh, "ask", lambda places, project, actor: looks.append(actor) or "task-1")
    assert house.look()[0].state == "asking"
    assert not looks
    house.database.write(lambda tx: answering.approve(tx, "flights", asked.number, actor="ana"))
    with pytest.raises(errors.Stale, match="it is acting"):
        house.database.write(lambda tx: answering.decline(tx, "flights", asked.number, actor="bia", reason=""))
    done = house.look()[0]
    assert (done.state, done.actor, done.led) == ("done", "ana", ("change", "task-1"))
    assert looks == ["reaction:retrain"]


def test_data_that_was_asked_for_before_a_crash_is_not_asked_for_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = declaration.Reaction("retrain", "drift", "retrain", environments=("prod",), ask_first=0)
    house.live("c1", reactions=(free,))
    house.happens("drift.found", "r1", column="day")
    with monkeypatch.context() as cut:
        cut.setattr(reactor.Reactor, "_go_on", lambda *_: None)
        house.look()

    def record(tx: Any) -> changes.Change | None:
        known = changes.claim_project(tx, "flights", "flights", "refs/heads/main")
        return changes.record_data(
            tx, known, id="change-1", head="c1", subject="New data", actor="reaction:retrain", pins={}
        )

    assert house.database.write(record) is not None
    monkeypatch.setattr(refresh, "ask", None)
    assert house.look()[0].led == ("change", "change-1")


def test_a_question_lapses_when_something_else_goes_live(house: House) -> None:
    house.live("c1")
    house.happens("drift.found", "r1", column="day")
    assert house.look()[0].state == "asking"
    house.live("c2")
    (one,) = house.look()
    assert (one.state, one.why) == ("lapsed", "something else went live meanwhile")
    with pytest.raises(errors.Stale, match="it is lapsed"):
        house.database.write(lambda tx: answering.approve(tx, "flights", 1, actor="ana"))
    with pytest.raises(errors.NotFound, match="no reaction 2"):
        rows.numbered(house.database, "flights", 2)


def test_many_events_are_read_once_and_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.live("c1")
    monkeypatch.setattr(reactor, "STRIDE", 2)
    for release in ("r1", "r1", "r9"):
        house.happens("drift.found", release)
    assert [one.state for one in house.look()] == ["asking", "skipped", "skipped"]
    assert rows.read_to(house.database) == events.after(house.database, 0)[-1].seq


def test_moves_of_nobody_are_left_alone(house: House) -> None:
    house.live("c1", reactions=())
    house.happens("drift.found", "r1")
    assert house.look() == []
