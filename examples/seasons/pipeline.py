"""Will this flight leave New York more than fifteen minutes late? Learnt from the months that have arrived so far."""

from pathlib import Path

import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from ciranda import check, dataset, live, log, model

from features import SEEN

LATE = 15  # minutes


@dataset
def flights(flown: Path) -> pl.DataFrame:
    """One row a flight, with the weather of its hour where it left."""
    read = pl.scan_csv(flown, null_values="NA", infer_schema_length=None, try_parse_dates=True)
    return read.with_columns(late=pl.col("delay") > LATE).filter(pl.col("late").is_not_null()).collect()


@check(flights)
def flown_once(flights: pl.DataFrame) -> pl.DataFrame:
    """A flight is in the table once."""
    return flights.filter(pl.col("id").is_duplicated()).select("id")


@model
def delay(flights: pl.DataFrame, rounds: int = 25) -> HistGradientBoostingClassifier:
    """How likely a flight is late, by the hour and the weather."""
    learnt = flights.filter(~held_out())
    fitted = HistGradientBoostingClassifier(max_iter=rounds, learning_rate=0.2, random_state=2013)
    fitted.fit(learnt.select(SEEN).to_numpy(), learnt["late"].to_numpy())
    log(rows=learnt.height, auc=round(auc(fitted, flights), 4))
    return fitted


@check(delay, at_least=0.6)
def tells_late_from_punctual(delay: HistGradientBoostingClassifier, flights: pl.DataFrame) -> float:
    """The area under the ROC curve on the days it never saw: 0.5 is guessing, 1 is knowing."""
    return auc(delay, flights)


@check(delay, at_least=-0.002)
def not_worse_than_production(
    delay: HistGradientBoostingClassifier,
    flights: pl.DataFrame,
    now: HistGradientBoostingClassifier | None = live("delay"),
) -> float:
    """Scored on the same flights as the model that production runs now."""
    return auc(delay, flights) - (auc(now, flights) if now else 0.0)


def held_out() -> pl.Expr:
    """Every fourth day is kept for judging."""
    return pl.col("day").dt.ordinal_day() % 4 == 0


def auc(fitted: HistGradientBoostingClassifier, flights: pl.DataFrame) -> float:
    """The area under the ROC curve on the days that it never saw."""
    judged = flights.filter(held_out())
    said = fitted.predict_proba(judged.select(SEEN).to_numpy())[:, 1]
    return float(roc_auc_score(judged["late"].to_numpy(), said))
