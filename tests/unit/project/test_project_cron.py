"""Schedules: the laws of what comes next, over real changes of the clock."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.project import cron

SECOND = 1_000_000
HOUR = 3600 * SECOND
ZONES = (
    "UTC", "America/Sao_Paulo", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia",
    "America/Havana", "Africa/Casablanca",
)  # fmt: skip


def us(text: str, zone: str = "UTC", *, fold: int = 0) -> int:
    """A moment that the clocks of a zone show."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * SECOND


def said(schedule: str, start: int, count: int) -> list[str]:
    """The next times that it is due, in UTC."""
    found = []
    for _ in range(count):
        after = cron.parse(schedule).after(start)
        assert after is not None
        start = after
        found.append(f"{datetime.fromtimestamp(start // SECOND, UTC):%Y-%m-%d %H:%M}")
    return found


schedules = st.builds(
    lambda minute, hour, day, month, weekday, zone: f"{minute} {hour} {day} {month} {weekday} {zone}",
    st.sampled_from(["*", "0", "30", "*/15", "5,59", "0-3"]),
    st.sampled_from(["*", "0", "1", "2", "3", "*/6", "1-3", "23"]),
    st.sampled_from(["*", "*", "1", "15", "L", "28-31"]),
    st.sampled_from(["*", "*", "3", "10,11", "JAN"]),
    st.sampled_from(["*", "*", "0", "MON-FRI", "7", "5#3"]),
    st.sampled_from(ZONES),
)
# Around the days on which clocks were or will be moved in these zones, and any other time.
DAYS = (
    "2026-03-08", "2026-11-01", "2026-03-29", "2026-10-25", "2026-04-05", "2026-10-04", "2018-11-04", "2019-02-17",
    "2011-12-30", "2026-02-28", "2028-02-29", "2026-12-31", "2026-02-15", "2026-03-22",
)  # fmt: skip
moments = st.one_of(
    st.builds(
        lambda day, seconds: us(f"{day}T00:00:00") + seconds * SECOND,
        st.sampled_from(DAYS),
        st.integers(-90_000, 90_000),
    ),
    st.integers(us("2000-01-01"), us("2060-01-01")),
)


@given(schedules, moments, st.floats(0, 1))
def test_what_comes_next_comes_next_wherever_one_looks_from(schedule: str, at: int, part: float) -> None:
    known = cron.parse(schedule)
    found = known.after(at)
    assert found is not None
    assert found > at
    assert found % (60 * SECOND) == 0
    between = at + int((found - at - 1) * part)
    assert known.after(between) == found, "nothing lies between, and nothing is passed over"
    assert known.after(found - 1) == found


@given(schedules, moments)
def test_the_latest_is_the_last_that_came(schedule: str, at: int) -> None:
    known = cron.parse(schedule)
    first = known.after(at)
    assert first is not None
    second = known.after(first)
    assert second is not None
    assert known.latest(at, first - 1) is None
    assert known.latest(at, first) == first
    assert known.latest(at, second - 1) == first
    assert known.latest(at, second) == second
    assert known.latest(0, second) == second, "however long ago it began"


@given(schedules, moments)
def test_on_the_clock_of_its_zone_it_is_what_the_fields_say_but_in_a_gap(schedule: str, at: int) -> None:
    known = cron.parse(schedule)
    found = known.after(at)
    assert found is not None
    clock = known.clock(found)
    minute, hour, *_ = known.fields.split()
    hour_before = known.clock(found - HOUR).utcoffset() == known.clock(found + HOUR).utcoffset()
    if hour_before and hour in ("0", "1", "2", "3", "23"):
        assert clock.hour == int(hour)
    if hour_before and minute in ("0", "30"):
        assert clock.minute == int(minute)


def test_a_night_in_spring_that_has_no_half_past_two_runs_when_the_gap_ends() -> None:
    assert said("30 2 * * * America/New_York", us("2026-03-07T12:00"), 3) == [
        "2026-03-08 07:00", "2026-03-09 06:30", "2026-03-10 06:30",
    ]  # fmt: skip
    assert said("30 2 * * * Europe/Berlin", us("2026-03-28T12:00"), 2) == ["2026-03-29 01:00", "2026-03-30 00:30"]


def test_a_night_in_autumn_that_has_half_past_one_twice_runs_once() -> None:
    assert said("30 1 * * * America/New_York", us("2026-10-31T12:00"), 2) == ["2026-11-01 05:30", "2026-11-02 06:30"]
    second = us("2026-11-01T01:15", "America/New_York", fold=1)
    assert said("30 1 * * * America/New_York", second, 1) == ["2026-11-02 06:30"], (
        "the hour comes again, the run does not"
    )


def test_every_quarter_of_an_hour_goes_on_through_both_nights() -> None:
    for day in ("2026-03-08", "2026-11-01"):
        at = us(f"{day}T00:00", "America/New_York")
        times = said("*/15 * * * * America/New_York", at, 16)
        gaps = {datetime.fromisoformat(b) - datetime.fromisoformat(a) for a, b in itertools.pairwise(times)}
        assert gaps == {timedelta(minutes=15)}


def test_midnight_that_does_not_exist() -> None:
    """In São Paulo the clocks went from 23:59 to 01:00 in the night to 4 November 2018."""
    assert said("0 0 * * * America/Sao_Paulo", us("2018-11-03T12:00"), 2) == ["2018-11-04 03:00", "2018-11-05 02:00"]


def test_an_hour_by_which_something_is_there() -> None:
    berlin = cron.parse("0 5 * * * Europe/Berlin")
    assert berlin.until(us("2026-07-01T05:00"), "07:00") == us("2026-07-01T07:00", "Europe/Berlin"), "that very moment"
    assert berlin.until(us("2026-07-01T05:00") - 1, "07:00") == us("2026-06-30T07:00", "Europe/Berlin")
    assert berlin.until(us("2026-03-29T01:00"), "02:30") == us("2026-03-28T02:30", "Europe/Berlin")
    assert berlin.said(us("2026-07-01T05:00")) == "2026-07-01 07:00 CEST"


@given(moments, st.sampled_from(ZONES), st.integers(0, 23), st.integers(0, 59))
def test_the_last_such_hour_is_not_later_and_not_two_days_ago(at: int, zone: str, hour: int, minute: int) -> None:
    found = cron.parse(f"0 0 * * * {zone}").until(at, f"{hour:02}:{minute:02}")
    assert at - 49 * HOUR < found <= at


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("", "it is empty, not five fields", "0 5 * * *"),
        ("0 5 * *", "it has 4 parts", "0 5 * * *"),
        ("0 5 * * * * *", "it has 7 parts", "0 5 * * *"),
        ("0 0 5 * * *", "six fields: seconds are not possible", "write five"),
        ("@daily", '"@daily" is not known', "write the five fields"),
        ("60 5 * * *", 'its minute is "60"', "0 5 * * *"),
        ("0 24 * * *", 'its hour is "24"', "0 5 * * *"),
        ("0 5 0 * *", 'its day-of-month is "0"', "0 5 * * *"),
        ("0 5 * 13 *", 'its month is "13"', "0 5 * * *"),
        ("0 5 * * 8", 'its day-of-week is "8"', "0 5 * * *"),
        ("0 5 * * MON-", 'its day-of-week is "MON-"', "0 5 * * *"),
        ("0 5-3 * * *", 'its hour is "5-3"', "0 5 * * *"),
        ("*/0 5 * * *", 'its minute is "*/0"', "0 5 * * *"),
        ("0 5 30 2 *", "it would never come", "0 5 * * *"),
        ("0 5 31 4,6 *", "it would never come", "0 5 * * *"),
        ("0 5 * * * America/Sao_Paolo", "is not a time zone", 'did you mean "America/Sao_Paulo"?'),
        ("0 5 * * * america/sao_paulo", "is not a time zone", 'did you mean "America/Sao_Paulo"?'),
        ("0 5 * * * ../../etc/passwd", "is not a time zone", "America/Sao_Paulo"),
        ("0 5 * * * America", "is not a time zone", ""),
        ("0 5 * * * x\0y", "is not a time zone", ""),
    ],
)
def test_what_is_no_schedule_is_told(text: str, what: str, hint: str) -> None:
    with pytest.raises(errors.Invalid, match=re.escape(what)) as caught:
        cron.parse(text)
    assert hint in caught.value.hint


@given(st.text(max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        found = cron.parse(text)
    except errors.Invalid:
        return
    assert found.after(0) is not None


@pytest.mark.parametrize("text", ["7", "24:00", "07:60", "7:0", "07:00:00", "", "noon"])
def test_what_is_no_time_of_day_is_told(text: str) -> None:
    with pytest.raises(errors.Invalid, match="not a time of day"):
        cron.clock_time(text)


def test_times_of_day() -> None:
    assert (cron.clock_time("07:05"), cron.clock_time("7:05"), cron.clock_time("23:59")) == ((7, 5), (7, 5), (23, 59))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04", "2018-11-04"])
@pytest.mark.parametrize("hours", ["*", "1", "2", "23", "0,1,2,3"])
def test_what_ticks_is_due_whenever_the_clock_shows_it(zone: str, day: str, hours: str) -> None:
    start = us(f"{day}T00:00:00") - 26 * HOUR
    shown = ZoneInfo(zone)
    wanted = set(range(24)) if hours == "*" else {int(hour) for hour in hours.split(",")}
    minutes = [start + place * 60 * SECOND for place in range(1, 52 * 60 + 1)]
    clocks = {minute: datetime.fromtimestamp(minute // SECOND, shown) for minute in minutes}
    expected = [minute for minute, clock in clocks.items() if clock.minute % 20 == 0 and clock.hour in wanted]
    known, found, at = cron.parse(f"*/20 {hours} * * * {zone}"), [], start
    while (after := known.after(at)) is not None and after <= minutes[-1]:
        found.append(after)
        at = after
    assert found == expected
