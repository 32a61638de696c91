"""Will this flight leave New York more than fifteen minutes late?

The flights of 2013 are cleaned, joined with the weather and with the planes, checked, and learnt from. Every night the flights
of the coming day are scored.
"""

from pathlib import Path

import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from ciranda import check, dataset, live, log, model

import features

LATE = 15  # minutes
DAY = pl.date("year", "month", "day")
ID = pl.concat_str(DAY, "carrier", "flight", "origin", separator="-")


def read(files: Path) -> pl.LazyFrame:
    """One CSV file, or a folder of them, with "NA" where nothing is known."""
    return pl.scan_csv(files, null_values="NA", infer_schema_length=None)


@dataset
def flights(raw_flights: Path, raw_weather: Path, raw_planes: Path) -> pl.DataFrame:
    """One row a flight, with the weather of its hour where it left and the plane that flew it."""
    flown = read(raw_flights).select(
        ID.alias("id"),
        DAY.alias("day"),
        *("hour", "minute", "carrier", pl.col("flight").alias("number"), "origin", "dest", "distance", "tailnum"),
        *(pl.col("dep_delay").alias("delay"), (pl.col("dep_delay") > LATE).alias("late")),
        "time_hour",
    )
    weather = read(raw_weather).select("origin", "time_hour", *features.WEATHER, "dewp", "wind_dir")
    planes = read(raw_planes).select("tailnum", "seats", "engines", pl.col("year").alias("built"))
    return (
        flown.join(weather, on=["origin", "time_hour"], how="left", validate="m:1", maintain_order="left")
        .join(planes, on="tailnum", how="left", validate="m:1", maintain_order="left")
        .drop("time_hour")
        .collect()
    )


@check(flights)
def flown_once(flights: pl.DataFrame) -> pl.DataFrame:
    """A flight is a day, a carrier, a number and an origin: it is in the table once."""
    copies = flights.with_columns(rows=pl.len().over("id")).filter(pl.col("rows") > 1)
    return copies.select("id", "day", "origin", "rows")


@check(flights)
def delays_plausible(flights: pl.DataFrame) -> pl.DataFrame:
    """Nobody leaves more than an hour early, or more than a day late."""
    return flights.filter(~pl.col("delay").is_between(-60, 24 * 60)).select("id", "delay")


@check(flights)
def whole_year(flights: pl.DataFrame) -> bool:
    """Every month has its flights: at least 20,000."""
    months = flights.group_by(pl.col("day").dt.month()).len()
    return months.height == 12 and months["len"].min() >= 20_000


@check(flights, at_most=0.01, severity="warn")
def weather_complete(flights: pl.DataFrame) -> float:
    """The weather of some hours was never written down (0.5 % of the flights): more than 1 % is a warning, no refusal."""
    return flights["visib"].null_count() / flights.height


@model
def delay(flights: pl.DataFrame, depth: int = 6, rounds: int = 30) -> HistGradientBoostingClassifier:
    """How likely a flight is late, from what is known an hour before it leaves."""
    columns = features.CLOCK
    seen = features.add(flights).filter(~features.held_out(), pl.col("late").is_not_null())
    fitted = HistGradientBoostingClassifier(
        max_depth=depth,
        max_iter=rounds,
        learning_rate=0.2,
        categorical_features=features.CATEGORIES,
        random_state=2013,
    ).fit(seen.select(columns), seen["late"])
    log(rows=seen.height, columns=len(columns), auc=round(auc(fitted, flights), 4))
    return fitted


@check(delay, at_least=0.65)
def tells_late_from_punctual(delay: HistGradientBoostingClassifier, flights: pl.DataFrame) -> float:
    """The area under the ROC curve on the days it never saw: 0.5 is guessing, 1 is knowing."""
    return auc(delay, flights)


@check(delay, at_most=0.03)
def calibrated(delay: HistGradientBoostingClassifier, flights: pl.DataFrame) -> float:
    """How far the mean of what it says lies from the share of flights that were late."""
    judged = unseen(flights)
    return abs(probability(delay, judged).mean() - judged["late"].mean())


@check(delay, at_least=-0.002)
def not_worse_than_production(
    delay: HistGradientBoostingClassifier,
    flights: pl.DataFrame,
    now: HistGradientBoostingClassifier | None = live("delay"),
) -> float:
    """Scored on the same flights as the model that production runs now, not against a number of yesterday."""
    return auc(delay, flights) - (auc(now, flights) if now else 0.0)


@dataset
def scores(planned: Path, raw_weather: Path, delay: HistGradientBoostingClassifier) -> pl.DataFrame:
    """How likely each flight of the newest planned day leaves late, the likeliest first; the weather stands for its forecast."""
    plan = read(planned).select(
        ID.alias("id"), DAY.alias("day"), "hour", "minute", "carrier", "origin", "dest", "distance", "time_hour"
    )
    forecast = read(raw_weather).select("origin", "time_hour", *features.WEATHER)
    coming = (
        plan.filter(pl.col("day") == pl.col("day").max())
        .join(forecast, on=["origin", "time_hour"], how="left", validate="m:1", maintain_order="left")
        .collect()
    )
    likely = probability(delay, features.add(coming)).round(4)
    return (
        coming.with_columns(late=likely)
        .select("id", "day", "hour", "minute", "origin", "dest", "late")
        .sort("late", "id", descending=[True, False])
    )


@check(scores)
def scored_once(scores: pl.DataFrame) -> pl.DataFrame:
    """Every flight of the day has one score."""
    return scores.filter(pl.col("id").is_duplicated()).select("id", "late")


@check(scores)
def leaves_that_day(scores: pl.DataFrame) -> pl.DataFrame:
    """A day has 24 hours of 60 minutes. The model would score any number without a word."""
    within = pl.col("hour").is_between(0, 23) & pl.col("minute").is_between(0, 59)
    return scores.filter(~within | within.is_null()).select("id", "hour", "minute", "late")


def unseen(flights: pl.DataFrame) -> pl.DataFrame:
    """The flights of the days that no model was trained on, cancelled ones left out."""
    return features.add(flights).filter(features.held_out(), pl.col("late").is_not_null())


def probability(fitted: HistGradientBoostingClassifier, flights: pl.DataFrame) -> pl.Series:
    """P(late) of each flight, from the columns that this model was fitted on."""
    return pl.Series(fitted.predict_proba(flights.select(fitted.feature_names_in_.tolist()))[:, 1])


def auc(fitted: HistGradientBoostingClassifier, flights: pl.DataFrame) -> float:
    """The area under the ROC curve on the flights that it never saw."""
    judged = unseen(flights)
    return float(roc_auc_score(judged["late"], probability(fitted, judged)))
