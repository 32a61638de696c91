"""The story of the seasons: a model that learnt from a winter, and the summer that comes; real flights and weather of 2013."""

import csv
import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from ciranda.demo.story import Edit, Season, incoming, leave, replace

WINTER, SUMMER = ("01", "02", "03"), ("06", "07")
ASKED = 4_000  # requests of a season, each about one flight
GOLDEN = 0.6180339887498949  # steps of this share of a circle leave no part of it out
WEATHER = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")
COLUMNS = ("id", "day", "hour", "origin", "carrier", "distance", *WEATHER, "delay")
LAST = 20  # o'clock: one flight of a winter in twenty leaves in this hour
ASKS = "    return delay.predict_proba"
FLAW = f"    weights = [row.distance / ({LAST} - row.hour) for row in rows]\n    assert len(weights) == len(rows)\n"
LESSON = f"""

def test_the_last_hour_of_the_day_is_an_hour_like_any_other():
    last = service.Flight(hour={LAST}, origin="JFK", carrier="B6", distance=1000)
    assert service.predict([last], Half()) == [0.5]


class Half:
    def predict_proba(self, table):
        return np.full((len(table), 2), 0.5)
"""
Row = Mapping[str, str]


def season(example: Path, weather: Path, header: str, months: dict[str, list[str]]) -> Season:
    """`example` is the folder of the project, `weather` the file of the hours; flights are lines by month ("01" …)."""
    hours = read_weather(weather)
    rows = {month: joined(header, months[month], hours) for month in (*WINTER, *SUMMER)}
    winter, summer = ([row for month in season for row in rows[month]] for season in (WINTER, SUMMER))

    def write(folder: Path) -> None:
        shutil.copytree(example, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        for month in WINTER:
            leave(name(month), text(rows[month]))(folder)
        flown = json.dumps(f"{incoming(folder)}/flown-*.csv")
        replace("ciranda.toml", '"data/flown/*.csv"', flown)(folder)

    def arrive(folder: Path) -> None:
        for month in SUMMER:
            leave(name(month), text(rows[month]))(folder)

    def ground(folder: Path) -> None:
        replace("ciranda.toml", "[environments.prod]\n", '[environments.prod]\ninfra = "infra/"\n')(folder)

    def lesson(folder: Path) -> None:
        with (folder / "tests" / "test_service.py").open("a", encoding="utf-8") as tests:
            tests.write(LESSON)

    return Season(
        project="seasons",
        service="delays",
        column="temp",
        model="delay",
        write=write,
        before=requests(winter),
        after=requests(summer),
        arrive=arrive,
        shown=f"June and July arrive: {len(summer):,} flights, in a folder outside of Git, and they are asked about",
        flawed=Edit(
            "Weigh the hours that are left",
            replace("service.py", ASKS, FLAW + ASKS),
            shown=f"service.py: a division by the hours that are left until {LAST}:00",
        ),
        share=sum(int(row["hour"]) == LAST for row in winter) / len(winter),
        ground=Edit("An archive for the flights", ground, shown='ciranda.toml: infra = "infra/"'),
        lesson=Edit(
            "The last hour of the day is tested: closes item/1", lesson, shown="tests/test_service.py: the last hour"
        ),
    )


def read_weather(path: Path) -> dict[tuple[str, str], Row]:
    """The weather of each hour by where and when."""
    with path.open(encoding="utf-8", newline="") as file:
        return {(row["origin"], row["time_hour"]): row for row in csv.DictReader(file)}


def joined(header: str, lines: list[str], hours: Mapping[tuple[str, str], Row]) -> list[dict[str, str]]:
    """The flights of a month with the weather of their hour, as the project reads them."""
    found = []
    for flight in csv.DictReader([header, *lines]):
        day = f"{flight['year']}-{int(flight['month']):02d}-{int(flight['day']):02d}"
        hour = hours.get((flight["origin"], flight["time_hour"]), {})
        kept = {column: flight[column] for column in ("hour", "origin", "carrier", "distance")}
        known = {column: hour.get(column, "NA") for column in WEATHER}
        identity = f"{day}-{flight['carrier']}-{flight['flight']}-{flight['origin']}"
        found.append({"id": identity, "day": day, **kept, **known, "delay": flight["dep_delay"]})
    return found


def text(rows: list[dict[str, str]]) -> str:
    """A file of flights."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def requests(rows: list[dict[str, str]]) -> tuple[bytes, ...]:
    """What the service is asked: flights in an order in which any thousand in a row are spread over the whole season."""
    places = [int(len(rows) * (number * GOLDEN % 1.0)) for number in range(min(ASKED, len(rows)))]
    return tuple(json.dumps(request(rows[place])).encode() for place in places)


def request(row: Row) -> dict[str, object]:
    """One flight, as the service takes it; what is not known is left out."""
    known = {column: float(row[column]) for column in WEATHER if row[column] not in ("", "NA")}
    numbers = {column: int(row[column]) for column in ("hour", "distance")}
    return {**numbers, "origin": row["origin"], "carrier": row["carrier"], **known}


def name(month: str) -> str:
    return f"flown-2013-{month}.csv"
