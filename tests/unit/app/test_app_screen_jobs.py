"""Jobs on the screen of `ciranda status`."""

from dataclasses import replace
from typing import Any

import pytest

from ciranda.app.views import screen
from ciranda.app.views.status import Environment, Project, Service, Status, Step
from ciranda.environment.jobs import Listed, Run

SECOND = 1_000_000
HOUR = 3600 * SECOND
NOW = 1_000_000 * HOUR
LAST = Run(
    "1", "flights", "prod", "nightly", NOW - 17 * HOUR, "schedule", "ciranda", "passed", 1, None, "t", None, None, None, "",
    NOW - 17 * HOUR, NOW - 17 * HOUR, NOW - 17 * HOUR + 720 * SECOND,
)  # fmt: skip
NIGHTLY = Listed(
    environment="prod", name="nightly", run=("scores",), owner="", schedule="0 5 * * *", ready_by="07:00",
    next_us=NOW + 7 * HOUR, next_at="2026-11-23 05:00 -03", now_at="2026-11-22 22:00 -03", active=None, last=LAST,
    last_days=1, late_us=None,
)  # fmt: skip


def lines(**changes: Any) -> list[str]:
    return screen.job_lines("prod", replace(NIGHTLY, **changes), 7, NOW)


def test_a_calm_job_is_one_line() -> None:
    assert lines() == ["nightly   next 05:00 (in 7 h)   last ✓ yesterday (12 min)"]


@pytest.mark.parametrize(
    ("at", "said"),
    [("2026-11-24 22:00 -03", "Tue 22:00"), ("2026-11-28 05:00 -03", "Sat 05:00"), ("2026-12-01 05:00 -03", "2026-12-01 05:00")],
)  # fmt: skip
def test_a_day_is_said_where_it_is_not_the_next(at: str, said: str) -> None:
    assert f"next {said} (in" in lines(next_at=at)[0]


def test_when_it_ran_last_is_said_as_people_do() -> None:
    assert "last ✓ 12 s ago" in lines(last=replace(LAST, ended_us=NOW - 12 * SECOND), last_days=0)[0]
    assert "last ✓ 5 h ago" in lines(last=replace(LAST, ended_us=NOW - 5 * HOUR), last_days=1)[0]
    assert "last ✓ 3 days ago (0.4 s)" in lines(
        last=replace(LAST, started_us=NOW - 70 * HOUR, ended_us=NOW - 70 * HOUR + 400_000), last_days=3
    )[0]  # fmt: skip


def test_what_goes_on_failed_or_is_late_is_said() -> None:
    running = replace(LAST, state="running", started_us=NOW - 90 * SECOND, ended_us=None)
    assert lines(active=running)[0].startswith("nightly   ● running for 1 min   next")
    assert "● about to run" in lines(active=replace(running, state="waiting", started_us=None))[0]
    failed = replace(LAST, state="failed", reason="scores: positive failed on 2 rows")
    again = replace(failed, state="waiting", retry_us=NOW + 30 * SECOND)
    assert lines(active=again, last=None) == [
        "nightly   ● tried again in 30 s   next 05:00 (in 7 h)", "          ✗ scores: positive failed on 2 rows",
    ]  # fmt: skip
    assert lines(last=failed, late_us=NOW - 17 * HOUR) == [
        "nightly   next 05:00 (in 7 h)   last ✗ yesterday (12 min)",
        "          ✗ scores: positive failed on 2 rows",
        "          ! not there by 07:00: ciranda job show nightly -e prod",
    ]
    assert lines(schedule=None, next_us=None, last=None) == ["nightly   by hand"]


def test_jobs_stand_under_services_and_what_is_late_is_in_the_last_line() -> None:
    place = Environment(
        "prod", Step(17, "r42", NOW), "", None, None, "", (), (Service("api", 1, 1, "", None),), 0,
        jobs=(replace(NIGHTLY, late_us=1),),
    )  # fmt: skip
    said = screen.lines(Status(NOW, True, (Project("flights", "", None, (place,), ()),)))
    assert said[2:] == [
        "        api      1 of 1 instance ✓",
        "        nightly   next 05:00 (in 7 h)   last ✓ yesterday (12 min)",
        "                  ! not there by 07:00: ciranda job show nightly -e prod",
        "  now   nothing is waiting, nothing is held, nightly is late in prod",
    ]
