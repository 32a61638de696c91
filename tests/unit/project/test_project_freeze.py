"""Freeze windows: what is written is understood, and the clocks of the zone say what holds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.project import cron, freeze, read

SECOND = 1_000_000
ZONES = ("UTC", "America/Sao_Paulo", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
MOMENTS = st.integers(min_value=1_700_000_000, max_value=1_800_000_000).map(lambda each: each * SECOND)
TIMES = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.integers(0, 59))
DAYS = st.sampled_from(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))


def us(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * SECOND


@pytest.mark.parametrize(
    ("window", "at", "until"),
    [
        ("Fri 18:00 - Mon 08:00 America/Sao_Paulo", "2026-11-20 20:59", None),
        ("Fri 18:00 - Mon 08:00 America/Sao_Paulo", "2026-11-20 21:00", "2026-11-23 11:00"),
        ("Fri 18:00 - Mon 08:00 America/Sao_Paulo", "2026-11-23 10:59", "2026-11-23 11:00"),
        ("Fri 18:00 - Mon 08:00 America/Sao_Paulo", "2026-11-23 11:00", None),
        ("2026-12-20 - 2027-01-03", "2027-01-03 23:59", "2027-01-04 00:00"),
        ("2026-12-20 - 2027-01-03", "2026-12-19 23:59", None),
        ("2026-12-20 18:00 - 2027-01-03 08:00 UTC", "2026-12-20 18:00", "2027-01-03 08:00"),
        ("Sat - Sun", "2026-11-22 23:59", "2026-11-23 00:00"),
        ("Sat - Sat", "2026-11-22 00:00", None),
        ("22:00 - 06:00", "2026-11-23 05:00", "2026-11-23 06:00"),
        ("22:00 - 06:00", "2026-11-23 07:00", None),
        ("12:00 - 13:00", "2026-11-23 12:30", "2026-11-23 13:00"),
        ("Sat 10:00 - Sat 09:00", "2026-11-21 09:30", None),
        ("Sat 10:00 - Sat 09:00", "2026-11-25 09:30", "2026-11-28 09:00"),
        # the clocks of Berlin are put back at 01:00 UTC: 02:30 comes twice, and the window ends with the second
        ("Sat 20:00 - Sun 02:30 Europe/Berlin", "2026-10-25 01:29", "2026-10-25 01:30"),
        # they are put forward at 01:00 UTC: 02:30 does not come, and the window begins when it is left out
        ("Sun 02:30 - Sun 09:00 Europe/Berlin", "2026-03-29 01:00", "2026-03-29 07:00"),
        ("Sun 02:30 - Sun 09:00 Europe/Berlin", "2026-03-29 00:59", None),
    ],
)
def test_what_holds(window: str, at: str, until: str | None) -> None:
    found = freeze.frozen([window], us(at))
    assert (None if found is None else found.until_us) == (None if until is None else us(until))


def test_windows_that_follow_one_another_are_over_together() -> None:
    found = freeze.frozen(
        ["Fri 18:00 - Sat 12:00", "Sat 12:00 - Mon 08:00", "2026-11-23 - 2026-11-23"], us("2026-11-20 19:00")
    )
    assert found is not None
    assert found.said == "until Tue 2026-11-24 00:00 UTC (2026-11-23 - 2026-11-23)"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no"), ("x", "between its two ends"), ("Fri 18:00-Mon 08:00", "between"), ("Fri 25:00 - Mon 08:00", "Fri 25:00"),
        ("Fri 18:00 - Mon 08:00 Mars/Base", "not a time zone"), ("18:00 - Mon", "different kinds"), ("Fri - 2026-01-01", "different"),
        ("2027-01-03 - 2026-12-20", "ends before"), ("2026-02-30 - 2026-03-01", "2026-02-30"),
        ("Mon 08:00 - Mon 08:00", "never, or always"),
        ("Freitag - Montag", "neither"), (" - ", "between"),
    ],
)  # fmt: skip
def test_what_is_no_window_is_refused_with_what_is_wrong(text: str, what: str) -> None:
    with pytest.raises(errors.Invalid, match=what):
        freeze.parse(text)


def test_windows_that_never_end_together_are_refused() -> None:
    assert freeze.problem(["Mon - Fri", "Sat - Sun"])
    assert not freeze.problem(["Mon - Fri", "Sat 00:00 - Sun 23:59"])
    declared = '[project]\nname = "toy"\n[environments.prod]\nfreeze = ["Sun - Sat"]\n'
    with pytest.raises(errors.Invalid, match="never end"):
        read.read_text(declared, "ciranda.toml")
    with pytest.raises(errors.Invalid, match='has "Fri": '):
        read.read_text(declared.replace("Sun - Sat", "Fri"), "ciranda.toml")


@given(st.text(max_size=60))
def test_no_text_does_anything_but_be_understood_or_refused(text: str) -> None:
    try:
        window = freeze.parse(text)
    except errors.Invalid:
        return
    window.until(us("2026-11-23 00:00"))


@given(DAYS, TIMES, DAYS, TIMES, st.sampled_from(ZONES), MOMENTS)
def test_a_window_is_what_the_clocks_of_its_zone_show(
    first: str, begins: str, last: str, ends: str, zone: str, at: int
) -> None:
    if (first, begins) == (last, ends):
        return
    window = freeze.parse(f"{first} {begins} - {last} {ends} {zone}")
    place = cron.zone(zone)
    shown = datetime.fromtimestamp(at // SECOND, place)
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    minutes = lambda day, clock: names.index(day) * 1440 + int(clock[:2]) * 60 + int(clock[3:])  # noqa: E731
    now, start, end = (
        shown.weekday() * 1440 + shown.hour * 60 + shown.minute,
        minutes(first, begins),
        minutes(last, ends),
    )
    by_clock = start <= now < end if start < end else now >= start or now < end
    over = window.until(at)
    if by_clock:
        assert over is not None
        assert over > at
    near = [datetime.fromtimestamp(at // SECOND + hours * 3600, place).utcoffset() for hours in (-3, 3)]
    if near[0] == near[1]:  # where an hour comes twice it may hold although the clocks were put back out of it
        assert (over is not None) == by_clock
    if over is not None:
        assert window.until(over) is None or window.until(over) != over
        assert over - at <= timedelta(days=8) // timedelta(microseconds=1)


@given(st.lists(st.tuples(DAYS, TIMES, DAYS, TIMES), max_size=4), MOMENTS)
def test_when_it_is_over_nothing_is_frozen(given_windows: list[tuple[str, str, str, str]], at: int) -> None:
    texts = [f"{a} {b} - {c} {d} America/New_York" for a, b, c, d in given_windows if (a, b) != (c, d)]
    if freeze.problem(texts):
        return
    found = freeze.frozen(texts, at)
    if found is None:
        assert all(freeze.parse(text).until(at) is None for text in texts)
    else:
        assert freeze.frozen(texts, found.until_us) is None
        assert found.until_us > at


def test_a_window_of_dates_that_is_over_bars_nothing_any_more() -> None:
    now = us("2026-11-23 00:00")
    assert freeze.over("2025-12-20 - 2026-01-03", now)
    assert not freeze.over("2026-12-20 - 2027-01-03", now)
    assert not freeze.over("2026-11-20 - 2026-11-24", now)
    assert not freeze.over("Fri 18:00 - Mon 08:00", now)
    assert datetime.fromtimestamp(now / SECOND, UTC).year == 2026
