"""Plans in a real ledger: the same question has the same digest, approvals are bound to it, and what is stale is refused."""

from pathlib import Path

import pytest

from ciranda.access import roles, tokens, users
from ciranda.app import applying
from ciranda.app.views import diff
from ciranda.app.views import plan as views
from ciranda.environment import emergencies, holds, moves, plans, reviewing, revisions, saved_plans, settings
from ciranda.kernel import errors, events, migrations
from ciranda.kernel.database import Transaction
from ciranda.project import declaration
from ciranda.release import releases
from support import environment
from support.environment import Site
from support.kernel import Ledger

CHAIN = (declaration.Environment("test"), declaration.Environment("prod", after="test"))
GUARDED = (declaration.Environment("test"), declaration.Environment("prod", after="test", approvals=2))


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Site:
    made = environment.site(ledger, tmp_path)
    rooms = ["ciranda.access", "ciranda.versions", "ciranda.pipeline", "ciranda.checks", "ciranda.loop"]
    migrations.migrate(made.database, rooms)
    for name in ("ana", "bob", "cid"):
        made.database.write(lambda tx, name=name: tokens.create(tx, user=name, role="operator"))
    return made


def deploy(site: Site, commit: str, place: str = "prod", **declared: object) -> revisions.Revision:
    made = site.target(commit, place, **declared)
    site.reach(made)
    return made


def planned(site: Site, release: str | None = None, place: str = "prod") -> views.View:
    return views.gather(site.database, site.store, "flights", place, release)


def saved(site: Site, view: views.View) -> str:
    return site.database.write(lambda tx: plans.save(tx, view.plan, actor="ana"))


def apply(site: Site, name: str) -> revisions.Revision:
    return applying.apply(site.database, site.store, name, actor="ana")[1]


def promote(site: Site, release: str, place: str = "prod") -> revisions.Revision:
    return applying.promote(site.database, site.store, "flights", place, release, actor="ana")[1]


def test_the_same_question_has_the_same_digest_and_is_kept_once(site: Site) -> None:
    deploy(site, "c1")
    deploy(site, "c2", "test")
    first, again = planned(site), planned(site)
    assert first.digest == again.digest
    assert saved(site, first) == saved(site, again) == first.digest
    found = saved_plans.find(site.database, saved_plans.short(first.digest))
    assert (found.digest, found.environment) == (first.digest, "prod")
    assert found.body["parts"][0]["kind"] in ("model", "service")


@pytest.mark.parametrize("name", ["b3:00000000", "b3:%", "b3:zz__", "", "b3:ab"])
def test_a_plan_that_is_not_there_is_refused(site: Site, name: str) -> None:
    with pytest.raises(errors.NotFound, match="there is no plan"):
        saved_plans.find(site.database, name)


def test_what_was_applied_leaves_nothing_to_do_and_is_applied_once(site: Site) -> None:
    deploy(site, "c1")
    deploy(site, "c2", "test")
    name = saved(site, planned(site))
    made = apply(site, saved_plans.short(name))
    assert (made.name, made.cause, made.actor, made.state) == ("prod#2", "promotion", "ana", "target")
    assert planned(site).plan.empty
    assert views.lines(planned(site))[0] == "prod runs r2: nothing to do"
    site.reach(made)
    assert planned(site).plan.empty
    assert apply(site, name).id == made.id  # a client that asks again, since it did not hear the answer


def test_a_plan_is_stale_when_the_environment_has_moved(site: Site) -> None:
    deploy(site, "c1")
    for commit in ("c2", "c3"):
        deploy(site, commit, "test")
    name = saved(site, planned(site, "r2"))
    site.reach(promote(site, "r3"))
    with pytest.raises(errors.Stale, match=f"the plan {saved_plans.short(name)} is stale: prod is at #2 now") as found:
        apply(site, name)
    assert found.value.hint == "make it anew: ciranda plan r2 -e prod"


def test_a_plan_is_stale_when_its_configuration_is_another_one(site: Site) -> None:
    deploy(site, "c1", settings={"LEVEL": "info"})
    deploy(site, "c2", "test", settings={"LEVEL": "info"})
    name = saved(site, planned(site))
    site.database.write(lambda tx: settings.put(tx, "flights", "prod", "LEVEL", "debug", actor="bob"))
    with pytest.raises(errors.Stale, match="config of prod is other now"):
        apply(site, name)
    assert [one.where for one in planned(site).plan.changes if one.kind == "config"] == ["server"]
    assert apply(site, saved(site, planned(site))).config["LEVEL"].value == "debug"


def test_a_release_enters_only_after_the_environment_before_it(site: Site) -> None:
    deploy(site, "c1", "test")
    site.reach(promote(site, "r1"))
    site.release("c2")
    with pytest.raises(errors.Refused, match="test, which comes before prod, has not reached r2") as found:
        promote(site, "r2")
    assert found.value.hint == "begin there: ciranda promote r2 -e test"
    going = promote(site, "r2", "test")
    with pytest.raises(errors.Refused) as found:
        promote(site, "r2")
    assert found.value.hint == "wait for it: ciranda wait r2 -e test"
    site.database.write(lambda tx: moves.end(tx, going, "failed", reason="it died", actor="ciranda"))
    with pytest.raises(errors.Refused, match="it failed there: it died"):
        promote(site, "r2")
    with pytest.raises(errors.NotFound, match="no environment nowhere"):
        promote(site, "r2", "nowhere")


def test_nothing_enters_what_is_held(site: Site) -> None:
    deploy(site, "c1")
    deploy(site, "c2", "test")
    name = saved(site, planned(site))
    site.database.write(lambda tx: holds.hold(tx, "flights", "prod", reason="fair", actor="bob"))
    for act in (lambda: apply(site, name), lambda: promote(site, "r2")):
        with pytest.raises(errors.Refused, match="prod is held by bob: fair"):
            act()


def approve(site: Site, name: str, actor: str) -> bool:
    return applying.approve(site.database, site.store, name, actor=actor)[1]


def test_approvals_are_of_users_and_of_the_plan_as_it_is(site: Site) -> None:
    deploy(site, "c1", environments=GUARDED)
    deploy(site, "c2", "test", environments=GUARDED, settings={"LEVEL": "info"})
    view = planned(site)
    name = saved(site, view)
    assert any("needs 2 approvals, has 0" in line for line in views.lines(view))
    with pytest.raises(errors.Refused, match="needs 2 approvals") as found:
        promote(site, "r2")
    assert found.value.hint == f"ciranda approve {saved_plans.short(name)}"
    assert approve(site, name, "ana")
    assert not approve(site, name, "ana")
    with pytest.raises(errors.Refused, match="and it has 1"):
        apply(site, name)
    site.database.write(lambda tx: settings.put(tx, "flights", "prod", "LEVEL", "debug", actor="eve"))
    with pytest.raises(errors.Stale):
        approve(site, name, "bob")
    anew = saved(site, planned(site))
    assert planned(site).approvals == ()  # those of the other plan count for nothing
    assert approve(site, anew, "ana")
    assert approve(site, anew, "bob")
    made = apply(site, anew)
    assert made.state == "target"
    with pytest.raises(errors.Refused, match="there is nothing to approve"):
        approve(site, anew, "cid")
    kinds = [one.kind for one in events.after(site.database, 0)]
    assert kinds.count("plan.approved") == 3


def test_approvals_of_who_may_approve_no_more_do_not_count(site: Site) -> None:
    deploy(site, "c1", environments=GUARDED)
    deploy(site, "c2", "test", environments=GUARDED)
    name = saved(site, planned(site))
    approve(site, name, "ana")
    approve(site, name, "bob")
    site.database.write(lambda tx: tokens.create(tx, user="eve", role="admin"))
    site.database.write(lambda tx: users.remove(tx, "bob", actor="eve"))
    with pytest.raises(errors.Refused, match=r"has 1 \(by ana\)"):
        apply(site, name)
    site.database.write(lambda tx: users.add(tx, "bob", actor="eve"))
    elsewhere, there = (roles.Grant("flights", place, "operator") for place in ("test", "prod"))
    site.database.write(lambda tx: users.grant(tx, "bob", elsewhere, actor="eve"))
    with pytest.raises(errors.Refused, match="has 1"):
        apply(site, name)
    site.database.write(lambda tx: users.grant(tx, "bob", there, actor="eve"))
    assert apply(site, name).state == "target"


FOUR = (declaration.Environment("test"), declaration.Environment("prod", after="test", approvals=1, four_eyes=True))


def test_with_four_eyes_neither_the_author_nor_who_applies_counts(site: Site) -> None:
    deploy(site, "c1", environments=FOUR)  # "ciranda" pushes what the tests push
    deploy(site, "c2", "test", environments=FOUR)
    author = releases.get(site.database, "flights", "r2").author
    assert author
    if users.find(site.database, author) is None:
        site.database.write(lambda tx: tokens.create(tx, user=author, role="operator"))
    view = planned(site)
    assert any(
        "of others than who pushed it or applies it" in line.replace("\n", " ")
        for line in [" ".join(views.lines(view))]
    )
    name = saved(site, view)
    approve(site, name, author)
    with pytest.raises(errors.Refused, match="who pushed the change or applies the plan does not count"):
        applying.apply(site.database, site.store, name, actor="bob")
    approve(site, name, "bob")
    with pytest.raises(errors.Refused, match="and it has 0"):
        applying.apply(site.database, site.store, name, actor="bob")
    assert applying.apply(site.database, site.store, name, actor="cid")[1].state == "target"


def test_the_rule_of_four_eyes_is_that_of_what_runs_too(site: Site) -> None:
    deploy(site, "c1", environments=FOUR)
    deploy(site, "c2", "test", environments=CHAIN)
    made = planned(site).plan
    assert made.four_eyes
    assert made.needed == 1
    assert "four_eyes" in made.body()


ALWAYS = ("Mon 00:00 - Thu 12:00", "Thu 12:00 - Sun 23:59", "Sun 23:59 - Mon 00:00")  # at any moment one of them holds
FROZEN = (declaration.Environment("test"), declaration.Environment("prod", after="test", freeze=ALWAYS))


def test_nothing_enters_what_is_frozen_but_the_way_back_and_an_emergency(site: Site) -> None:
    deploy(site, "c1")
    deploy(site, "c2")
    deploy(site, "c3", "test", environments=FROZEN)
    view = planned(site)
    assert any("prod is frozen until" in line for line in views.lines(view))
    with pytest.raises(errors.Refused, match="prod is frozen until") as found:
        promote(site, "r3")
    assert "ciranda promote r3 -e prod --emergency REASON" in found.value.hint
    holds_too = lambda tx: holds.hold(tx, "flights", "prod", reason="fair", actor="bob")  # noqa: E731
    site.database.write(holds_too)
    made = applying.promote(
        site.database, site.store, "flights", "prod", "r3", actor="ana", emergency="late flights are missing"
    )[1]
    site.reach(made)
    (waiting,) = emergencies.unreviewed(site.database, "flights")
    assert (waiting.reason, waiting.actor, waiting.number) == ("late flights are missing", "ana", made.number)
    assert [text.partition(":")[0].partition(" until")[0] for text in waiting.passed] == [
        "prod is held by bob", "prod is frozen",
    ]  # fmt: skip
    told = [one for one in events.after(site.database, 0) if one.kind == "emergency.promoted"]
    assert [(one.subject, one.body["environment"], one.body["number"]) for one in told] == [
        ("flights/prod", "prod", made.number)
    ]
    # what entered brings its rule: it holds for what comes, but for no way back
    site.database.write(lambda tx: holds.let_go(tx, "flights", "prod", actor="bob"))
    site.release("c4")
    deploy(site, "c4", "test")
    with pytest.raises(errors.Refused, match="prod is frozen"):
        promote(site, "r4")
    left, back = site.database.write(lambda tx: moves.rollback(tx, "flights", "prod", actor="bob"))
    assert left.number == made.number
    site.reach(back)
    site.database.write(lambda tx: holds.let_go(tx, "flights", "prod", actor="bob"))
    with pytest.raises(errors.Refused, match="prod is frozen"):
        promote(site, "r4")  # going back to what knew no freeze does not end it
    with pytest.raises(errors.Refused, match="ana did it: somebody else reviews it"):
        site.database.write(lambda tx: review(tx, waiting, "ana"))
    done = site.database.write(lambda tx: review(tx, waiting, "bob"))
    assert (done.reviewer, emergencies.unreviewed(site.database, "flights")) == ("bob", [])
    with pytest.raises(errors.Refused, match="has reviewed"):
        site.database.write(lambda tx: review(tx, waiting, "cid"))


def review(tx: Transaction, one: emergencies.Emergency, actor: str) -> emergencies.Emergency:
    return reviewing.review(tx, "flights", one.environment, one.number, note="it was right", actor=actor)


def test_where_nothing_stands_in_the_way_there_is_no_emergency(site: Site) -> None:
    deploy(site, "c1", environments=GUARDED)
    deploy(site, "c2", "test", environments=GUARDED)
    applying.promote(site.database, site.store, "flights", "prod", "r2", actor="ana", emergency="the fair is on")
    assert len(emergencies.unreviewed(site.database, "flights")) == 1  # approvals stood in the way
    applying.promote(site.database, site.store, "flights", "test", "r2", actor="ana", emergency="the fair is on")
    assert len(emergencies.unreviewed(site.database, "flights")) == 1
    with pytest.raises(errors.Invalid, match="says why"):
        emergencies.checked("  ")


def test_what_runs_says_how_many_approvals_its_successor_needs(site: Site) -> None:
    """A release cannot bring the rule that lets it in."""
    deploy(site, "c1", environments=GUARDED)
    deploy(site, "c2", "test", environments=CHAIN)
    with pytest.raises(errors.Refused, match="needs 2 approvals"):
        promote(site, "r2")


def test_the_plan_that_waits_is_the_one_of_what_is_there_now(site: Site) -> None:
    deploy(site, "c1", environments=GUARDED)
    deploy(site, "c2", "test", environments=GUARDED)
    assert saved_plans.waiting(site.database, "flights", "prod") is None
    view = planned(site)
    assert site.database.write(lambda tx: plans.ask(tx, view.plan, actor="ciranda"))
    assert not site.database.write(lambda tx: plans.ask(tx, view.plan, actor="ciranda"))
    waits = saved_plans.waiting(site.database, "flights", "prod")
    assert waits is not None
    assert waits.digest == view.digest
    deploy(site, "c3")
    assert saved_plans.waiting(site.database, "flights", "prod") is None


def destroy(site: Site) -> revisions.Revision:
    shown = views.destruction(site.database, site.store, "flights", "prod")
    name = saved(site, shown)
    return applying.destroy(site.database, site.store, "flights", "prod", name=name, actor="ana")[1]


def test_what_is_destroyed_runs_nothing_keeps_its_history_and_may_be_entered_again(site: Site) -> None:
    deploy(site, "c1", "test")
    site.reach(promote(site, "r1"))
    shown = views.destruction(site.database, site.store, "flights", "prod")
    assert {part.sign for part in shown.plan.parts} == {"remove"}
    name = saved(site, shown)
    with pytest.raises(errors.Refused, match="which is asked for by its name"):
        apply(site, name)
    end = destroy(site)
    assert (end.cause, end.gone, end.instances) == ("destroy", True, {})
    site.reach(end)
    assert revisions.live(site.database, "flights", "prod") is None
    assert [one.number for one in revisions.history(site.database, "flights", "prod")] == [2, 1]
    assert destroy(site).id == end.id  # there is nothing more to destroy
    assert diff.lines(diff.gather(site.database, site.store, "flights", "prod#1", "prod#2"))[-1].endswith("3 removed")
    assert not planned(site, "r1").plan.empty
    again = promote(site, "r1")
    assert (again.name, again.cause) == ("prod#3", "promotion")
    site.reach(again)
    assert planned(site, "r1").plan.empty


def test_the_way_back_from_destruction_is_what_was_destroyed(site: Site) -> None:
    made = deploy(site, "c1")
    site.reach(destroy(site))
    left, back = site.database.write(lambda tx: moves.rollback(tx, "flights", "prod", actor="ana"))
    assert left.gone
    assert (back.release, back.bad) == (made.release, False)


def test_a_destruction_that_was_not_shown_is_refused(site: Site) -> None:
    deploy(site, "c1")
    shown = saved(site, views.destruction(site.database, site.store, "flights", "prod"))
    deploy(site, "c2")
    with pytest.raises(errors.Stale):
        applying.destroy(site.database, site.store, "flights", "prod", name=shown, actor="ana")
    with pytest.raises(errors.NotFound):
        views.destruction(site.database, site.store, "flights", "nowhere")


def test_differences_have_names(site: Site) -> None:
    deploy(site, "c1", "test", settings={"LEVEL": "info"})
    site.reach(promote(site, "r1"))
    deploy(site, "c2", "test", settings={"LEVEL": "debug"}, model=b"2")
    gather = lambda before, after: diff.gather(site.database, site.store, "flights", before, after)  # noqa: E731
    assert diff.lines(gather("r1", "r1")) == ["r1 → r1: no difference"]
    assert diff.lines(gather("prod", "test"))[0] == "prod #1 (r1) → test #2 (r2)"
    changed = {(part.kind, part.name) for part in gather("r1", "r2").parts if part.sign == "change"}
    assert changed == {("config", "LEVEL"), ("model", "delay"), ("model", "unused"), ("service", "delays")}
    with pytest.raises(errors.NotFound, match="nowhere is no release, environment or run"):
        gather("nowhere", "r1")
    with pytest.raises(errors.NotFound, match="has not run twice"):
        gather(None, None)


def test_without_names_the_last_two_runs_of_everything_are_compared(site: Site) -> None:
    row = (
        "INSERT INTO run (id, project, number, commit_id, dirty, cause, actor, trust, state, started_us, ended_us, interpreter,"
        " confined, summary) VALUES (:id, 'flights', :number, 'c', 0, :cause, 'ana', 'local', 'finished', 1, 2, 'b3:', 0, '{}')"
    )
    for number, cause in enumerate(("by hand", "change 7", "job nightly in prod"), start=1):
        site.database.write(lambda tx, n=number, c=cause: tx.execute(row, id=f"run{n}", number=n, cause=c))
    view = diff.gather(site.database, site.store, "flights", None, None)
    assert (view.before, view.after) == ("run-1", "run-2")
