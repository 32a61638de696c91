"""What the model sees of a flight: the same columns in training, in the checks and in the service."""

import polars as pl

CARRIERS = ["9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV"]
ORIGINS = ["EWR", "JFK", "LGA"]

CLOCK = ["month", "weekday", "clock", "carrier_code", "origin_code", "distance"]
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
CATEGORIES = ["carrier_code", "origin_code"]


def add(flights: pl.DataFrame) -> pl.DataFrame:
    """The flights with the columns of CLOCK beside them; a carrier that nobody knew in 2013 becomes null."""
    return flights.with_columns(
        month=pl.col("day").dt.month(),
        weekday=pl.col("day").dt.weekday(),
        clock=clock(pl.col("hour"), pl.col("minute")),
        carrier_code=code(pl.col("carrier"), CARRIERS),
        origin_code=code(pl.col("origin"), ORIGINS),
    )


def clock(hour: pl.Expr, minute: pl.Expr) -> pl.Expr:
    """The time of day in hours: 17:45 is 17.75. Delays add up from morning to evening."""
    return hour + minute / 60


def code(names: pl.Expr, known: list[str]) -> pl.Expr:
    """The position of a name among the known ones, null for any other."""
    return names.cast(pl.Enum(known), strict=False).to_physical()


def held_out() -> pl.Expr:
    """Every fourth day is kept for judging: whole days, so that one storm is never on both sides."""
    return pl.col("day").dt.ordinal_day() % 4 == 0
