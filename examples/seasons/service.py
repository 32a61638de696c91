"""The prediction service: flights in, the probability that each leaves late out."""

from dataclasses import dataclass

import numpy as np

from features import SEEN


@dataclass
class Flight:
    """What is known of a flight an hour before it leaves; the weather may be missing."""

    hour: int
    origin: str  # "EWR", "JFK" or "LGA"
    carrier: str  # "UA"
    distance: int  # miles
    temp: float | None = None  # °F
    humid: float | None = None  # %
    wind_speed: float | None = None  # miles an hour
    precip: float | None = None  # inches
    pressure: float | None = None  # millibars
    visib: float | None = None  # miles


def predict(rows: list[Flight], delay) -> list[float]:
    """P(more than 15 minutes late), in the order of the rows."""
    return delay.predict_proba(table(rows))[:, 1].round(4).tolist()


def table(rows: list[Flight]) -> np.ndarray:
    """The columns that the model has seen, in its order; what is missing is not a number."""
    return np.array([[getattr(row, name) for name in SEEN] for row in rows], dtype=float)
