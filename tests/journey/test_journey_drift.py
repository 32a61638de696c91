"""What a service predicts is kept, found again, measured by what turned out to be true; when the world moves, the column is named."""

import http.client
import json
import random
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import server
from support.project import Project
from support.server import Server

PIPELINE = """
    import polars as pl
    from ciranda import dataset, model

    @dataset
    def rides(numbers: str) -> pl.DataFrame:
        places = range(5000)
        return pl.DataFrame({
            "temp": [5.0 + (place * 37 % 200) / 10 for place in places],
            "weather": ["rain" if place % 4 == 0 else "dry" for place in places],
            "rider": [f"rider {place}" for place in places],
        })

    @model
    def demand(rides: pl.DataFrame) -> dict:
        return {"slope": 2.0}
"""
SERVICE = """
    import msgspec

    class Row(msgspec.Struct):
        temp: float
        weather: str
        rider: str

    def predict(rows: list[Row], demand: dict) -> list[float]:
        return [row.temp * demand["slope"] for row in rows]
"""
MORE = """
    [data]
    private = ["rider"]

    [services.demand]
    predict = "service:predict"
    uses = ["demand"]
    predictions = {}

    [environments.prod]
"""
BASE = "/bikes/prod/demand/"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server.up(tmp_path_factory.mktemp("drift")) as started:
        yield started


@pytest.fixture(scope="module")
def bikes(up: Server) -> Project:
    made = up.project("bikes", pipeline=PIPELINE, more=MORE, files={"service.py": SERVICE})
    made.commit("one")
    up.push(made).succeeds()
    return made


def post(up: Server, body: object, path: str = BASE) -> tuple[int, Any, str]:
    """Status, answer and the id that the gateway gave."""
    port = int(up.said["gateway"].rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, json.dumps(body))
    answer = connection.getresponse()
    told = answer.status, json.loads(answer.read()), answer.headers["x-request-id"]
    connection.close()
    return told


def ride(up: Server, requests: int, warmer: float = 0.0) -> list[tuple[str, list[float]]]:
    """Requests of a hundred rows: their ids and answers."""
    chance = random.Random(7)
    found = []
    for _ in range(requests):
        asked = [
            {"temp": 5 + warmer + chance.randrange(200) / 10, "weather": "rain" if chance.random() < 0.25 else "dry"}
            | {"rider": "Ana Souza"}
            for _ in range(100)
        ]
        status, answer, identity = post(up, asked)
        assert status == 200
        found.append((identity, answer))
    return found


def kept(bikes: Project) -> int:
    told = bikes.ciranda("predictions", "--json").succeeds().json["services"]
    return sum(one["rows"] for one in told)


def test_what_moves_is_named(up: Server, bikes: Project) -> None:
    asked = ride(up, 12)
    said = [{"request_id": identity, "row": 3, "truth": answer[3] - 1, "rating": 4} for identity, answer in asked]
    assert post(up, [*said, {"request_id": "of nobody", "truth": 1}], f"{BASE}-/feedback")[:2] == (202, {"taken": 13})
    server.eventually(lambda: kept(bikes) == 1200, "everything is collected")
    ride(up, 3)
    up.kill("control")  # whatever it was at
    server.eventually(lambda: kept(bikes) == 1500, "a new control goes on")
    assert re.search(
        r"1,500 predictions   last \d+ (s|min) ago", bikes.ciranda("predictions", "-e", "prod").succeeds().out
    )

    told = bikes.ciranda("predictions", "demand", "-e", "prod", "--where", "temp > 20", "--json").succeeds().json
    (release,) = told["releases"]
    assert (release["rows"], release["with_truth"], release["rated"]) == (1500, 12, 12)
    assert release["figures"] == {"mae": 1.0, "rmse": 1.0, "bias": 1.0, "rating": 4.0}
    assert 0 < told["count"] < 1500
    assert all(row["temp"] > 20 and row["rider"].startswith("b2:") for row in told["rows"])
    shown = bikes.ciranda("show", asked[0][0]).succeeds().out
    assert "said of it  row 3: truth" in shown
    assert "demand in prod of bikes" in shown
    spool = up.home / "predictions" / "bikes" / "prod" / "demand"
    server.eventually(lambda: [path.name for path in spool.iterdir()] == ["salt"], "the spool is empty")
    assert not any(b"Ana Souza" in path.read_bytes() for path in (up.home / "store").rglob("*") if path.is_file())
    quiet = bikes.ciranda("drift", "demand", "-e", "prod").succeeds().out
    assert "!" not in quiet

    ride(up, 12, warmer=12.0)
    server.eventually(lambda: bikes.ciranda("drift", "-e", "prod").code == 2, "drift is found")
    told = bikes.ciranda("drift", "demand", "-e", "prod", "--json").fails(2).json
    (subject,) = told["subjects"]
    assert {one["column_name"] for one in subject["open"]} == {"temp", "prediction"}
    pictures = bikes.ciranda("drift", "demand", "-e", "prod").fails(2).out
    assert "its median went from" in pictures
    assert "rides, which r1 was trained on" in pictures
    assert "█" in pictures
    events = up.home / "ledger.db"
    assert sorted(told_once(events)) == [("prediction", "demand"), ("temp", "demand")]


def told_once(ledger: Path) -> list[tuple[str, str]]:
    """Column and service of each event `drift.found`."""
    connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT body FROM event WHERE kind = 'drift.found'").fetchall()
    finally:
        connection.close()
    return [(body["column"], body["service"]) for body in (json.loads(row[0]) for row in rows)]
