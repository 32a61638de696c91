"""What the nightly job of the flights is given, and what is true of the year: taken from the real flights, the same every time."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

from ciranda.demo.story import Night, Nightly, Trail, leave
from ciranda.kernel import errors

COLUMNS = ("year", "month", "day", "hour", "minute", "carrier", "flight", "origin", "dest", "distance", "time_hour")
BEFORE, GOOD, BAD = 21, 22, 23  # of July
CARRIER = "EV"  # whose clock is wrong in the bad night
NAMED = ("tailnum", "dest", "hour", "minute")  # columns that table and files share, enough to name one flight
TEXT = ("tailnum", "dest")
EVERY, LATE = 4, "dep_delay"  # every so many days is held out; what the model does not learn from where it is not known


def first(header: str, july: Sequence[str]) -> Callable[[Path], None]:
    """What lies there before the first push: a day's plan."""
    return leave(name(BEFORE), plan(header, july, BEFORE))


def nightly(header: str, july: Sequence[str]) -> Nightly:
    """A night whose plan is right, and one in which a carrier writes its hours as on a clock: 1945 where 19 is meant."""
    good, bad = of_day(header, july, GOOD), of_day(header, july, BAD)
    wrong = frozenset(identity(row) for row in bad if row["carrier"] == CARRIER)
    return Nightly(
        job="nightly",
        table="scores",
        good=Night(
            leave(name(GOOD), plan(header, july, GOOD)),
            shown=f"the plan of 2013-07-{GOOD} arrives: {len(good):,} flights, in a folder outside of Git",
            day=f"2013-07-{GOOD}",
            rows=len(good),
        ),
        bad=Night(
            leave(name(BAD), plan(header, july, BAD, wrong=CARRIER)),
            shown=f"the plan of 2013-07-{BAD} arrives: {CARRIER} writes 1945 where the hour is 19",
            day=f"2013-07-{BAD}",
            rows=len(bad),
            reasons=("leaves_that_day", f"{len(wrong):,} of {len(bad):,} rows"),
        ),
        check="leaves_that_day",
        wrong=wrong,
    )


def trail(header: str, months: dict[str, list[str]]) -> Trail:
    """What the files say of the whole year, and one flight of the good night's day that no other is like. Raises errors.NotFound."""
    places = {column: place for place, column in enumerate(header.strip().split(","))}
    named = [places[column] for column in NAMED]
    delayed = places[LATE]
    seen: Counter[tuple[str, ...]] = Counter()
    learnt = rows = 0
    held_out: dict[tuple[str, str], bool] = {}
    for lines in months.values():
        for line in lines:
            fields = line.rstrip("\n").split(",")
            rows += 1
            day = fields[1], fields[2]
            if day not in held_out:
                held_out[day] = date(int(fields[0]), int(fields[1]), int(fields[2])).timetuple().tm_yday % EVERY == 0
            learnt += not held_out[day] and fields[delayed] != "NA"
            seen[tuple(fields[place] for place in named)] += 1
    found = next(
        (
            (line, values)
            for line in months["07"]
            if int(line.split(",", 3)[2]) == GOOD
            and "NA" not in (values := tuple(line.rstrip("\n").split(",")[place] for place in named))
            and seen[values] == 1
        ),
        None,
    )
    if found is None:
        raise errors.NotFound(f"no flight of 2013-07-{GOOD} has a {', '.join(NAMED)} of its own")
    line, values = found
    told = (
        f"{column} = '{value}'" if column in TEXT else f"{column} = {value}"
        for column, value in zip(NAMED, values, strict=True)
    )
    return Trail(learnt, rows, " and ".join(told), "data/flights/2013-07.csv", line.rstrip("\n"))


def plan(header: str, july: Sequence[str], day: int, *, wrong: str = "") -> str:
    """A day's flights as they were planned, nothing of how they left; the hours of the carrier `wrong` as on a clock."""
    lines = [",".join(COLUMNS)]
    for row in of_day(header, july, day):
        hour = f"{int(row['hour']) * 100 + int(row['minute'])}" if row["carrier"] == wrong else row["hour"]
        lines.append(",".join((row | {"hour": hour})[column] for column in COLUMNS))
    return "\n".join(lines) + "\n"


def of_day(header: str, july: Sequence[str], day: int) -> list[dict[str, str]]:
    return [row for row in rows_of(header, july) if int(row["day"]) == day]


def rows_of(header: str, lines: Sequence[str]) -> Iterator[dict[str, str]]:
    return csv.DictReader([header, *lines])


def identity(row: dict[str, str]) -> str:
    """What the pipeline calls a flight."""
    day = f"{row['year']}-{int(row['month']):02d}-{int(row['day']):02d}"
    return f"{day}-{row['carrier']}-{row['flight']}-{row['origin']}"


def name(day: int) -> str:
    return f"2013-07-{day}.csv"
