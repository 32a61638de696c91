"""The prediction service: flights in, the probability that each leaves late out."""

from dataclasses import dataclass
from datetime import date

import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier

import features
from pipeline import probability


@dataclass
class Flight:
    """What is known of a flight an hour before it leaves; the weather may be missing."""

    day: date
    hour: int
    minute: int
    carrier: str  # "UA"
    origin: str  # "EWR", "JFK" or "LGA"
    distance: int  # miles
    temp: float | None = None  # °F
    humid: float | None = None  # %
    wind_speed: float | None = None  # miles an hour
    precip: float | None = None  # inches
    pressure: float | None = None  # millibars
    visib: float | None = None  # miles


def predict(rows: list[Flight], delay: HistGradientBoostingClassifier) -> list[float]:
    """P(more than 15 minutes late), in the order of the rows."""
    flights = pl.DataFrame(rows, schema_overrides=dict.fromkeys(features.WEATHER, pl.Float64))
    return probability(delay, features.add(flights)).round(4).to_list()
