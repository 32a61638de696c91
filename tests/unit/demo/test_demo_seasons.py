"""The story of the seasons: its files, its requests and its edits fit the example."""

import csv
import json
from pathlib import Path

from ciranda.demo import examples, seasons

HEADER = "year,month,day,dep_delay,carrier,flight,origin,distance,hour,time_hour\n"


def line(month: str, day: int, hour: int) -> str:
    return f"2013,{int(month)},{day},NA,UA,{hour},EWR,1400,{hour},2013-{month}-{day:02d}T{hour:02d}:00:00Z\n"


def told(folder: Path) -> seasons.Season:
    months = {f"{month:02d}": [line(f"{month:02d}", 1, hour) for hour in range(6, 21)] for month in range(1, 13)}
    weather = folder / "weather.csv"
    weather.write_text(
        "origin,temp,humid,wind_speed,precip,pressure,visib,time_hour\nEWR,39.02,59,10,0,NA,10,2013-01-01T06:00:00Z\n"
    )
    return seasons.season(examples.folder("seasons"), weather, HEADER, months)


def test_the_winter_is_there_before_the_summer_arrives(tmp_path: Path) -> None:
    season, tree = told(tmp_path), tmp_path / "seasons"
    season.write(tree)
    incoming = tmp_path / "incoming"
    assert sorted(path.name for path in incoming.iterdir()) == [f"flown-2013-0{month}.csv" for month in (1, 2, 3)]
    assert f'"{incoming}/flown-*.csv"' in (tree / "ciranda.toml").read_text()
    assert "infra =" not in (tree / "ciranda.toml").read_text()
    season.arrive(tree)
    assert len(list(incoming.iterdir())) == 5
    rows = list(csv.DictReader((incoming / "flown-2013-01.csv").read_text().splitlines()))
    assert (rows[0]["id"], rows[0]["temp"], rows[0]["pressure"], rows[1]["temp"]) == (
        "2013-01-01-UA-6-EWR", "39.02", "NA", "NA",
    )  # fmt: skip


def test_requests_have_what_is_known_and_the_same_ones_every_time(tmp_path: Path) -> None:
    first, again = told(tmp_path), told(tmp_path)
    assert first.before == again.before
    asked = [json.loads(body) for body in first.before]
    assert len(asked) == 45
    assert any("temp" in one for one in asked)
    assert all("pressure" not in one for one in asked)
    assert first.share == 1 / 15


def test_every_edit_of_the_season_fits_the_example(tmp_path: Path) -> None:
    season, tree = told(tmp_path), tmp_path / "seasons"
    season.write(tree)
    season.flawed.apply(tree)
    compile((tree / "service.py").read_text(), "service.py", "exec", dont_inherit=True)
    assert "20 - row.hour" in (tree / "service.py").read_text()
    season.ground.apply(tree)
    assert 'infra = "infra/"' in (tree / "ciranda.toml").read_text()
    assert (tree / "infra" / "main.tf").exists()
    season.lesson.apply(tree)
    compile((tree / "tests" / "test_service.py").read_text(), "test_service.py", "exec", dont_inherit=True)
