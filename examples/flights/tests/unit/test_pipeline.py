from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import pipeline

FLIGHTS = """\
year,month,day,dep_delay,carrier,flight,tailnum,origin,dest,distance,hour,minute,time_hour
2013,1,1,2,UA,1545,N14228,EWR,IAH,1400,5,15,2013-01-01T10:00:00Z
2013,1,1,47,UA,1714,N24211,LGA,IAH,1416,5,29,2013-01-01T10:00:00Z
2013,1,1,NA,MQ,3768,NA,EWR,ORD,719,16,35,2013-01-01T21:00:00Z
"""
WEATHER = """\
origin,temp,dewp,humid,wind_dir,wind_speed,precip,pressure,visib,time_hour
EWR,39.02,26.06,59.37,270,10.4,0,1012,10,2013-01-01T10:00:00Z
"""
PLANES = """\
tailnum,year,engines,seats
N14228,1999,2,149
"""


@pytest.fixture
def flights(tmp_path: Path) -> pl.DataFrame:
    for name, text in {"flights": FLIGHTS, "weather": WEATHER, "planes": PLANES}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return pipeline.flights(tmp_path / "flights.csv", tmp_path / "weather.csv", tmp_path / "planes.csv")


def test_a_flight_is_named_by_day_carrier_number_and_origin(flights: pl.DataFrame) -> None:
    assert flights["id"].to_list() == ["2013-01-01-UA-1545-EWR", "2013-01-01-UA-1714-LGA", "2013-01-01-MQ-3768-EWR"]


def test_late_is_more_than_fifteen_minutes_and_unknown_when_cancelled(flights: pl.DataFrame) -> None:
    assert flights["late"].to_list() == [False, True, None]


def test_a_flight_without_weather_or_plane_is_kept(flights: pl.DataFrame) -> None:
    assert flights["temp"].to_list() == [39.02, None, None]
    assert flights["seats"].to_list() == [149, None, None]


def test_a_flight_that_is_there_twice_is_found(flights: pl.DataFrame) -> None:
    assert pipeline.flown_once(flights).is_empty()
    again = pipeline.flown_once(pl.concat([flights, flights.head(1)]))
    assert again.rows() == [("2013-01-01-UA-1545-EWR", date(2013, 1, 1), "EWR", 2)] * 2


@pytest.mark.parametrize(("minutes", "plausible"), [(-60, True), (-61, False), (1440, True), (1441, False)])
def test_a_delay_has_bounds(flights: pl.DataFrame, minutes: int, plausible: bool) -> None:
    assert pipeline.delays_plausible(flights.with_columns(delay=minutes)).is_empty() is plausible


PLANNED = """\
year,month,day,hour,minute,carrier,flight,origin,dest,distance,time_hour
2013,1,1,5,15,UA,1545,EWR,IAH,1400,2013-01-01T10:00:00Z
2013,1,2,5,29,UA,1714,LGA,IAH,1416,2013-01-02T10:00:00Z
2013,1,2,16,35,MQ,3768,EWR,ORD,719,2013-01-02T21:00:00Z
"""


class Later:
    """A model that takes a flight for the later the later in the day it leaves."""

    feature_names_in_ = np.array(["hour", "temp"])

    def predict_proba(self, flights: pl.DataFrame) -> np.ndarray:
        return np.column_stack([1 - flights["hour"] / 24, flights["hour"] / 24])


def scored(tmp_path: Path, plan: str) -> pl.DataFrame:
    for name, text in {"planned": plan, "weather": WEATHER}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return pipeline.scores(tmp_path / "planned.csv", tmp_path / "weather.csv", Later())


def test_the_newest_planned_day_is_scored_the_likeliest_first(tmp_path: Path) -> None:
    scores = scored(tmp_path, PLANNED)
    assert scores["id"].to_list() == ["2013-01-02-MQ-3768-EWR", "2013-01-02-UA-1714-LGA"]
    assert scores["late"].to_list() == [0.6667, 0.2083]
    assert pipeline.scored_once(scores).is_empty()
    assert pipeline.leaves_that_day(scores).is_empty()


def test_a_plan_that_came_twice_is_found(tmp_path: Path) -> None:
    scores = scored(tmp_path, PLANNED + PLANNED.splitlines()[-1])
    assert pipeline.scored_once(scores)["id"].to_list() == ["2013-01-02-MQ-3768-EWR"] * 2


@pytest.mark.parametrize("wrong", ["1635,35", "24,0", "16,60", "-1,0", "NA,35"])
def test_an_hour_that_no_day_has_is_found(tmp_path: Path, wrong: str) -> None:
    scores = scored(tmp_path, PLANNED.replace("16,35", wrong))
    assert pipeline.leaves_that_day(scores)["id"].to_list() == ["2013-01-02-MQ-3768-EWR"]
