"""A small story in pure Python, to play the demo's acts in seconds: sensors, what level is usual, a service that tells it."""

import json
from collections.abc import Callable
from pathlib import Path

from ciranda.demo.story import Edit, Night, Nightly, Season, Story, Trail, incoming, leave, replace

FILES = {
    "ciranda.toml": """\
[project]
name = "sensors"
pipeline = "pipeline.py"

[sources]
raw_readings = { files = "data/readings.csv" }
raw_night = { files = "INCOMING/*.csv" }

[checks]
code = ["python -m unittest -q tests.test_level"]

[jobs.nightly]
run = ["alarms"]

[services.levels]
predict = "service:predict"
uses = ["level"]

[environments.test]
verify = ["python -m unittest -q tests.smoke_levels"]

[environments.prod]
after = "test"
""",
    "pipeline.py": '''\
"""What is usual for a sensor, and how far a night was from it."""

import statistics
from pathlib import Path

import polars as pl

from ciranda import check, dataset, live, log, model


@dataset
def readings(raw_readings: Path) -> pl.DataFrame:
    """One row a reading."""
    return pl.read_csv(raw_readings)


@check(readings)
def read_once(readings: pl.DataFrame) -> pl.DataFrame:
    """A reading is there once."""
    return readings.filter(pl.col("id").is_duplicated())


@model
def level(readings: pl.DataFrame) -> dict:
    """The usual value."""
    log(rows=readings.height)
    return {"level": statistics.mean(readings["value"])}


@check(level, at_least=-100.0)
def near_production(level: dict, now: dict = live("level")) -> float:
    """Not far from what production says now."""
    return -abs(level["level"] - now["level"]) if now else 0.0


@dataset
def alarms(raw_night: pl.DataFrame, level: dict) -> pl.DataFrame:
    """How far each sensor of the newest night lies above what is usual."""
    return raw_night.filter(pl.col("day") == pl.col("day").max()).with_columns(above=pl.col("value") - level["level"])


@check(alarms)
def possible(alarms: pl.DataFrame) -> pl.DataFrame:
    """No sensor reads less than nothing."""
    return alarms.filter(pl.col("value") < 0).select("id", "value")
''',
    "service.py": '''\
"""How far a value lies above what is usual."""

from dataclasses import dataclass

import arithmetic


@dataclass
class Reading:
    value: float


def predict(rows: list[Reading], level: dict) -> list[float]:
    return [arithmetic.above(row.value, level["level"]) for row in rows]
''',
    "arithmetic.py": "def above(value, level):\n    return round(value - level, 3)\n",
    "tests/__init__.py": "",
    "tests/test_level.py": """\
import unittest

import arithmetic


class Level(unittest.TestCase):
    def test_a_value_above_is_positive(self):
        self.assertEqual(arithmetic.above(3.0, 1.0), 2.0)
""",
    "tests/smoke_levels.py": """\
import json
import os
import unittest
import urllib.request


class Levels(unittest.TestCase):
    def test_a_reading_is_answered(self):
        asked = urllib.request.Request(os.environ["CIRANDA_URL_LEVELS"], json.dumps({"value": 1.0}).encode())
        with urllib.request.urlopen(asked, timeout=10) as answer:
            self.assertIsInstance(json.load(answer), float)
""",
    "README.md": "# Sensors\n",
}
READINGS = [f"s{number:03d},{number * number % 97}.5\n" for number in range(200)]


def write(folder: Path) -> None:
    """The files of the first commit."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace("INCOMING", str(incoming(folder))))
    night(1).arrive(folder)
    save(folder, READINGS)


def save(folder: Path, readings: list[str]) -> None:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "readings.csv").write_text("id,value\n" + "".join(readings))


def night(day: int, *, wrong: int = 0, reasons: tuple[str, ...] = ()) -> Night:
    """Twenty sensors of a night, the first `wrong` of them below nothing."""
    date, values = f"2013-07-{day:02d}", [-number if number <= wrong else number for number in range(1, 21)]
    text = "id,day,value\n" + "".join(f"s{number:03d},{date},{value}.5\n" for number, value in enumerate(values))
    return Night(leave(f"{date}.csv", text), f"the sensors of {date}", date, len(values), reasons)


SEASON_FILES = {
    "ciranda.toml": """\
[project]
name = "rooms"
owner = "@house"
pipeline = "pipeline.py"

[sources]
read = { files = "INCOMING/warm-*.csv", keep = true }

[checks]
code = ["python -m unittest -q tests.test_warm"]

[services.warm]
predict = "service:predict"
uses = ["usual"]
predictions = {}

[config.ARCHIVE]
type = "str"
default = ""

[reactions.learn]
on = "drift"
do = "retrain"
ask_first = 0

[environments.prod]
rollout = { steps = [10, 50, 100], quiet = "promote", at_most = 10, objective = 0.05 }
""",
    "pipeline.py": """\
import polars as pl

from ciranda import dataset, log, model


@dataset
def readings(read: pl.DataFrame) -> pl.DataFrame:
    return read


@model
def usual(readings: pl.DataFrame) -> dict:
    log(rows=readings.height)
    return {"warm": readings["warm"].mean()}
""",
    "service.py": """\
from dataclasses import dataclass


@dataclass
class Room:
    warm: float
    number: int


def predict(rows: list[Room], usual: dict) -> list[float]:
    return [round(row.warm - usual["warm"], 3) for row in rows]
""",
    "tests/__init__.py": "",
    "tests/test_warm.py": "import unittest\n\n\nclass Warm(unittest.TestCase):\n    pass\n",
    "infra/main.tf": """\
terraform {
  required_providers {
    shelf = { source = "example.com/ciranda/shelf" }
  }
}
resource "shelf_box" "archive" {
  name  = "rooms"
  label = "kept"
}
""",
}


def warm(middle: int) -> list[tuple[float, int]]:
    """Rooms, some of them warmer than others."""
    return [(middle + number * 7 % 20 / 2, number % 20) for number in range(400)]


def rooms(name: str, middle: int) -> Callable[[Path], None]:
    """A file of rooms that somebody leaves."""
    return leave(
        f"warm-{name}.csv", "warm,number\n" + "".join(f"{warmth},{number}\n" for warmth, number in warm(middle))
    )


def asked(middle: int) -> tuple[bytes, ...]:
    return tuple(json.dumps({"warm": warmth, "number": number}).encode() for warmth, number in warm(middle))


def write_rooms(folder: Path) -> None:
    for name, text in SEASON_FILES.items():
        if not name.startswith("infra/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text.replace("INCOMING", str(incoming(folder))))
    rooms("winter", 10)(folder)


def build(folder: Path) -> None:
    (folder / "infra").mkdir()
    (folder / "infra" / "main.tf").write_text(SEASON_FILES["infra/main.tf"])
    replace("ciranda.toml", "[environments.prod]\n", '[environments.prod]\ninfra = "infra/"\n')(folder)


def learn(folder: Path) -> None:
    (folder / "tests" / "first.py").write_text("NUMBER = 0\n")


SEASON = Season(
    project="rooms",
    service="warm",
    column="warm",
    model="usual",
    write=write_rooms,
    before=asked(10),
    after=asked(30),
    arrive=rooms("summer", 30),
    shown="summer arrives",
    flawed=Edit(
        "Weigh by the number",
        replace("service.py", "    return [", "    _ = [1 / row.number for row in rows]\n    return ["),
    ),
    share=0.05,
    ground=Edit("A box for the rooms", build),
    lesson=Edit("The first room is a room: closes item/1", learn),
)
STORY = Story(
    project="sensors",
    service="levels",
    introduction="200 readings of sensors",
    write=write,
    bodies=tuple(json.dumps({"value": number / 2}).encode() for number in range(50)),
    probe=b'{"value": 1.0}',
    failing=Edit(
        "Turn the sign",
        replace("arithmetic.py", "value - level", "level - value"),
        reasons=("test_a_value_above_is_positive",),
    ),
    spoilt=Edit(
        "Read half again",
        lambda folder: save(folder, READINGS + READINGS[:100]),
        reasons=("read_once", "200 of 300 rows", "s000"),
    ),
    better=Edit("Take the median", replace("pipeline.py", "statistics.mean(", "statistics.median(")),
    unchanged="readings",
    changed="level",
    nightly=Nightly(
        "nightly",
        "alarms",
        good=night(2),
        bad=night(3, wrong=12, reasons=("possible", "12 of 20 rows")),
        check="possible",
        wrong=frozenset(f"s{number:03d}" for number in range(12)),
    ),
    trail=Trail(200, 200, "id = 's007'", "data/readings.csv", READINGS[7].rstrip("\n")),
    season=SEASON,
)
