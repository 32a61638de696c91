"""A small story in pure Python, to play the demo's acts in seconds: sensors, what level is usual, a service that tells it."""

import json
from pathlib import Path

from ciranda.demo.story import Edit, Story, replace

FILES = {
    "ciranda.toml": """\
[project]
name = "sensors"
pipeline = "pipeline.py"

[sources]
raw_readings = { files = "data/readings.csv" }

[checks]
code = ["python -m unittest -q tests.test_level"]

[services.levels]
predict = "service:predict"
uses = ["level"]

[environments.test]
verify = ["python -m unittest -q tests.smoke_levels"]

[environments.prod]
after = "test"
""",
    "pipeline.py": '''\
"""What is usual for a sensor."""

import statistics
from pathlib import Path

from ciranda import check, dataset, live, model


@dataset
def readings(raw_readings: Path) -> list:
    """One row a reading."""
    lines = raw_readings.read_text().splitlines()[1:]
    return [{"id": name, "value": float(value)} for name, value in (line.split(",") for line in lines)]


@check(readings)
def read_once(readings: list) -> list:
    """A reading is there once."""
    names = [row["id"] for row in readings]
    return [row for row in readings if names.count(row["id"]) > 1]


@model
def level(readings: list) -> dict:
    """The usual value."""
    return {"level": statistics.mean(row["value"] for row in readings)}


@check(level, at_least=-100.0)
def near_production(level: dict, now: dict = live("level")) -> float:
    """Not far from what production says now."""
    return -abs(level["level"] - now["level"]) if now else 0.0
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
        (folder / name).write_text(text)
    save(folder, READINGS)


def save(folder: Path, readings: list[str]) -> None:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "readings.csv").write_text("id,value\n" + "".join(readings))


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
)
