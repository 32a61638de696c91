"""A release enters by steps: what comes next, by table and by whatever may happen."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciranda.environment import observed
from ciranda.environment.rollout.progress import BeginRollout, KeepRollout
from ciranda.project.rollout import Rollout
from support.environment import World, wanted

STEPS = Rollout(at_most=600.0)


def rolling(rules: Rollout = STEPS, *, rate: float = 200.0, **errors: float) -> World:
    """r1 is live; r2 is at its first step, and so many requests a second come."""
    world = World()
    world.aim(wanted("r1", delays=2), rollout=rules)
    world.run(4)
    world.rate, world.errors = rate, errors
    world.aim(wanted("r2", delays=2), rollout=rules)
    world.run(1.4)
    assert world.weights() == {"r1": 90, "r2": 10}
    return world


def facts(world: World) -> list[tuple[str, int]]:
    return [(one.fact, one.weight) for one in world.log if isinstance(one, KeepRollout) and one.fact]


def test_the_first_release_enters_at_once() -> None:
    world = World()
    world.aim(wanted("r1"), rollout=STEPS)
    world.run(4)
    assert world.ends == {"revision-r1": "reached"}
    assert world.progress == {}


def test_a_good_release_goes_up_and_is_reached() -> None:
    world = rolling()
    world.run(240)
    assert facts(world) == [("stepped", 50), ("stepped", 100)]
    assert world.ends["revision-r2"] == "reached"
    assert world.weights() == {"r2": 100}


def test_verification_comes_when_all_requests_are_its() -> None:
    world = World()
    world.aim(wanted("r1"), rollout=STEPS)
    world.run(4)
    world.rate = 500
    world.aim(wanted("r2"), rollout=STEPS, verify="passed")
    world.run(240)
    kinds = [type(one).__name__ for one in world.log]
    assert facts(world) == [("stepped", 50), ("stepped", 100)]
    assert kinds.index("PutVerify") > max(at for at, one in enumerate(world.log) if one in _kept(world))
    assert world.ends["revision-r2"] == "reached"


def test_a_bad_release_goes_back_by_itself() -> None:
    world = rolling(r1=0.001, r2=0.05)
    world.run(60)
    assert facts(world) == [("failed", 0)]
    assert "requests failed" in world.ends["revision-r2"]
    assert world.weights() == {"r1": 100}
    assert world.target is None


def test_the_row_is_written_before_each_swap() -> None:
    world = rolling()
    world.run(240)
    seen = 0
    for one in world.log:
        match one:
            case BeginRollout():
                seen = 10
            case KeepRollout(fact="stepped", weight=weight):
                seen = weight
            case observed.SetRoutes(routes):
                for target in routes[0].targets:
                    assert target.release == "r1" or target.weight <= seen


def test_quiet_holds_and_a_person_is_waited_for() -> None:
    world = rolling(Rollout(at_most=30.0), rate=0.0)
    world.run(120)
    assert facts(world) == [("waits", 10)]
    assert world.weights() == {"r1": 90, "r2": 10}
    world.rate = 500  # what comes late still counts
    world.run(240)
    assert world.ends["revision-r2"] == "reached"


def test_quiet_promotes_after_at_most() -> None:
    world = rolling(Rollout(at_most=30.0, quiet="promote"), rate=0.0)
    world.run(20)
    assert world.weights() == {"r1": 90, "r2": 10}
    world.run(60)
    assert facts(world) == [("stepped", 50), ("stepped", 100)]
    assert world.ends["revision-r2"] == "reached"


def test_paused_and_held_stand_still_but_go_back() -> None:
    for stop in ("paused", "held"):
        world = rolling(r1=0.001)
        if stop == "held":
            world.held = True
        else:
            world.say("paused")
        world.run(300)
        assert world.weights() == {"r1": 90, "r2": 10}
        world.errors["r2"] = 0.2
        world.run(120)
        assert facts(world) == [("failed", 0)]
        assert world.weights() == {"r1": 100}


def test_a_release_that_turns_bad_while_it_is_verified_goes_back() -> None:
    world = rolling(replace(STEPS, steps=(10, 100)), r1=0.001)
    assert world.target is not None
    world.target = replace(world.target, verify="absent")
    world.verify["revision-r2"] = "going on"
    while world.weights() != {"r2": 100}:
        world.run(1)
    world.run(20)
    assert world.target is not None
    world.errors["r2"] = 0.3
    world.run(30)
    assert facts(world)[-1] == ("failed", 0)
    assert world.weights() == {"r1": 100}


def test_aborted_goes_back() -> None:
    world = rolling()
    world.say("aborted")
    world.run(2)
    assert world.ends["revision-r2"] == "at 10 %: aborted"
    assert world.weights() == {"r1": 100}


def test_health_outranks_role() -> None:
    world = rolling(rate=0.0)
    for one in world.healthy("r1"):
        world.kill(one.id)
    world.step()
    assert world.weights() == {"r2": 100}
    world.run(8)  # what is live is started again
    assert world.weights() == {"r1": 90, "r2": 10}
    for one in world.healthy("r2"):
        world.kill(one.id)
    world.step()
    assert world.weights() == {"r1": 100}
    assert "no healthy instance" in world.ends["revision-r2"]


def test_another_release_takes_its_place_at_the_first_step() -> None:
    world = rolling(rate=500)
    while world.weights()["r2"] == 10:
        world.run(1)
    assert world.weights() == {"r1": 50, "r2": 50}
    world.aim(wanted("r3", delays=2), rollout=STEPS)
    world.step()
    assert world.weights() == {"r1": 100}
    world.run(1.4)
    assert world.weights() == {"r1": 90, "r3": 10}


def test_going_back_is_at_once() -> None:
    world = rolling()
    world.aim(wanted("r1", revision="back", delays=2))
    world.step()
    assert world.weights() == {"r1": 100}
    world.run(2)
    assert world.ends["back"] == "reached"
    assert world.running("r2") == []


def test_the_same_release_with_other_values_needs_no_steps() -> None:
    world = World()
    world.aim(wanted("r1"), rollout=STEPS)
    world.run(4)
    world.aim(wanted("r1", revision="again"), rollout=STEPS)
    world.run(4)
    assert world.ends["again"] == "reached"
    assert world.progress == {}


def test_services_that_only_one_has_go_there() -> None:
    world = World()
    world.aim(wanted("r1", delays=1, planes=1), rollout=STEPS)
    world.run(4)
    world.aim(wanted("r2", delays=1, trains=1), rollout=STEPS)
    world.run(1.4)
    assert world.weights("delays") == {"r1": 90, "r2": 10}
    assert world.weights("planes") == {"r1": 100}
    assert world.weights("trains") == {"r2": 100}
    assert list(world.progress["revision-r2"].services) == ["delays"]


def test_every_service_that_both_have_must_pass() -> None:
    world = World()
    world.aim(wanted("r1", delays=1, planes=1), rollout=STEPS)
    world.run(4)
    world.rate = 500
    world.aim(wanted("r2", delays=1, planes=1), rollout=STEPS)
    world.run(1.4)
    quiet = "/flights/prod/planes"
    for _ in range(100):
        world.step()
        world.pass_time(0.5)
        for release in ("r1", "r2"):
            world.counted.pop((quiet, release), None)
    assert facts(world) == []


def test_counters_that_begin_anew_lose_nothing() -> None:
    world = rolling()
    world.run(5)
    before = world.progress["revision-r2"].services["delays"].control.total.requests
    world.counted.clear()  # another file
    world.run(5)
    after = world.progress["revision-r2"].services["delays"].control.total.requests
    assert before < after < before + 2000


def test_requests_that_were_not_split_as_the_step_says_do_not_count() -> None:
    world = rolling(rate=0.0)
    world.run(2)
    for one in world.healthy("r1"):
        world.kill(one.id)
    world.step()
    world.rate, world.errors = 500, {"r2": 0.5}  # it answers for both
    world.pass_time(0.4)
    world.rate = 0
    world.run(8)
    total = world.progress["revision-r2"].services["delays"].canary.total
    assert (total.requests, total.errors) == (0, 0)


@pytest.mark.parametrize("steps", [(100,), (1, 2, 100), (99, 100)])
def test_any_steps(steps: tuple[int, ...]) -> None:
    rules = replace(STEPS, steps=steps, quiet="promote", at_most=5.0)
    world = World()
    world.aim(wanted("r1"), rollout=rules)
    world.run(4)
    world.aim(wanted("r2"), rollout=rules)
    world.run(60)
    assert world.ends["revision-r2"] == "reached"
    assert [weight for _, weight in facts(world)] == list(steps[1:])


def _kept(world: World) -> list[observed.Action]:
    return [one for one in world.log if isinstance(one, KeepRollout) and one.fact]


RULES = (STEPS, Rollout((5, 100), "promote", 20.0, "header:X-User"), Rollout((50, 100), "hold", 10.0), None)
happenings = st.one_of(
    st.tuples(st.just("aim"), st.sampled_from(["r1", "r2", "r3"]), st.integers(1, 2), st.sampled_from(RULES)),
    st.tuples(st.just("kill"), st.integers(0, 9)),
    st.tuples(st.just("cut"), st.integers(0, 3)),
    st.tuples(st.just("time"), st.sampled_from([0.2, 1.0, 5.0, 30.0])),
    st.tuples(st.just("rate"), st.sampled_from([0.0, 5.0, 1000.0])),
    st.tuples(st.just("errors"), st.sampled_from(["r1", "r2", "r3"]), st.sampled_from([0.0, 0.01, 0.5])),
    st.tuples(st.just("held"), st.booleans()),
    st.tuples(st.just("say"), st.sampled_from(["paused", "running", "aborted"])),
    st.tuples(st.just("lose")),
    st.tuples(st.just("anew")),
)


def check(world: World) -> None:
    for route in world.routes:
        assert sum(target.weight for target in route.targets) == 100
        assert all(0 < target.weight <= 100 for target in route.targets)
        healthy = [
            one
            for one in world.processes.values()
            if one.state == "healthy" and one.part.service == route.service and one.id not in world.asked
        ]
        live = world.live.part(route.service) if world.live else None
        if live is not None and any(one.part.digest == live.digest for one in healthy):
            for target in route.targets:  # whoever has a share answers
                assert any(one.id in target.instances for one in healthy), route
        if len(route.targets) > 1:
            assert world.live is not None
            assert route.targets[0].release == world.live.release


@settings(max_examples=150, deadline=None)
@given(st.lists(happenings, min_size=3, max_size=30))
def test_whatever_happens_shares_are_whole_and_it_converges(script: list[tuple[object, ...]]) -> None:
    world = World()
    number = 0
    for event in script:
        match event:
            case ("aim", str(release), int(count), rules):
                number += 1
                world.aim(wanted(release, revision=f"v{number}", delays=count), rollout=rules)  # type: ignore[arg-type]
            case ("kill", int(place)):
                running = [one for one in world.processes.values() if one.state != "exited"]
                if running:
                    world.kill(running[place % len(running)].id)
            case ("cut", int(actions)):
                world.step(stop_after=actions)
            case ("time", float(seconds)):
                world.run(seconds, tick=0.5 if seconds > 1 else seconds)
            case ("rate", float(rate)):
                world.rate = rate
            case ("errors", str(release), float(share)):
                world.errors[release] = share
            case ("held", bool(held)):
                world.held = held
            case ("say", str(state)):
                now = world.target and world.progress.get(world.target.wanted.revision)
                if now is not None and now.state in ("running", "paused", "waiting"):
                    world.say(state)
            case ("lose",):
                world.routes = ()
            case ("anew",):
                world.counted.clear()
        if event[0] != "cut":
            world.step()
            check(world)
    world.held, world.rate, world.errors = False, 1000.0, {}
    if world.target is not None and (now := world.progress.get(world.target.wanted.revision)) and now.state == "paused":
        world.say("running")
    world.run(400, tick=0.5)
    if world.target is not None:  # errors of before may keep it unsure for long: a person decides
        world.say("aborted")
        world.run(5, tick=0.5)
    world.left.clear()
    world.run(5, tick=0.5)
    assert world.target is None
    assert world.last.settled
    if world.live is not None:
        assert world.weights() == {world.live.release: 100}
        assert world.answering() == {world.live.release}
