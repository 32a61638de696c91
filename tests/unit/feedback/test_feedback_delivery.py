"""DORA's figures: what is counted as what, and laws that hold for any history."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.feedback import delivery
from ciranda.feedback.delivery import DAY, Entry, History, Refused, Trouble, measure

HOUR = DAY // 24
ALL = 100 * DAY


def entry(
    number: int, release: str, at_us: int, cause: str = "promotion", state: str = "reached", **more: object
) -> Entry:
    given = {"created_us": at_us - 60_000_000, "routed_us": at_us - 30_000_000, "ended_us": at_us, "recorded_us": at_us - HOUR,
             "services": ("delays",)}  # fmt: skip
    return Entry(number=number, release=release, cause=cause, state=state, **given | more)  # type: ignore[arg-type]


def history(*entries: Entry, troubles: tuple[Trouble, ...] = (), refused: tuple[Refused, ...] = ()) -> History:
    return History(entries, troubles, refused)


def test_nothing_is_not_zero() -> None:
    found = measure(history(), 0, ALL)
    assert (found.deployments, found.per_week, found.lead, found.rate, found.restore) == (None, None, None, None, None)
    found = measure(history(entry(1, "r1", DAY)), 2 * DAY, 9 * DAY)
    assert (found.deployments, found.per_week, found.rate) == (0, 0.0, None)
    assert measure(history(entry(1, "r1", 50 * DAY)), 2 * DAY, 9 * DAY).deployments is None


def test_releases_that_enter_are_deployments_and_other_revisions_are_not() -> None:
    found = measure(history(
        entry(1, "r1", DAY), entry(2, "r1", 2 * DAY, "scale"), entry(3, "r1", 3 * DAY, "config"), entry(4, "r2", 4 * DAY),
        entry(5, "r3", 5 * DAY, state="superseded"), entry(6, "r2", 6 * DAY, "promotion"),
    ), 0, 8 * DAY)  # fmt: skip
    assert found.deployments == 2
    assert found.lead == delivery.Spread(HOUR, HOUR, 2)
    assert (found.rate, found.failures) == (0.0, ())


def test_a_release_that_comes_back_has_no_second_lead_time() -> None:
    back = entry(3, "r1", 9 * DAY, recorded_us=DAY - HOUR)
    found = measure(history(entry(1, "r1", DAY), entry(2, "r2", 4 * DAY), back), 0, ALL)
    assert found.deployments == 3
    assert found.lead == delivery.Spread(HOUR, HOUR, 2)


def test_what_failed_and_what_was_rolled_back_are_failed_changes() -> None:
    found = measure(history(
        entry(1, "r1", DAY), entry(2, "r2", 2 * DAY), entry(3, "r1", 2 * DAY + HOUR, "rollback"),
        entry(4, "r3", 3 * DAY, state="failed", reason="canary: errors"),
    ), 0, ALL)  # fmt: skip
    assert [(one.how, one.what) for one in found.failures] == [("rolled back", "r2"), ("failed", "r3")]
    assert (found.changes, found.rate) == (3, 2 / 3)
    assert found.restore == delivery.Spread((HOUR + 30_000_000) // 2, HOUR, 2)
    assert found.deployments == 2


def test_a_rollback_to_another_configuration_of_one_release_is_no_failure_of_it() -> None:
    found = measure(
        history(entry(1, "r1", DAY), entry(2, "r1", 2 * DAY, "config"), entry(3, "r1", 3 * DAY, "rollback")), 0, ALL
    )
    assert found.failures == ()


def test_an_incident_fails_the_release_that_was_live_once() -> None:
    troubles = (Trouble(1, 2 * DAY, 2 * DAY + HOUR), Trouble(2, 2 * DAY + 2 * HOUR, None))
    found = measure(history(entry(1, "r1", DAY), entry(2, "r2", 3 * DAY), troubles=troubles), 0, ALL)
    assert [(one.how, one.what, one.reason) for one in found.failures] == [("incident", "r1", "incident/1")]
    assert (found.changes, found.rate, found.open) == (2, 0.5, 1)
    assert found.restore == delivery.Spread(HOUR, HOUR, 1)


def test_a_rollback_restores_from_when_the_incident_began() -> None:
    troubles = (Trouble(1, 2 * DAY + HOUR, 2 * DAY + 9 * HOUR),)
    told = history(
        entry(1, "r1", DAY), entry(2, "r2", 2 * DAY), entry(3, "r1", 2 * DAY + 2 * HOUR, "rollback"), troubles=troubles
    )
    assert measure(told, 0, ALL).restore == delivery.Spread(HOUR, HOUR, 1)


def test_bad_data_and_worse_models_are_failed_changes() -> None:
    refused = (
        Refused("data", "change 7", 2 * DAY), Refused("job", "nightly", 3 * DAY, "2 rows", 3 * DAY + HOUR),
        Refused("worse", "r2", 4 * DAY), Refused("job", "nightly", 5 * DAY),
    )  # fmt: skip
    found = measure(history(entry(1, "r1", DAY), refused=refused), 0, ALL)
    assert (found.changes, len(found.failures), found.rate) == (5, 4, 0.8)
    assert found.restore == delivery.Spread(HOUR, HOUR, 1)
    assert found.open == 1
    assert measure(history(entry(1, "r1", DAY), refused=refused), 0, ALL, "delays").rate == 0.0


def test_a_service_has_its_own_incidents_and_releases() -> None:
    troubles = (Trouble(1, 2 * DAY, 3 * DAY, "other"),)
    both = entry(2, "r2", 2 * DAY + HOUR, services=("delays", "other"))
    told = history(entry(1, "r1", DAY, services=("delays", "other")), both, troubles=troubles)
    assert len(measure(told, 0, ALL, "other").failures) == 1
    assert measure(told, 0, ALL, "delays").failures == ()
    assert measure(told, 0, ALL, "elsewhere").deployments is None


def test_frequency_is_that_of_the_time_that_is_known_a_week_at_least() -> None:
    told = history(*(entry(n, f"r{n}", 50 * DAY + n * DAY) for n in range(1, 15)))
    assert measure(told, 0, 65 * DAY).per_week == pytest.approx(7, rel=0.01)
    assert measure(history(entry(1, "r1", 50 * DAY)), 40 * DAY, 51 * DAY).per_week == pytest.approx(1)


def test_jobs_whose_data_was_kept_out_are_restored_by_the_next_that_passed() -> None:
    def run(job: str, state: str, at: int, refused: int = 0) -> dict[str, object]:
        return {"job": job, "state": state, "ended_us": at, "refused": refused, "reason": "bad"}

    found = delivery.of_jobs([
        run("a", "failed", 1, 2), run("b", "failed", 2), run("a", "failed", 3, 1), run("b", "passed", 4), run("a", "passed", 5),
        run("a", "failed", 6, 1),
    ])  # fmt: skip
    assert [(one.at_us, one.restored_us) for one in found] == [(1, 5), (3, 5), (6, None)]


def test_a_release_that_is_worse_is_one_however_often_it_is_compared() -> None:
    body = '{"passed": false, "environment": "prod", "reason": "not_worse"}'
    rows = [{"body": body, "number": 4, "at_us": 1}, {"body": body, "number": 4, "at_us": 2}]
    rows += [{"body": body.replace("false", "true"), "number": 5, "at_us": 3}]
    assert delivery.of_rechecks(rows, "prod") == [Refused("worse", "r4", 1, "not_worse")]
    assert delivery.of_rechecks(rows, "test") == []


def test_a_trend_says_which_way_is_better() -> None:
    base = measure(history(entry(1, "r1", DAY), entry(2, "r2", 2 * DAY)), 0, 8 * DAY)
    slower = replace(base, per_week=1.0, lead=delivery.Spread(2 * HOUR, 2 * HOUR, 1), rate=0.5)
    assert delivery.trend(slower, base) == delivery.Trend("worse", "worse", "worse", "")
    assert delivery.trend(base, slower) == delivery.Trend("better", "better", "better", "")
    assert delivery.trend(base, base) == delivery.Trend("same", "same", "same", "")


@st.composite
def histories(draw: st.DrawFn) -> History:
    entries, at = [], 0
    for number in range(1, draw(st.integers(0, 12)) + 1):
        at += draw(st.integers(1, 5 * HOUR))
        state = draw(st.sampled_from(["reached", "reached", "failed", "superseded"]))
        cause = draw(st.sampled_from(["promotion", "promotion", "rollback", "scale", "config", "destroy"]))
        release = f"r{draw(st.integers(1, 5))}"
        entries.append(
            entry(number, release, at, cause, state, routed_us=draw(st.sampled_from([None, at])), created_us=at)
        )
    times = st.integers(0, 40 * HOUR)
    troubles = [Trouble(n, began, None if left is None else began + left) for n, (began, left) in enumerate(
        draw(st.lists(st.tuples(times, st.none() | times), max_size=5)))]  # fmt: skip
    refused = [Refused(kind, f"x{n}", at) for n, (kind, at) in enumerate(
        draw(st.lists(st.tuples(st.sampled_from(["data", "job", "worse"]), times), max_size=5)))]  # type: ignore[arg-type]  # fmt: skip
    return History(entries, troubles, refused)


@given(histories(), st.integers(0, 30 * HOUR), st.integers(1, 30 * HOUR))
def test_figures_are_possible_ones(told: History, since_us: int, width: int) -> None:
    found = measure(told, since_us, since_us + width)
    assert found.rate is None or 0 <= found.rate <= 1
    assert (found.rate is None) == (found.changes == 0)
    assert len(found.failures) <= found.changes
    assert found.deployments is None or found.deployments <= found.changes
    for spread in (found.lead, found.restore):
        assert spread is None or (0 <= spread.median_us <= spread.p90_us and spread.count > 0)


@given(histories(), st.integers(0, 30 * HOUR), st.integers(1, 30 * HOUR), st.integers(1, 30 * HOUR))
def test_a_window_is_the_sum_of_its_parts(told: History, since_us: int, first: int, second: int) -> None:
    middle, end = since_us + first, since_us + first + second
    whole, left, right = measure(told, since_us, end), measure(told, since_us, middle), measure(told, middle, end)
    assert whole.changes == left.changes + right.changes
    assert (whole.deployments or 0) == (left.deployments or 0) + (right.deployments or 0)
    assert len(whole.failures) == len(left.failures) + len(right.failures)
    assert whole.open == right.open or whole.open >= 0


@given(histories(), st.integers(0, 40 * HOUR))
def test_one_more_incident_makes_nothing_better(told: History, at_us: int) -> None:
    more = History(told.entries, [*told.troubles, Trouble(99, at_us, None)], told.refused)
    before, after = measure(told, 0, ALL), measure(more, 0, ALL)
    assert len(after.failures) >= len(before.failures)
    assert after.changes == before.changes


@given(histories(), st.integers(0, 50 * DAY))
def test_figures_do_not_depend_on_the_calendar(told: History, by: int) -> None:
    def moved(us: int | None) -> int | None:
        return None if us is None else us + by

    shifted = History(
        [replace(one, created_us=one.created_us + by, routed_us=moved(one.routed_us), ended_us=moved(one.ended_us),
                 recorded_us=moved(one.recorded_us)) for one in told.entries],
        [replace(one, started_us=one.started_us + by, resolved_us=moved(one.resolved_us)) for one in told.troubles],
        [replace(one, at_us=one.at_us + by) for one in told.refused],
    )  # fmt: skip
    one, other = measure(told, 0, ALL), measure(shifted, by, ALL + by)
    assert (one.deployments, one.lead, one.rate, one.restore, one.open) == (
        other.deployments, other.lead, other.rate, other.restore, other.open,
    )  # fmt: skip


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_a_spread_lies_within_what_it_is_of(values: list[int]) -> None:
    found = delivery.spread(values)
    assert found is not None
    assert min(values) <= found.median_us <= found.p90_us <= max(values)
    assert sum(value <= found.p90_us for value in values) >= math.ceil(0.9 * len(values))
