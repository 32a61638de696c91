"""Changes that were planted are found where they were planted, and none where there is none."""

import math
import random

import pytest

from ciranda.app.views import figures
from ciranda.monitor import trends

STEP = 600_000_000  # µs
DAY = 144  # steps


def noisy(seed: int, count: int, level: float = 8.0, *, swing: float = 0.0) -> list[float]:
    chance = random.Random(seed)
    return [level * chance.lognormvariate(0, 0.25) * (1 + swing * math.sin(at / DAY * math.tau)) for at in range(count)]


def moments(count: int) -> list[int]:
    return [at * STEP for at in range(count)]


@pytest.mark.parametrize("swing", [0.0, 0.5])
def test_no_change_is_found_where_there_is_none(swing: float) -> None:
    found = [trends.trend(moments(8 * DAY), noisy(seed, 8 * DAY, swing=swing)).change for seed in range(60)]
    assert found == [None] * 60


@pytest.mark.parametrize(("factor", "swing", "off"), [(2.5, 0.0, 6), (0.3, 0.0, 6), (2.5, 0.4, 6)])
def test_a_planted_change_is_found_where_it_was_planted(factor: float, swing: float, off: int) -> None:
    chance = random.Random(7)
    for seed in range(30):
        at = chance.randrange(4 * DAY, 8 * DAY - 24)
        values = [
            value * (factor if place >= at else 1.0) for place, value in enumerate(noisy(seed, 8 * DAY, swing=swing))
        ]
        change = trends.trend(moments(8 * DAY), values).change
        assert change is not None, (seed, at)
        assert abs(change.at_us // STEP - at) <= off, (seed, at)
        assert change.rose is (factor > 1)
        assert change.after / change.before == pytest.approx(factor, rel=0.6)


def test_two_changes_are_both_found_and_a_spike_is_none() -> None:
    values = [*noisy(1, 100), *noisy(2, 100, 30.0), *noisy(3, 100)]
    values[150:153] = [500.0] * 3
    found = trends.changes(moments(300), values)
    assert [round(one.at_us / STEP / 10) for one in found] == [10, 20]


def test_little_is_known_of_little() -> None:
    assert trends.changes(moments(8), [1.0] * 4 + [9.0] * 4) == []
    assert trends.changes(moments(40), [None] * 40) == []
    assert trends.trend([], []) == trends.Trend(None, None, None)
    assert trends.changes(moments(60), [0.0] * 60) == []


def test_a_value_is_told_against_its_week() -> None:
    found = trends.trend(moments(3 * DAY), [8.0] * (3 * DAY - 2) + [24.0] * 2)
    assert (found.now, found.week) == (8.0, 8.0)  # the last hour has six values: two do not move its median
    found = trends.trend(moments(3 * DAY), [8.0] * (3 * DAY - 6) + [24.0] * 6)
    assert found.times == 3.0


def test_what_happened_just_before_is_named() -> None:
    change = trends.Change(1_000_000_000, 0.008, 0.021, 0.999)
    moves = {0: "r41 went live", 960_000_000: "r42 went live", 2_000_000_000: "r43 went live"}
    assert trends.cause(change, moves) == ("r42 went live", 40_000_000)
    assert trends.cause(change, {1_050_000_000: "r42 went live"}) == ("r42 went live", 0)
    assert trends.cause(change, {10_000_000: "r41 went live"}) is None
    told = figures.sentence("p99", change, trends.cause(change, moves))
    assert told.startswith("p99 rose from 8 ms to 21 ms at ")
    assert told.endswith(", r42 went live 40 s before")
