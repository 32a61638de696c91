"""Revisions in a real ledger: targets, ends, holds, rollbacks and scale."""

from pathlib import Path

import pytest

from ciranda.environment import holds, moves, revisions
from ciranda.environment.revisions import Count, Value
from ciranda.kernel import errors, events
from ciranda.project import declaration
from support import environment
from support.environment import Site
from support.kernel import Ledger


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Site:
    return environment.site(ledger, tmp_path)


def deploy(site: Site, commit: str, **declared: object) -> revisions.Revision:
    made = site.target(commit, **declared)
    site.reach(made)
    return made


def rollback(site: Site, to: str | None = None) -> tuple[revisions.Revision, revisions.Revision]:
    return site.database.write(lambda tx: moves.rollback(tx, "flights", "prod", actor="ana", to=to))


def kinds(site: Site) -> list[str]:
    return [one.kind for one in events.after(site.database, 0) if not one.kind.startswith("release.")]


def test_a_target_resolves_configuration_scale_and_verification(site: Site) -> None:
    places = (
        declaration.Environment("test"),
        declaration.Environment(
            "prod", after="test", config={"LEVEL": "debug"}, verify=("pytest -q",), verify_timeout=9
        ),
    )
    made = site.target("c1", services={"delays": 2}, settings={"LEVEL": "info", "DEPTH": 3}, environments=places)
    assert made.name == "prod#1"
    assert made.config == {"LEVEL": Value("debug", "environments.prod"), "DEPTH": Value(3, "default")}
    assert made.instances == {"delays": Count(2, "declared")}
    assert made.verify == revisions.Verification(("pytest -q",), 9)
    assert revisions.by_id(site.database, made.id) == made
    assert revisions.current_target(site.database, "flights", "prod") == made
    assert revisions.live(site.database, "flights", "prod") is None


def test_the_same_target_twice_is_one_revision(site: Site) -> None:
    made = site.target("c1")
    assert site.target("c1") == made
    site.reach(made)
    assert site.target("c1").id == made.id
    assert kinds(site) == ["revision.targeted", "revision.reached"]


def test_a_newer_target_supersedes_an_unfinished_one_and_only_the_first_end_counts(site: Site) -> None:
    first = site.target("c1")
    second = site.target("c2")
    assert revisions.by_id(site.database, first.id).state == "superseded"
    assert revisions.by_id(site.database, first.id).reason == "prod#2 took its place"
    assert not site.database.write(lambda tx: moves.end(tx, first, "reached", actor="ciranda"))
    site.reach(second)
    assert not site.database.write(lambda tx: moves.end(tx, second, "failed", reason="late", actor="ciranda"))
    assert [one.state for one in revisions.history(site.database, "flights", "prod")] == ["reached", "superseded"]


def test_a_failed_target_leaves_live_what_was(site: Site) -> None:
    first = deploy(site, "c1")
    second = site.target("c2")
    site.database.write(lambda tx: moves.end(tx, second, "failed", reason="it died", actor="ciranda"))
    now = revisions.current(site.database, "flights", "prod")
    assert now is not None
    assert now.id == first.id
    failed = revisions.get(site.database, "flights", "prod", 2)
    assert (failed.state, failed.reason, failed.bad) == ("failed", "it died", True)


def test_nothing_new_enters_while_it_is_held_but_scaling_and_rollback_do(site: Site) -> None:
    deploy(site, "c1")
    deploy(site, "c2")
    assert site.database.write(lambda tx: holds.hold(tx, "flights", "prod", reason="fair", actor="ana"))
    assert not site.database.write(lambda tx: holds.hold(tx, "flights", "prod", reason="again", actor="bob"))
    with pytest.raises(errors.Refused, match="prod is held by ana: fair") as found:
        site.target("c3")
    assert found.value.hint == "let new releases in: ciranda hold prod --release"
    site.reach(
        site.database.write(lambda tx: moves.scale(tx, "flights", "prod", service="delays", count=2, actor="ana"))
    )
    rollback(site)
    assert site.database.write(lambda tx: holds.let_go(tx, "flights", "prod", actor="ana"))
    assert site.target("c3").state == "target"
    assert kinds(site).count("environment.held") == kinds(site).count("environment.let-go") == 1


def test_a_held_environment_still_knows_the_target_that_it_has(site: Site) -> None:
    made = site.target("c1")
    site.database.write(lambda tx: holds.hold(tx, "flights", "prod", reason="", actor="ana"))
    assert site.target("c1") == made


def test_rollback_takes_the_last_reached_one_of_an_older_release_and_holds(site: Site) -> None:
    deploy(site, "c1")
    deploy(site, "c2")
    left, back = rollback(site)
    assert (left.name, back.name, back.cause) == ("prod#2", "prod#3", "rollback")
    assert back.release == revisions.get(site.database, "flights", "prod", 1).release
    assert back.verify == revisions.Verification()
    assert revisions.get(site.database, "flights", "prod", 2).bad
    place = revisions.environment(site.database, "flights", "prod")
    assert (place.held, place.held_by, place.held_reason) == (True, "ana", "rolled back from r2")


def test_a_second_rollback_goes_further_back_and_never_to_what_was_left(site: Site) -> None:
    for commit in ("c1", "c2", "c3"):
        deploy(site, commit)
    _, back = rollback(site)
    site.reach(back)
    _, further = rollback(site)
    assert further.release == revisions.get(site.database, "flights", "prod", 1).release
    site.reach(further)
    with pytest.raises(errors.NotFound, match="no release before r1"):
        rollback(site)


def test_after_a_rollback_and_a_new_release_the_way_back_is_what_ran_between(site: Site) -> None:
    for commit in ("c1", "c2"):
        deploy(site, commit)
    _, back = rollback(site)
    site.reach(back)
    site.database.write(lambda tx: holds.let_go(tx, "flights", "prod", actor="ana"))
    deploy(site, "c3")
    _, again = rollback(site)
    assert again.release == back.release


def test_rollback_of_an_unfinished_target_goes_back_to_what_is_live(site: Site) -> None:
    first = deploy(site, "c1")
    second = site.target("c2")
    left, back = rollback(site)
    assert (left.id, back.release) == (second.id, first.release)


def test_rollback_to_a_named_release_and_what_it_refuses(site: Site) -> None:
    with pytest.raises(errors.NotFound, match="flights has no environment prod"):
        rollback(site)
    for commit in ("c1", "c2", "c3"):
        deploy(site, commit)
    site.release("c4")
    with pytest.raises(errors.Refused, match="at r3 already"):
        rollback(site, "r3")
    with pytest.raises(errors.NotFound, match="r4 was never live in prod"):
        rollback(site, "r4")
    with pytest.raises(errors.NotFound, match="flights has no release r99"):
        rollback(site, "r99")
    assert not revisions.environment(site.database, "flights", "prod").held
    _, back = rollback(site, "r1")
    assert back.release == revisions.get(site.database, "flights", "prod", 1).release


def test_scale_stays_over_new_releases_and_rollback_keeps_it(site: Site) -> None:
    deploy(site, "c1", services={"delays": 1})
    made = site.database.write(lambda tx: moves.scale(tx, "flights", "prod", service="delays", count=3, actor="ana"))
    assert (made.cause, made.instances) == ("scale", {"delays": Count(3, "scale")})
    site.reach(made)
    assert deploy(site, "c2", services={"delays": 2}).instances == {"delays": Count(3, "scale")}
    _, back = rollback(site)
    assert back.instances == {"delays": Count(3, "scale")}


def test_scale_of_an_unfinished_target_keeps_its_verification(site: Site) -> None:
    places = (declaration.Environment("prod", verify=("pytest",)),)
    site.target("c1", environments=places)
    made = site.database.write(lambda tx: moves.scale(tx, "flights", "prod", service="delays", count=2, actor="ana"))
    assert made.verify.commands == ("pytest",)


@pytest.mark.parametrize(
    ("service", "count", "error"),
    [("plane", 2, errors.NotFound), ("delays", 0, errors.Invalid), ("delays", 101, errors.Invalid)],
)
def test_scale_refuses_what_makes_no_sense(site: Site, service: str, count: int, error: type[Exception]) -> None:
    deploy(site, "c1")
    with pytest.raises(error):
        site.database.write(lambda tx: moves.scale(tx, "flights", "prod", service=service, count=count, actor="ana"))


def test_environments_are_known_in_their_order(site: Site) -> None:
    site.database.write(lambda tx: moves.declare(tx, "flights", "test"))
    site.database.write(lambda tx: moves.declare(tx, "flights", "prod"))
    site.database.write(lambda tx: moves.declare(tx, "flights", "test"))
    assert [one.name for one in revisions.environments(site.database)] == ["test", "prod"]
    assert revisions.environments(site.database, "other") == []
    with pytest.raises(errors.NotFound, match="flights has no environment nowhere"):
        revisions.environment(site.database, "flights", "nowhere")
