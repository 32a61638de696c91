"""The loop of an environment on a real ledger and store, with instances that are not processes."""

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ciranda.environment import moves, observe, reconcile, revisions
from ciranda.environment.times import STANDBY_US
from ciranda.kernel import clock, errors, events, tasks
from ciranda.project import declaration
from support import environment
from support.environment import Instances, Site
from support.kernel import Ledger


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Site:
    return environment.site(ledger, tmp_path)


@pytest.fixture
def instances() -> Instances:
    return Instances()


@contextmanager
def loop(site: Site, instances: Instances, lines: list[str] | None = None, **machine: Any) -> Iterator[None]:
    """A reconciler of prod that runs."""
    said = [] if lines is None else lines
    one = reconcile.Reconciler(site.place(instances, **machine), report=said.append)
    one.start()
    try:
        yield
    finally:
        one.stop()


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)


def ended(site: Site, revision: revisions.Revision) -> Callable[[], bool]:
    return lambda: revisions.by_id(site.database, revision.id).state != "target"


def states(site: Site) -> list[str]:
    return [one.state for one in reversed(revisions.history(site.database, "flights", "prod"))]


def test_releases_go_live_one_after_the_other_and_back_is_a_swap(site: Site, instances: Instances) -> None:
    lines: list[str] = []
    with loop(site, instances, lines):
        first = site.target("c1", services={"delays": 2})
        until(ended(site, first))
        assert instances.answering() == {"delays": "r1"}
        second = site.target("c2", services={"delays": 2})
        until(lambda: instances.answering() == {"delays": "r2"})
        until(ended(site, second))
        started = instances.made
        site.database.write(lambda tx: moves.rollback(tx, "flights", "prod", actor="ana"))
        until(lambda: instances.answering() == {"delays": "r1"})
        until(lambda: states(site) == ["reached"] * 3)
    assert instances.made == started == 4
    spec = next(iter(instances.specs.values()))
    assert (spec.directory / "commit").read_text() == "c1"
    assert Path(spec.variables["CIRANDA_ASSET_DELAY"]).read_bytes() == b"1"
    assert "environment flights/prod: start delays r1" in lines
    kinds = [one.kind for one in events.after(site.database, 0) if one.kind.startswith("revision")]
    assert kinds == ["revision.targeted", "revision.reached"] * 3


def test_a_loop_that_starts_late_finds_its_way_from_any_point(site: Site, instances: Instances) -> None:
    """Stop the loop again and again, at whatever it is doing: the next one goes on."""
    first = site.target("c1")
    second = None
    end = time.monotonic() + 20
    while states(site) != ["reached", "reached"]:
        assert time.monotonic() < end
        with loop(site, instances):
            time.sleep(0.07)
        if second is None and ended(site, first)():
            second = site.target("c2")
    assert instances.answering() == {"delays": "r2"}
    assert instances.made == 2


def test_a_release_that_is_never_healthy_fails_and_the_old_one_stays(site: Site, instances: Instances) -> None:
    instances.broken = {"r2"}
    with loop(site, instances):
        until(ended(site, site.target("c1")))
        second = site.target("c2", start_timeout=0.5)
        until(ended(site, second))
        until(lambda: len(instances.there) == 1)
    assert revisions.by_id(site.database, second.id).reason == "delays was not healthy within 0.5 s"
    assert [{route.targets[0].release for route in swap} for swap in instances.swaps] == [{"r1"}]


@pytest.mark.parametrize("passes", [True, False])
def test_verification_is_a_task_whose_end_decides(site: Site, instances: Instances, passes: bool) -> None:
    places = (declaration.Environment("prod", verify=("pytest tests/smoke",)),)
    with loop(site, instances):
        until(ended(site, site.target("c1")))
        second = site.target("c2", environments=places)
        task = claimed(site)
        assert task.subject == second.id
        assert instances.answering() == {"delays": "r2"}
        site.database.write(
            lambda tx: tasks.finish(
                tx, task, state="done" if passes else "failed", result={"reason": "" if passes else "smoke: 1 failed"}
            )
        )
        until(ended(site, second))
        until(lambda: instances.answering() == {"delays": "r2" if passes else "r1"})
    found = revisions.by_id(site.database, second.id)
    assert (found.state, found.reason) == (("reached", "") if passes else ("failed", "smoke: 1 failed"))


def test_a_crash_is_recorded_once_and_repaired(site: Site, instances: Instances) -> None:
    with loop(site, instances):
        until(ended(site, site.target("c1")))
        (victim,) = instances.there
        instances.kill(victim)
        until(lambda: victim not in instances.there and instances.answering() == {"delays": "r1"})
    exits = [one for one in events.after(site.database, 0) if one.kind == "instance.exited"]
    assert [(one.subject, one.body["exit"]) for one in exits] == [(victim, "signal 9")]


def test_an_unreachable_gateway_is_said_once_and_waited_for(site: Site, instances: Instances) -> None:
    lines: list[str] = []
    instances.unreachable = True
    with loop(site, instances, lines):
        made = site.target("c1")
        until(lambda: any("gateway" in line for line in lines))
        time.sleep(0.5)
        instances.unreachable = False
        until(ended(site, made))
    assert len([line for line in lines if "gateway" in line]) == 1
    assert instances.answering() == {"delays": "r1"}


def test_a_release_whose_tree_or_interpreter_is_gone_fails_with_the_reason(site: Site, instances: Instances) -> None:
    def no_tree(commit: str, destination: Path) -> None:
        raise errors.Invalid("a submodule is in the tree")

    with loop(site, instances, write_tree=no_tree):
        until(ended(site, made := site.target("c1")))
    assert revisions.by_id(site.database, made.id).reason == "a submodule is in the tree"

    def no_program(digest: str) -> Any:
        raise errors.NotFound("the interpreter is not here")

    with loop(site, instances, program=no_program):
        until(ended(site, again := site.target("c2")))
    assert revisions.by_id(site.database, again.id).reason == "the interpreter is not here"


def test_a_corrupt_model_fails_the_release(site: Site, instances: Instances) -> None:
    made = site.target("c1", model=b"x" * 100_000)
    for path in (site.folder / "store").rglob("*"):
        if path.is_file() and path.stat().st_size == 100_000:
            path.chmod(0o644)
            path.write_bytes(b"y" * 100_000)
    with loop(site, instances):
        until(ended(site, made))
    assert revisions.by_id(site.database, made.id).state == "failed"
    assert instances.made == 0


def test_two_loops_of_one_environment_do_not_both_act(site: Site, instances: Instances) -> None:
    with loop(site, instances):
        until(ended(site, site.target("c1")))
        other = reconcile.Reconciler(site.place(instances), report=[].append, holder="elsewhere")
        other.start()
        until(ended(site, site.target("c2")))
        other.stop()
    assert instances.made == 2


def claimed(site: Site) -> tasks.Task:
    """The verification, once it is queued."""
    found: list[tasks.Task] = []

    def look() -> bool:
        task = tasks.claim(site.database, worker="w", kinds=["verify"], lease=60)
        found.extend([task] if task else [])
        return bool(found)

    until(look)
    return found[0]


def test_a_full_disk_is_said_and_waited_for(site: Site, instances: Instances) -> None:
    lines: list[str] = []
    room = [False]

    def write_tree(commit: str, destination: Path) -> None:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device", str(destination))
        destination.mkdir()

    with loop(site, instances, lines, write_tree=write_tree):
        made = site.target("c1")
        until(lambda: any("room" in line or "space" in line for line in lines))
        assert instances.made == 0
        room[0] = True
        until(ended(site, made))
    assert revisions.by_id(site.database, made.id).state == "reached"


def test_a_start_that_is_refused_is_tried_again_and_given_up(site: Site, instances: Instances) -> None:
    until_then = instances.start

    def refuse(spec: Any) -> str:
        raise errors.Refused("No such file: 'node'")

    with loop(site, instances):
        until(ended(site, site.target("c1")))
        instances.start = refuse  # type: ignore[method-assign]
        until(ended(site, bad := site.target("c2")))
        instances.start = until_then  # type: ignore[method-assign]
    reason = revisions.by_id(site.database, bad.id).reason
    assert reason == "delays failed 3 times: it cannot start: No such file: 'node'"
    assert instances.answering() == {"delays": "r1"}


def test_what_ended_with_the_whole_server_is_no_crash(site: Site, instances: Instances) -> None:
    with loop(site, instances):
        until(ended(site, site.target("c1")))
    (gone,) = instances.there
    instances.there[gone] = replace(instances.there[gone], state="exited", exit="exit 0", asked=True)
    with loop(site, instances):
        until(lambda: gone not in instances.there and instances.answering() == {"delays": "r1"})
    assert not [one for one in events.after(site.database, 0) if one.kind == "instance.exited"]


def test_what_was_replaced_stays_warm_and_answers_as_long_as_its_successor_dies(
    site: Site, instances: Instances
) -> None:
    def of(release: str) -> list[str]:
        return [one.id for one in instances.observe() if release in one.id and one.state == "healthy"]

    with loop(site, instances):
        for commit in ("c1", "c2"):
            until(ended(site, site.target(commit)))
        instances.kill(of("r2")[0])
        until(lambda: instances.answering() == {"delays": "r1"})
        until(lambda: instances.answering() == {"delays": "r2"})
        back = (
            "UPDATE revision SET ended_us = ended_us - :back, routed_us = routed_us - :back WHERE project = 'flights'"
        )
        site.database.write(lambda tx: tx.execute(back, back=2 * STANDBY_US))
        (standby,) = observe.observe(site.place(instances), observe.Memory()).standby
        assert standby.wanted.release == "r1"
        assert standby.until_us > clock.now_us()
        instances.kill(of("r2")[0])
        until(lambda: instances.answering() == {"delays": "r1"})
    forget = "UPDATE ending SET exited_us = exited_us - :back"
    site.database.write(lambda tx: tx.execute(forget, back=2 * STANDBY_US))
    with loop(site, instances):
        until(lambda: of("r1") == [] and instances.answering() == {"delays": "r2"})
