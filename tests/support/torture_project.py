"""The projects that are pushed and run: a source, a dataset, a model, a check; one of them with a service and two environments."""

import random
from pathlib import Path

MINUTES = 3  # what production is asked with
REQUEST = b'{"minutes": 3}'

PIPELINE = '''
import csv
import time
from pathlib import Path

from ciranda import check, dataset, model


@dataset
def trips(raw: Path) -> list:
    """Every row, numbers for text."""
    time.sleep(0.2)
    with raw.open() as file:
        return [{"minutes": int(row["minutes"]), "late": int(row["late"])} for row in csv.DictReader(file)]


@check(trips)
def on_earth(trips: list) -> list:
    return [row for row in trips if row["minutes"] < 0]


@model
def delay(trips: list) -> dict:
    """The mean."""
    return {"mean": sum(row["late"] for row in trips) / len(trips)}
'''
OUTSIDE = '''

@dataset
def daily(days: list[Path]) -> list:
    """All rows of all files."""
    return [int(line) for path in days for line in path.read_text().split()]


@check(daily)
def there(daily: list) -> bool:
    return bool(daily)
'''
SERVICE = """
from typing import TypedDict


class Row(TypedDict):
    minutes: int


def predict(rows: list[Row], delay: dict) -> list[float]:
    return [row["minutes"] * delay["mean"] for row in rows]
"""
DECLARED = """
[project]
name = "{name}"
pipeline = "pipeline.py"

[sources]
raw = {{ files = "data/raw.csv" }}
"""
SERVED = """
[sources.days]
files = "OUTSIDE/*.csv"

[config.LEVEL]
type = "str"
default = "info"

[services.delays]
predict = "service:predict"
uses = ["delay"]
instances = 2
secrets = ["TOKEN"]
predictions = {{}}

[jobs.nightly]
run = ["daily"]

[environments.test]

[environments.prod]
after = "test"
rollout = {{ steps = [50, 100], quiet = "promote", at_most = 0.5 }}
"""


def write(folder: Path, declared: str, rng: random.Random) -> None:
    """A project of the folder's name."""
    (folder / "data").mkdir(parents=True)
    (folder / "pipeline.py").write_text(PIPELINE + (OUTSIDE if "[sources.days]" in declared else ""))
    (folder / "service.py").write_text(SERVICE)
    (folder / "ciranda.toml").write_text(declared.format(name=folder.name))
    write_data(folder, rng)


def write_data(folder: Path, rng: random.Random) -> float:
    """New rows: a source, and a dataset made of it, each more than fits inline. Returns their model's answer to `REQUEST`."""
    late = [rng.randrange(100) for _ in range(9000)]
    rows = "".join(f"{number},{value}\n" for number, value in enumerate(late))
    (folder / "data" / "raw.csv").write_text(f"minutes,late\n{rows}")
    return MINUTES * sum(late) / len(late)
