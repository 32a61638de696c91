"""The decision of a reconcile, in a simulated machine."""

from ciranda.environment import decide, observed
from support.environment import SECOND, World, wanted


def deployed(*releases: str, **services: int) -> World:
    """A world in which these releases were deployed one after the other."""
    world = World()
    for release in releases:
        world.aim(wanted(release, **services))
        world.run(6)
        assert world.ends[f"revision-{release}"] == "reached"
    return world


def test_a_first_release_is_started_routed_watched_and_reached() -> None:
    world = World()
    world.aim(wanted("r1", delays=2))
    world.run(0.4)
    assert world.routes == ()
    assert len(world.running("r1")) == 2
    world.run(0.4)
    assert world.answering() == {"r1"}
    assert world.ends == {}
    world.run(3)
    assert world.ends == {"revision-r1": "reached"}
    assert world.last.settled


def test_the_old_release_answers_until_every_instance_of_the_new_one_is_healthy() -> None:
    world = deployed("r1", delays=2)
    world.healthy_after["r2"] = 5.0
    world.aim(wanted("r2", delays=2))
    world.run(4.6)
    assert world.answering() == {"r1"}
    world.run(1)
    assert world.answering() == {"r2"}


def test_what_leaves_stays_warm_for_ten_minutes_and_is_stopped_then() -> None:
    world = deployed("r1", "r2")
    assert len(world.healthy("r1")) == 1
    world.run(590, tick=5)
    assert len(world.healthy("r1")) == 1
    world.run(20, tick=5)
    assert not world.processes.keys() - {one.id for one in world.healthy("r2")}


def test_standby_is_given_up_when_memory_is_short() -> None:
    world = deployed("r1", "r2")
    world.memory_short = True
    world.run(1)
    assert world.running("r1") == []
    assert world.answering() == {"r2"}


def test_back_to_a_standby_is_one_route_swap_and_starts_nothing() -> None:
    world = deployed("r1", "r2")
    world.aim(wanted("r1", revision="back"))
    world.log.clear()
    decision = world.step()
    assert [type(one) for one in decision.actions] == [observed.SetRoutes, observed.MarkRouted]
    assert world.answering() == {"r1"}
    world.run(3)
    assert world.ends["back"] == "reached"
    assert not [one for one in world.log if isinstance(one, observed.Start)]


def test_a_service_that_is_never_healthy_fails_and_the_old_one_is_never_left() -> None:
    world = deployed("r1")
    world.healthy_after["r2"] = None
    world.aim(wanted("r2"))
    world.log.clear()
    world.run(25)
    assert world.ends["revision-r2"] == "delays was not healthy within 20 s"
    assert not [one for one in world.log if isinstance(one, observed.SetRoutes)]
    assert world.running("r2") == []
    assert world.answering() == {"r1"}


def test_a_service_that_exits_again_and_again_fails_early() -> None:
    world = deployed("r1")
    world.healthy_after["r2"], world.exits_after["r2"] = None, 0.2
    world.aim(wanted("r2"))
    world.run(4)
    assert world.ends["revision-r2"] == "delays failed 3 times: exit 1"
    assert world.answering() == {"r1"}


def test_a_service_that_dies_right_after_the_swap_fails_and_the_route_goes_back() -> None:
    world = deployed("r1")
    world.exits_after["r2"] = 0.8
    world.aim(wanted("r2"))
    world.run(3)
    assert world.ends["revision-r2"].startswith("delays died ")
    assert world.answering() == {"r1"}


def test_a_failed_verification_puts_the_old_release_back() -> None:
    world = deployed("r1")
    world.aim(wanted("r2"), verify="failed")
    world.run(6)
    assert world.ends["revision-r2"] == "smoke: exit status 1"
    assert world.answering() == {"r1"}
    assert world.running("r2") == []


def test_a_failed_first_release_leaves_no_route_and_no_instance() -> None:
    world = World()
    world.aim(wanted("r1"), verify="failed")
    world.run(6)
    assert world.ends["revision-r1"] == "smoke: exit status 1"
    assert world.routes == ()
    assert world.processes == {}
    assert world.last.settled


def test_a_passed_verification_makes_it_live() -> None:
    world = deployed("r1")
    world.aim(wanted("r2"), verify="passed")
    world.run(4)
    assert world.ends["revision-r2"] == "reached"
    assert [one for one in world.log if isinstance(one, observed.PutVerify)] == [observed.PutVerify("revision-r2")]


def test_a_crashed_instance_is_taken_out_and_started_again_with_growing_delays() -> None:
    world = deployed("r1", delays=2)
    world.exits_after["r1"] = 0.1
    world.healthy_after["r1"] = None
    victim = world.healthy("r1")[0].id
    world.kill(victim)
    world.step()
    assert victim not in world.routed()
    assert len(world.routed()) == 1
    begin = world.made
    world.run(60)
    assert 6 <= world.made - begin <= 9  # 0.25 + 0.5 + … + 32 s
    assert world.answering() == {"r1"}


def test_the_delay_doubles_up_to_its_limit() -> None:
    exits = [observed.Exit(str(n), "a", 100 * SECOND, "exit 1") for n in range(40)]
    delays = [decide.restart_us(exits[:n], "a") - 100 * SECOND for n in (1, 2, 3, 40)]
    assert delays == [SECOND // 4, SECOND // 2, SECOND, 30 * SECOND]
    assert decide.restart_us(exits, "b") == 0


def test_scaling_up_adds_to_the_route_and_down_takes_from_it_without_a_swap() -> None:
    world = deployed("r1")
    first = world.routed()
    world.aim(wanted("r1", revision="up", delays=3))
    world.run(4)
    assert world.ends["up"] == "reached"
    assert first < world.routed()
    assert len(world.routed()) == 3
    world.aim(wanted("r1", revision="down", delays=1))
    world.run(4)
    assert world.ends["down"] == "reached"
    assert world.routed() == first
    world.left.clear()
    world.run(2)
    assert len(world.processes) == 1


def test_routes_come_back_when_the_table_has_lost_them() -> None:
    world = deployed("r1")
    world.routes = ()
    world.step()
    assert world.answering() == {"r1"}


def test_a_superseded_target_leaves_nothing_behind() -> None:
    world = deployed("r1")
    world.aim(wanted("r2"))
    world.run(0.4)
    world.aim(wanted("r3"))
    world.run(5)
    assert world.ends == {"revision-r1": "reached", "revision-r2": "superseded", "revision-r3": "reached"}
    assert world.running("r2") == []


def test_a_release_without_services_is_reached_at_once_after_its_verification() -> None:
    world = World()
    world.aim(observed.Wanted("empty", "r1", ()), verify="passed")
    world.run(0.8)
    assert world.ends["empty"] == "reached"


def test_one_service_that_is_down_takes_nobody_with_it_and_the_last_release_helps_out() -> None:
    world = deployed("r1", "r2", delays=1, planes=1)
    for one in world.healthy("r2", "planes"):
        world.kill(one.id)
    world.exits_after["r2"] = 0.1
    world.step()
    assert world.answering("delays") == {"r2"}
    assert world.answering("planes") == {"r1"}


def test_a_live_instance_that_hangs_is_replaced_before_it_is_stopped() -> None:
    world = deployed("r1")
    hung = next(iter(world.processes))
    seen = world.observe()
    bad = [
        observed.Seen(
            one.id, one.spec, one.service, one.release, "unhealthy", one.address, one.started_us,
            unhealthy_us=world.now_us - 40 * SECOND,
        )
        for one in seen.instances
    ]  # fmt: skip
    first = decide.decide(observed.Observed(**{**_fields(seen), "instances": tuple(bad)}))
    assert [type(one) for one in first.actions] == [observed.Start]
    fresh = observed.Seen("new", bad[0].spec, "delays", "r1", "healthy", "unix:/new", world.now_us)
    second = decide.decide(observed.Observed(**{**_fields(seen), "instances": (*bad, fresh)}))
    assert [type(one) for one in second.actions] == [observed.SetRoutes]
    third = decide.decide(
        observed.Observed(
            **{**_fields(seen), "instances": (*bad, fresh), "routes": second.actions[0].routes}  # type: ignore[union-attr]
        )
    )
    assert [(type(one), getattr(one, "instance", "")) for one in third.actions] == [(observed.Stop, hung)]


def _fields(seen: observed.Observed) -> dict[str, object]:
    return {name: getattr(seen, name) for name in seen.__dataclass_fields__}


def test_a_service_that_is_ill_already_keeps_no_other_from_being_scaled() -> None:
    world = deployed("r1", delays=1, page=1)
    for process in world.processes.values():
        if process.part.service == "page":
            process.healthy_after = None
            process.state = "unhealthy"
    world.aim(wanted("r1", revision="more", delays=2, page=1))
    world.run(5)
    assert world.ends["more"] == "reached"
    assert len([one for one in world.healthy("r1") if one.part.service == "delays"]) == 2
    world.aim(wanted("r1", revision="both", delays=2, page=2))
    world.run(40)
    assert world.ends["both"] == "page was not healthy within 20 s"
