"""Rollouts on a real ledger: steps, a release that is worse, what people say of them, and what goes on after another scale."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ciranda.app.views import rollout as views
from ciranda.environment import holds, moves, reconcile, revisions
from ciranda.environment.rollout import rows, steps
from ciranda.environment.rollout.progress import Count, Counts, KeepRollout, Progress
from ciranda.kernel import clock, errors, events
from ciranda.project import declaration
from ciranda.project.rollout import Rollout
from ciranda.service.counters import Counted
from support import environment
from support.environment import Instances, Site
from support.kernel import Ledger

PREFIX = "/flights/prod/delays"
RULES = Rollout(steps=(50, 100))


def places(rules: Rollout = RULES) -> tuple[declaration.Environment, ...]:
    return (declaration.Environment("test"), declaration.Environment("prod", after="test", rollout=rules))


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Site:
    return environment.site(ledger, tmp_path)


@dataclass
class Traffic:
    """Counters of a gateway that answers a thousand requests between any two looks; `bad` of a thousand fail, by release."""

    bad: dict[str, int] = field(default_factory=dict)
    looks: int = 0

    def __call__(self) -> Mapping[tuple[str, str], Counted]:
        self.looks += 1
        return {
            (PREFIX, name): Counted(1000 * self.looks, (0, 0, 0, 0, 0), 0, 0.0, (), self.bad.get(name, 0) * self.looks)
            for name in ("r1", "r2")
        }


@contextmanager
def loop(site: Site, instances: Instances, traffic: Traffic) -> Iterator[None]:
    one = reconcile.Reconciler(site.place(instances, counters=traffic), report=lambda line: None)
    one.start()
    try:
        yield
    finally:
        one.stop()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)


def told(site: Site, kind: str) -> list[dict[str, Any]]:
    return [dict(one.body) for one in events.after(site.database, 0) if one.kind == kind]


def live(site: Site) -> revisions.Revision:
    """r1 is live in prod."""
    first = site.target("c1", environments=places())
    site.reach(first)
    return first


def begun(site: Site, rules: Rollout = RULES) -> revisions.Revision:
    """The rollout of r2 has begun beside r1."""
    old = live(site)
    target = site.target("c2", environments=places(rules))
    first = steps.begin(rules, {"delays": PREFIX}, Counts(), clock.now_us(), canary="r2", control="r1")
    site.database.write(lambda tx: rows.begin(tx, target, old.release, first, actor="ciranda"))
    return target


def found(site: Site, target: revisions.Revision) -> rows.Row:
    row = rows.find(site.database, target.id)
    assert row is not None
    return row


def test_a_good_release_is_reached_by_steps(site: Site) -> None:
    instances = Instances()
    live(site)
    with loop(site, instances, Traffic()):
        target = site.target("c2", environments=places())
        until(lambda: revisions.by_id(site.database, target.id).state == "reached")
    shares = [{one.release: one.weight for one in swap[0].targets} for swap in instances.swaps]
    assert shares[-2:] == [{"r1": 50, "r2": 50}, {"r2": 100}]
    assert [one["weight"] for one in told(site, "rollout.began") + told(site, "rollout.stepped")] == [50, 100]
    row = found(site, target)
    assert (row.progress.state, row.progress.ways, row.going) == ("passed", "p", False)
    view = views.gather(site.database, "flights", "prod")[0]
    assert (view.state, view.goes_on, view.weight, view.against) == ("passed", False, 100, "r1")


def test_a_worse_release_goes_back_is_bad_and_holds_nothing(site: Site) -> None:
    instances = Instances()
    live(site)
    with loop(site, instances, Traffic({"r2": 500})):
        target = site.target("c2", environments=places())
        until(lambda: revisions.by_id(site.database, target.id).state == "failed")
        until(lambda: instances.answering() == {"delays": "r1"})
    ended = revisions.by_id(site.database, target.id)
    assert ended.bad
    assert ended.reason.startswith("at 50 %: ")
    assert "requests failed" in ended.reason
    assert not revisions.environment(site.database, "flights", "prod").held
    body = told(site, "rollout.failed")[0]
    assert (body["name"], body["against"], body["weight"]) == ("r2", "r1", 0)
    assert body["services"]["delays"]["evidence"][0]["spent"] == 1.0
    assert (
        revisions.live(site.database, "flights", "prod").release
        == revisions.get(site.database, "flights", "prod", 1).release
    )  # type: ignore[union-attr]


def test_a_row_that_somebody_changed_meanwhile_is_decided_anew(site: Site) -> None:
    target = begun(site)
    before = found(site, target).progress
    site.database.write(lambda tx: rows.pause(tx, "flights", "prod", actor="ana"))
    kept = KeepRollout(target.id, before, replace(before, state="passed", step=1, ways="p"), 100, "stepped")
    assert site.database.write(lambda tx: rows.keep(tx, kept, actor="ciranda")) is False
    assert found(site, target).progress.state == "paused"
    assert told(site, "rollout.stepped") == []


def test_people_pause_let_on_and_abort(site: Site) -> None:
    target = begun(site)
    write = site.database.write
    assert write(lambda tx: rows.pause(tx, "flights", "prod", actor="ana")).progress.state == "paused"
    with pytest.raises(errors.Refused, match="paused already"):
        write(lambda tx: rows.pause(tx, "flights", "prod", actor="ana"))
    assert write(lambda tx: rows.resume(tx, "flights", "prod", actor="ana")).progress.state == "running"
    with pytest.raises(errors.Refused, match="nothing is paused"):
        write(lambda tx: rows.resume(tx, "flights", "prod", actor="ana"))
    write(lambda tx: rows.abort(tx, "flights", "prod", actor="ana", reason="late flights"))
    assert found(site, target).progress.reason == "aborted by ana: late flights"
    with pytest.raises(errors.Refused, match="no rollout goes on"):
        write(lambda tx: rows.pause(tx, "flights", "prod", actor="ana"))
    with pytest.raises(errors.NotFound):
        write(lambda tx: rows.pause(tx, "flights", "nowhere", actor="ana"))
    said = [(one.kind, one.actor) for one in events.after(site.database, 0) if one.kind.startswith("rollout.")]
    acts = [("began", "ciranda"), ("paused", "ana"), ("resumed", "ana"), ("aborted", "ana")]
    assert said == [(f"rollout.{what}", who) for what, who in acts]
    assert not revisions.by_id(site.database, target.id).bad  # a person's no is no verdict


def test_a_person_lets_a_quiet_release_take_its_next_step(site: Site) -> None:
    target = begun(site)
    now = found(site, target).progress
    waits = KeepRollout(target.id, now, replace(now, state="waiting", reason="0 of at least 100 requests"), 50, "waits")
    assert site.database.write(lambda tx: rows.keep(tx, waits, actor="ciranda"))
    assert "resume" in views.lines(views.gather(site.database, "flights", "prod")[0])[-1]
    row = site.database.write(lambda tx: rows.resume(tx, "flights", "prod", actor="ana"))
    assert (row.progress.state, row.progress.step, row.progress.ways) == ("passed", 1, "h")
    assert told(site, "rollout.resumed")[0]["weight"] == 100


def test_another_scale_goes_on_where_it_was_and_another_content_begins_anew(site: Site) -> None:
    three = Rollout(steps=(10, 50, 100))
    target = begun(site, three)
    now = found(site, target).progress
    step = steps.stepped(target.id, three, now, now, clock.now_us())
    assert site.database.write(lambda tx: rows.keep(tx, step, actor="ciranda"))
    scaled = site.database.write(lambda tx: moves.scale(tx, "flights", "prod", service="delays", count=2, actor="ana"))
    assert scaled.rollout == three
    first = steps.begin(three, {"delays": PREFIX}, Counts(), clock.now_us(), canary="r2", control="r1")
    site.database.write(lambda tx: rows.begin(tx, scaled, found(site, target).against, first, actor="ciranda"))
    assert found(site, scaled).progress.step == 1
    assert views.of(site.database, found(site, target)).state == "superseded"
    other = site.target("c3", environments=places(three))
    site.database.write(lambda tx: rows.begin(tx, other, found(site, scaled).against, first, actor="ciranda"))
    assert found(site, other).progress.step == 0


def test_going_back_is_never_by_steps(site: Site) -> None:
    target = begun(site)
    _, back = site.database.write(lambda tx: moves.rollback(tx, "flights", "prod", actor="ana"))
    assert back.rollout is None
    assert revisions.by_id(site.database, target.id).state == "superseded"
    site.database.write(lambda tx: holds.let_go(tx, "flights", "prod", actor="ana"))
    assert views.gather(site.database, "flights", "prod")[0].state == "superseded"


def test_a_judge_that_cannot_be_read_lets_nothing_in(site: Site) -> None:
    instances = Instances()
    target = begun(site)
    row = site.database.one("SELECT services FROM rollout WHERE revision = :id", id=target.id)
    assert row is not None
    junk = row["services"].replace("ciranda.judge/1", "ciranda.judge/99")
    update = "UPDATE rollout SET services = :junk WHERE revision = :id"
    site.database.write(lambda tx: tx.execute(update, junk=junk, id=target.id))
    with loop(site, instances, Traffic()):
        until(lambda: revisions.by_id(site.database, target.id).state == "failed")
    assert "judge" in revisions.by_id(site.database, target.id).reason


def test_a_view_of_what_has_not_begun(site: Site) -> None:
    live(site)
    site.target("c2", environments=places())
    view = views.gather(site.database, "flights")[0]
    assert (view.state, view.goes_on, view.release, view.weight) == ("starting", True, "r2", 0)
    assert views.gather(site.database, "flights", "prod")[0].document()["steps"] == (50, 100)


def test_counts_of_what_went_elsewhere_are_requests() -> None:
    counts = Counts({(PREFIX, "r2"): Counted(5, (0, 0, 0, 0, 0), 3, 0.0, (1,), 3, 2)})
    assert counts.of(PREFIX, "r2") == Count(7, 3, (1,))
    assert counts.of(PREFIX, "r9") == Count()
    assert Progress("running", 0, 0, 0, 0).services == {}
