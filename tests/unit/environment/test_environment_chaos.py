"""Whatever happens, and wherever control is killed, an environment converges and keeps answering."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ciranda.environment import observed
from support.environment import World, wanted

RELEASES = ("r1", "r2", "r3")
SERVICES = ("delays", "planes")

aims = st.tuples(
    st.just("aim"),
    st.sampled_from(RELEASES),
    st.integers(1, 3),
    st.booleans(),  # with a second service
    st.sampled_from([None, "passed", "failed"]),
)
fates = st.tuples(
    st.just("fate"),
    st.sampled_from(RELEASES),
    st.sampled_from([0.0, 0.5, 3.0, None]),
    st.sampled_from([None, None, 0.3, 1.0, 4.0]),
)
events = st.one_of(
    aims,
    aims,
    fates,
    st.tuples(st.just("kill"), st.integers(0, 9)),
    st.tuples(st.just("cut"), st.integers(0, 3)),
    st.tuples(st.just("time"), st.sampled_from([0.1, 0.2, 0.5, 2.0, 30.0])),
    st.tuples(st.just("lose")),
    st.tuples(st.just("memory"), st.booleans()),
)


def check(world: World) -> None:
    """What holds after every complete step, and at every moment but for crashes that nobody has seen yet."""
    known = [world.live, *(one.wanted for one in world.left if one.until_us > world.now_us)]
    for route in world.routes:
        good = world.answering(route.service)
        there = [
            one
            for release in known
            if release is not None and (part := release.part(route.service))
            for one in world.processes.values()
            if one.part.digest == part.digest and one.state == "healthy" and one.id not in world.asked
        ]
        assert good or not there, f"{route.service} is routed to nothing healthy while {there[0].id} is there"
    if world.live is not None:
        routed = {route.service for route in world.routes}
        assert {part.service for part in world.live.parts} <= routed or world.target is not None


@settings(max_examples=400, deadline=None)
@given(st.lists(events, min_size=1, max_size=40))
def test_it_always_converges_and_never_leaves_what_is_healthy(script: list[tuple[object, ...]]) -> None:
    world = World()
    number = 0
    for event in script:
        match event:
            case ("aim", str(release), int(count), bool(two), verify):
                number += 1
                services = dict.fromkeys(SERVICES if two else SERVICES[:1], count)
                world.aim(wanted(release, revision=f"v{number}", **services), verify=verify)  # type: ignore[arg-type]
            case ("fate", str(release), healthy, exits):
                world.healthy_after[release] = healthy  # type: ignore[assignment]
                world.exits_after[release] = exits  # type: ignore[assignment]
            case ("kill", int(place)):
                running = [one for one in world.processes.values() if one.state != "exited"]
                if running:
                    world.kill(running[place % len(running)].id)
            case ("cut", int(actions)):
                world.step(stop_after=actions)
            case ("time", float(seconds)):
                world.pass_time(seconds)
            case ("lose",):
                world.routes = ()
            case ("memory", bool(short)):
                world.memory_short = short
        if event[0] != "cut":
            world.step()
            check(world)
    world.healthy_after, world.exits_after, world.memory_short = {}, {}, False
    for one in world.processes.values():
        one.healthy_after, one.exits_after = 0.5, None
    world.run(130, tick=0.5)
    world.left.clear()
    world.run(5, tick=0.5)
    assert world.target is None
    assert world.last.settled, world.last
    if world.live is None:
        assert world.routes == ()
        assert world.processes == {}
    else:
        for part in world.live.parts:
            assert world.answering(part.service) == {world.live.release}
            assert len(world.healthy(world.live.release, part.service)) == part.count
        assert len(world.processes) == sum(part.count for part in world.live.parts)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.sampled_from([None, "passed"]))
def test_a_swap_that_is_cut_anywhere_ends_as_if_it_had_not_been(cuts: list[int], verify: str | None) -> None:
    world = World()
    world.aim(wanted("r1", delays=2))
    world.run(6)
    world.aim(wanted("r2", delays=2), verify=verify)
    for cut in cuts:
        world.step(stop_after=cut)
        assert world.answering() in ({"r1"}, {"r2"})
        world.pass_time(0.2)
    world.run(10)
    assert world.ends["revision-r2"] == "reached"
    assert world.answering() == {"r2"}
    assert len([one for one in world.log if isinstance(one, observed.Start) and one.spec.release == "r2"]) == 2
