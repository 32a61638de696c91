from datetime import date

import polars as pl
import pytest

import features


def flights(**changed: object) -> pl.DataFrame:
    """One flight of a Monday afternoon; anything may be changed."""
    usual = {"day": date(2013, 7, 22), "hour": 17, "minute": 45, "carrier": "UA", "origin": "EWR", "distance": 1400}
    return pl.DataFrame([usual | changed])


@pytest.mark.parametrize(("hour", "minute", "clock"), [(0, 0, 0.0), (5, 15, 5.25), (17, 45, 17.75), (23, 59, 23.9833)])
def test_the_clock_is_in_hours(hour: int, minute: int, clock: float) -> None:
    assert features.add(flights(hour=hour, minute=minute))["clock"].item() == pytest.approx(clock, abs=1e-4)


def test_the_calendar_counts_from_one_as_people_do() -> None:
    seen = features.add(flights())
    assert seen["month"].item() == 7
    assert seen["weekday"].item() == 1  # a Monday


def test_names_become_positions() -> None:
    seen = features.add(flights(carrier="9E", origin="LGA"))
    assert seen["carrier_code"].item() == 0
    assert seen["origin_code"].item() == 2


def test_a_carrier_founded_later_is_unknown_not_an_error() -> None:
    assert features.add(flights(carrier="G4"))["carrier_code"].item() is None


def test_every_column_that_a_model_may_use_is_there() -> None:
    seen = features.add(flights(**dict.fromkeys(features.WEATHER, 1.0)))
    assert set(features.CLOCK + features.WEATHER) <= set(seen.columns)


def test_whole_days_are_held_out_and_about_a_quarter_of_the_year() -> None:
    year = pl.DataFrame({"day": pl.date_range(date(2013, 1, 1), date(2013, 12, 31), eager=True)})
    assert year.filter(features.held_out()).height == 91
