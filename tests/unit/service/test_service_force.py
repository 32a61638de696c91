"""Which instance a request goes to, and what a new table changes."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ciranda.service import counters, table
from ciranda.service.gateway.force import Force
from ciranda.service.port import Route, Target


@pytest.fixture
def force(tmp_path: Path) -> Iterator[Force]:
    counted = counters.Counters(tmp_path / "counters")
    yield Force(counted)
    counted.close()


def route(*targets: tuple[str, int, list[str]], service: str = "c") -> Route:
    made = [Target(name, weight, {one: f"unix:/{one}" for one in ones}) for name, weight, ones in targets]
    return Route("a", "b", service, tuple(made))


class Connection:
    def __init__(self, idle_since: float = 0.0, *, works: bool = True) -> None:
        self.idle_since = idle_since
        self.works = works
        self.closed = False

    def usable(self) -> bool:
        return self.works

    def close(self) -> None:
        self.closed = True


def test_requests_are_spread_by_weight(force: Force) -> None:
    force.put(table.Table(1, (route(("r1", 90, ["x"]), ("r2", 10, ["y"]), ("r0", 0, ["z"])),)))
    entry = force.entries[b"/a/b/c"]
    chosen = Counter(found[0].name for _ in range(5000) if (found := entry.choose(0.0)))
    assert set(chosen) == {"r1", "r2"}
    assert 350 < chosen["r2"] < 650  # 500 expected, σ = 21


def test_the_instance_with_the_fewest_requests_in_flight_is_taken(force: Force) -> None:
    force.put(table.Table(1, (route(("r1", 1, ["x", "y", "z"])),)))
    entry = force.entries[b"/a/b/c"]
    for name, count in (("x", 3), ("y", 1), ("z", 2)):
        force.upstreams[name].in_flight = count
    assert {found[1].id for _ in range(20) if (found := entry.choose(0.0))} == {"y"}


def test_instances_that_rest_or_were_tried_are_passed_over(force: Force) -> None:
    force.put(table.Table(1, (route(("r1", 100, ["x"]), ("r2", 1, ["y"])),)))
    entry = force.entries[b"/a/b/c"]
    x, y = force.upstreams["x"], force.upstreams["y"]
    x.rests_until = 10.0
    assert {found[1] for _ in range(20) if (found := entry.choose(5.0))} == {y}
    assert entry.choose(5.0, (y,)) == (entry.releases[0], x)  # better one that rests than none
    assert entry.choose(5.0, (x, y)) is None


def test_a_route_without_instances_has_nobody(force: Force) -> None:
    force.put(table.Table(1, (route(("r1", 1, [])), route(("r1", 0, ["x"]), service="d"), route(service="e"))))
    assert [entry.choose(0.0) for entry in force.entries.values()] == [None, None, None]


def test_instances_that_stay_keep_what_they_had_and_those_that_leave_are_let_go(force: Force) -> None:
    force.put(table.Table(1, (route(("r1", 1, ["x", "y"])),)))
    x, y = force.upstreams["x"], force.upstreams["y"]
    kept, left = Connection(), Connection()
    x.idle.append(kept)
    y.idle.append(left)
    x.in_flight, y.in_flight = 2, 1
    force.put(table.Table(2, (route(("r2", 1, ["x", "z"])),)))
    assert force.upstreams["x"] is x
    assert not kept.closed
    assert left.closed
    assert not y.routed
    assert force.in_flight() == {"x": 2, "y": 1, "z": 0}
    y.in_flight = 0
    force.put(table.Table(3, ()))
    assert "y" not in force.upstreams
    assert force.in_flight() == {"x": 2}
    assert force.serial == 3


def test_the_connection_used_last_is_used_first_and_old_ones_are_closed(force: Force) -> None:
    force.put(table.Table(1, (route(("r1", 1, ["x"])),)))
    upstream = force.upstreams["x"]
    old, fresh, broken = Connection(1.0), Connection(9.0), Connection(9.5, works=False)
    upstream.idle = [old, fresh, broken]
    upstream.close_idle(5.0)
    assert (old.closed, fresh.closed) == (True, False)
    assert upstream.take() is fresh
    assert upstream.take() is None
