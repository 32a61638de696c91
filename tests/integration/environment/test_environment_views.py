"""Plan, status and wait, read from a real ledger and store."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ciranda.app import home as homes
from ciranda.app.views import plan as plans
from ciranda.app.views import project as projects
from ciranda.app.views import status, swap, waiting
from ciranda.environment import holds, moves, revisions
from ciranda.kernel import errors, migrations
from ciranda.loop import changes
from ciranda.release import releases
from ciranda.service import counters, table
from ciranda.service.port import Route, Target
from support import environment
from support.environment import Site
from support.kernel import Ledger


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Site:
    made = environment.site(ledger, tmp_path)
    migrations.migrate(
        made.database, ["ciranda.access", "ciranda.versions", "ciranda.pipeline", "ciranda.checks", "ciranda.loop"]
    )
    return made


def deploy(site: Site, commit: str, place: str = "prod", **declared: object) -> revisions.Revision:
    made = site.target(commit, place, **declared)
    site.reach(made)
    return made


def fail(site: Site, made: revisions.Revision, reason: str) -> None:
    site.database.write(lambda tx: moves.end(tx, made, "failed", reason=reason, actor="ciranda"))


def test_the_plan_of_the_newest_release_and_of_a_warm_one(site: Site) -> None:
    deploy(site, "c1")
    deploy(site, "c2", services={"delays": 2})
    site.release("c3", services={"delays": 2}, model=b"3")
    forward = plans.gather(site.database, site.store, "flights", "prod")
    assert (forward.live, forward.release, forward.costs.warm) == (("prod#2", "r2"), "r3", False)
    assert {(part.kind, part.name, part.sign) for part in forward.plan.parts} == {
        ("model", "delay", "change"), ("model", "unused", "change"), ("service", "delays", "change"),
    }  # fmt: skip
    back = plans.gather(site.database, site.store, "flights", "prod", "r1")
    assert back.costs.warm
    assert not plans.gather(site.database, site.store, "flights", "prod", "r2").plan.changes
    first = plans.gather(site.database, site.store, "flights", "test")
    assert first.live is None
    assert len(first.plan.changes) == len(first.plan.parts) == 3


def test_the_plan_says_what_keeps_a_release_out(site: Site) -> None:
    deploy(site, "c1")
    bad = site.target("c2", "test")
    fail(site, bad, "smoke: exit status 1")
    assert (
        plans.gather(site.database, site.store, "flights", "prod").blocked == "r2 failed in test: smoke: exit status 1"
    )
    site.database.write(lambda tx: holds.hold(tx, "flights", "prod", reason="the fair", actor="ana"))
    assert "held by ana: the fair" in plans.gather(site.database, site.store, "flights", "prod").blocked


def test_a_plan_for_what_is_not_there_is_refused(site: Site) -> None:
    with pytest.raises(errors.NotFound, match="flights has no release yet"):
        plans.gather(site.database, site.store, "flights", "prod")
    deploy(site, "c1")
    with pytest.raises(errors.NotFound, match="no environment nowhere") as found:
        plans.gather(site.database, site.store, "flights", "nowhere")
    assert found.value.hint == "what there is: test, prod"


def wait(site: Site, release: str, place: str = "prod", timeout: float = 5.0) -> waiting.Ended:
    return waiting.for_release(site.database, site.store, "flights", release, place, timeout=timeout)


def test_wait_hears_of_the_end(site: Site) -> None:
    made = site.target("c1")
    later = threading.Timer(0.2, lambda: site.reach(made))
    later.start()
    ended = wait(site, "r1")
    later.join()
    assert (ended.state, ended.revision) == ("reached", "prod#1")
    assert ended.text.startswith("r1 is live in prod (prod#1) after ")


def test_wait_ends_with_what_became_of_it_here_or_before(site: Site) -> None:
    deploy(site, "c1")
    fail(site, site.target("c2", "test"), "it died")
    assert wait(site, "r2") == waiting.Ended("failed", "test#1", "r2 failed in test: it died", pytest.approx(0, abs=9))
    site.target("c3")
    deploy(site, "c4")
    assert wait(site, "r3").state == "superseded"
    assert wait(site, "r1").text == "r1 was live in prod (prod#1); r4 is now"
    site.release("c5")
    site.database.write(lambda tx: holds.hold(tx, "flights", "prod", reason="", actor="ana"))
    late = wait(site, "r5", timeout=0.05)
    assert (late.state, late.text) == ("timeout", "r5 has not entered prod (prod held) after 0.05 s")
    with pytest.raises(errors.NotFound):
        wait(site, "r9")


def test_status_tells_what_is_live_held_failed_and_counted(site: Site, tmp_path: Path) -> None:
    home = homes.Home(tmp_path / "home")
    home.state.mkdir(parents=True)
    site.database.write(lambda tx: changes.claim_project(tx, "flights", "flights", "main"))
    deploy(site, "c1", services={"delays": 2})
    deploy(site, "c2", services={"delays": 2})
    site.target("c3")
    fail(site, site.target("c4"), "it died")
    site.database.write(lambda tx: holds.hold(tx, "flights", "prod", reason="the fair", actor="ana"))
    counted = counters.Counters(home.state / "counters")
    slot = counted.slot("/flights/prod/delays", "r2", ())
    for code in (200, 200, 500):
        counted.count(slot, code, 900)
    counted.close()
    route = Route("flights", "prod", "delays", (Target("r2", 100, {"prod-delays-r2-1": "unix:/x"}),))
    table.save(home.state / "routes.json", table.Table(1, (route,)))
    found = status.gather(home, site.database, "flights")
    (place,) = found.projects[0].environments
    assert not found.server
    assert place.live is not None
    assert (place.live.release, place.live.revision) == ("r2", 2)
    assert place.failed is not None
    assert (place.failed.release, place.failed.text) == ("r4", "it died")
    assert (place.held, place.warm, place.target) == ("held by ana: the fair", (), None)
    (service,) = place.services
    assert (service.wanted, service.routed) == (2, 0)
    assert service.traffic is not None
    assert (service.traffic.requests, service.traffic.failed) == (3, 1)
    assert found.document()["projects"][0]["name"] == "flights"
    assert swap.tally(home.state / "counters", "flights", "prod") == swap.Tally(3, 1)
    assert swap.tally(home.state / "counters", "flights", "pro") == swap.Tally(0, 0)
    with pytest.raises(errors.NotFound, match="no project other"):
        status.gather(home, site.database, "other")
    with pytest.raises(errors.NotFound, match="no environment nowhere"):
        status.gather(home, site.database, environment="nowhere")


def test_the_project_is_the_one_named_or_here_or_the_only_one(site: Site, tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound, match="nothing was pushed"):
        projects.choose(site.database, None, tmp_path)
    site.database.write(lambda tx: moves.declare(tx, "flights", "prod"))
    assert projects.choose(site.database, None, tmp_path) == "flights"
    site.database.write(lambda tx: moves.declare(tx, "other", "prod"))
    with pytest.raises(errors.Usage, match="there are several projects: flights, other"):
        projects.choose(site.database, None, tmp_path)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "a" / "ciranda.toml").write_text('[project]\nname = "other"\n')
    assert projects.choose(site.database, None, below) == "other"
    assert projects.choose(site.database, "flights", below) == "flights"
    with pytest.raises(errors.NotFound, match="no project third"):
        projects.choose(site.database, "third", below)
    (tmp_path / "a" / "ciranda.toml").write_text("= broken")
    assert projects.declared(below) == {}


def test_releases_and_revisions_that_do_not_exist_are_refused_by_name(site: Site) -> None:
    asks: list[Callable[[], object]] = [
        lambda: releases.by_id(site.database, "x"),
        lambda: revisions.by_id(site.database, "x"),
        lambda: revisions.get(site.database, "flights", "prod", 3),
    ]
    for ask in asks:
        with pytest.raises(errors.NotFound):
            ask()
