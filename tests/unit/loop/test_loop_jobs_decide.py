"""Which jobs are due, decided without a clock or a ledger: once, never two at once, the latest missed one alone, late once."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ciranda.environment.jobs import Known, Run
from ciranda.loop import jobs
from ciranda.loop.jobs import Again, Late, Queue, Seen, Skip
from ciranda.release import manifest

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def at(text: str) -> int:
    """A moment of UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def known(schedule: str | None = "0 5 * * *", *, environment: str = "prod", **more: Any) -> Known:
    """A job of production that is there since the beginning of November."""
    given: dict[str, Any] = {"since_us": at("2026-11-01"), "late_us": None, "ready_by": None, "retries": 0} | more
    job = manifest.Job(
        ("scores",), schedule, given.pop("ready_by"), ("prod",), given.pop("retries"), timeout=60.0, owner=""
    )
    return Known("toy", environment, "nightly", job, **given)


def run(due: int, **more: Any) -> Run:
    """A run of it that waits in the queue."""
    given: dict[str, Any] = {
        "id": "1", "project": "toy", "environment": "prod", "job": "nightly", "due_us": due, "cause": "schedule",
        "actor": "ciranda", "state": "waiting", "attempt": 1, "retry_us": None, "task": "t", "release": None,
        "revision": None, "run": None, "reason": "", "queued_us": due, "started_us": None, "ended_us": None,
    }  # fmt: skip
    return Run(**given | more)


def test_nothing_is_due_before_its_time_and_it_is_at_its_time() -> None:
    five = at("2026-11-05T05:00")
    seen = Seen(known(), last_us=five - DAY)
    assert jobs.decide([seen], five - 1) == []
    assert jobs.next_us([seen], five - 1) == five
    assert jobs.decide([seen], five) == [Queue(seen.known, five, "schedule")]
    assert jobs.next_us([seen], five) == five + DAY


def test_what_has_its_row_is_not_queued_again() -> None:
    five = at("2026-11-05T05:00")
    assert jobs.decide([Seen(known(), last_us=five)], five + HOUR) == []


def test_of_many_that_were_missed_the_latest_is_caught_up_alone() -> None:
    seen = Seen(known(), last_us=at("2026-11-05T05:00"))
    assert jobs.decide([seen], at("2026-11-20T09:00")) == [Queue(seen.known, at("2026-11-20T05:00"), "caught up")]


def test_a_minute_late_is_in_time_and_more_is_caught_up() -> None:
    five = at("2026-11-05T05:00")
    seen = Seen(known(), last_us=five - DAY)
    assert [act.cause for act in jobs.decide([seen], five + 60 * SECOND) if isinstance(act, Queue)] == ["schedule"]
    assert [act.cause for act in jobs.decide([seen], five + 61 * SECOND) if isinstance(act, Queue)] == ["caught up"]


def test_what_was_due_before_a_job_was_there_was_not_missed() -> None:
    seen = Seen(known(since_us=at("2026-11-05T06:00")))
    assert jobs.decide([seen], at("2026-11-05T23:00")) == []


def test_never_two_at_once() -> None:
    five = at("2026-11-05T05:00")
    for active in (run(five - DAY), run(five - DAY, state="running")):
        seen = Seen(known(), active, last_us=five - DAY)
        assert jobs.decide([seen], five) == [
            Skip(seen.known, five, "schedule", "the run before it was still going"),
        ]  # fmt: skip


def test_what_waits_for_its_next_try_makes_room_for_the_next_occurrence() -> None:
    five = at("2026-11-05T05:00")
    active = run(five - DAY, retry_us=five + HOUR, task=None)
    seen = Seen(known(), active, last_us=five - DAY)
    assert jobs.decide([seen], five) == [Queue(seen.known, five, "schedule", active)]


def test_the_next_try_comes_at_its_time() -> None:
    five = at("2026-11-05T05:00")
    active = run(five, retry_us=five + 90 * SECOND, task=None)
    seen = Seen(known(), active, last_us=five)
    assert jobs.decide([seen], five + 89 * SECOND) == []
    assert jobs.next_us([seen], five + 60 * SECOND) == five + 90 * SECOND
    assert jobs.decide([seen], five + 90 * SECOND) == [Again(active, 60.0)]
    by_hand = Seen(known(None), active)
    assert jobs.decide([by_hand], five + 90 * SECOND) == [Again(active, 60.0)], "without a schedule too"


def test_pauses_grow_to_an_hour() -> None:
    assert [jobs.pause(attempt) // SECOND for attempt in (1, 2, 3, 8, 1000)] == [30, 60, 120, 3600, 3600]


def test_what_is_not_there_by_its_hour_is_late_once() -> None:
    five, seven = at("2026-11-05T05:00"), at("2026-11-05T07:00")
    one = known(ready_by="07:00")
    yesterday = Seen(one, run(five, state="running"), last_us=five, passed_us=five - DAY)
    assert jobs.decide([yesterday], seven - 1) == []
    assert jobs.decide([yesterday], seven) == [Late(one, five)]
    assert jobs.decide([Seen(one, None, five, five)], seven + HOUR) == [], "it passed"
    assert jobs.decide([Seen(one, None, five, five + 10 * HOUR)], seven + HOUR) == [], "it passed by hand"
    told = known(ready_by="07:00", late_us=five)
    assert jobs.decide([Seen(told, None, five, five - DAY)], seven + HOUR) == []


def test_a_job_that_came_after_its_hour_is_not_late() -> None:
    assert jobs.decide([Seen(known(ready_by="07:00", since_us=at("2026-11-05T06:00")))], at("2026-11-05T08:00")) == []


def test_where_its_schedule_does_not_hold_it_is_neither_due_nor_late() -> None:
    one = known(environment="test", ready_by="07:00")
    assert jobs.decide([Seen(one)], at("2026-11-20T09:00")) == []
    assert jobs.next_us([Seen(one)], at("2026-11-20T09:00")) is None


@given(
    st.lists(st.integers(1, 20 * 24 * 60), min_size=1, max_size=40),
    st.sampled_from(["0 5 * * *", "*/30 * * * *", "0 */6 * * * America/New_York", "0 9 * * MON"]),
)
def test_however_one_looks_rows_are_occurrences_each_once_and_in_order(pauses: list[int], schedule: str) -> None:
    """Looks minutes apart, each run over before the next look: nothing that came within a look's reach is lost but older missed ones."""
    now, rows = at("2026-11-01T00:00"), []
    one = known(schedule, since_us=now)
    for pause in pauses:
        now += pause * 60 * SECOND
        acts = jobs.decide([Seen(one, last_us=rows[-1] if rows else None)], now)
        due = [act.due_us for act in acts if isinstance(act, Queue)]
        cron = one.schedule
        assert cron is not None
        latest = cron.latest(max([one.since_us, *rows]), now)
        assert due == ([] if latest is None else [latest])
        rows += due
        assert jobs.decide([Seen(one, last_us=rows[-1] if rows else None)], now) == []
        following = jobs.next_us([Seen(one)], now)
        assert following is not None
        assert following > now
    assert rows == sorted(set(rows))
