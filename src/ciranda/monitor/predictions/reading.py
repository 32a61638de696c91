"""What is asked of what was kept: rows of a time, what is known of one request, and how good the predictions were."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.monitor.predictions import batches, figures
from ciranda.monitor.predictions.batches import Batch
from ciranda.monitor.predictions.figures import Figures
from ciranda.monitor.predictions.segments import Place

ROWS = 1_000_000  # the newest ones, which are read
_BEFORE_US, _AFTER_US = 60_000_000, 3_600_000_000  # around the moment of an id: clocks, and answers that took long


@dataclass(frozen=True, slots=True)
class Measured:
    """How good the predictions of a release were: of `rows` predictions, as far as something was said of them."""

    release: str
    rows: int
    figures: Figures
    columns: dict[str, Figures]  # the same for each value of an output that is an object, where it has several


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of one request: a row each, inputs and output, with what was said of it."""

    rows: tuple[dict[str, Any], ...]
    said: tuple[dict[str, Any], ...]


def rows(
    database: Database, store: Store, place: Place, since_us: int, until_us: int = batches.FOREVER, *, most: int = ROWS
) -> Any:
    """The newest predictions of a time as a polars.DataFrame, about `most`. Raises errors.NotFound, errors.Corrupt."""
    found = newest(batches.of_service(database, place, batches.PREDICTIONS, since_us, until_us), most)
    return _within(batches.load(store, found), since_us, until_us)


def newest(found: Sequence[Batch], most: int = ROWS) -> list[Batch]:
    """The newest batches that have together at most so many rows, but always one. Pure."""
    kept: list[Batch] = []
    total = 0
    for one in found:
        total += one.row_count
        if kept and total > most:
            break
        kept.append(one)
    return kept


def feedback(database: Database, store: Store, place: Place, since_us: int = 0) -> Any:
    """What was said last of each prediction: request_id, row, at, truth, rating, as a polars.DataFrame."""
    found = newest(batches.of_service(database, place, batches.FEEDBACK, since_us))
    held = batches.load(store, found[::-1])
    return held.drop("release").unique(["request_id", "row"], keep="last", maintain_order=True) if held.width else held


def joined(predictions: Any, said: Any) -> Any:
    """Predictions with `truth` and `rating`, null where nothing was said."""
    import polars

    if not said.width or not predictions.width:
        return predictions.with_columns(truth=polars.lit(None), rating=polars.lit(None).cast(polars.Float64))
    wanted = said.select("request_id", "row", "truth", "rating")
    return predictions.join(wanted, on=["request_id", "row"], how="left", maintain_order="left")


def measured(predictions: Any, said: Any) -> list[Measured]:
    """How good the predictions were, by release, the newest first."""
    import polars

    if not predictions.width:
        return []
    table = joined(predictions, said)
    names = [name for name in table.columns if name == "prediction" or name.startswith("prediction.")]
    found = []
    for release in sorted(set(table["release"]), key=lambda name: int(name[1:] or 0), reverse=True):
        of = table.filter(polars.col("release") == release)
        ratings = of["rating"].drop_nulls().to_list()
        each = {name: figures.of(_pairs(of[name], of["truth"]), ratings) for name in names}
        first = each.get("prediction") or (next(iter(each.values())) if len(each) == 1 else figures.of([], ratings))
        found.append(Measured(release, of.height, first, each if len(each) > 1 else {}))
    return found


def request(database: Database, store: Store, place: Place, identity: str, at_us: int) -> Known:
    """What is kept of a request that came at a time. Raises errors.NotFound, errors.Corrupt."""
    import polars

    there = batches.of_service(database, place, batches.PREDICTIONS, at_us - _BEFORE_US, at_us + _AFTER_US)
    held = [batches.load(store, [one]).filter(polars.col("request_id") == identity) for one in there if one.object]
    found = [row for each in held for row in each.sort("row").to_dicts()]
    said = batches.of_service(database, place, batches.FEEDBACK, at_us - _BEFORE_US) if found else []
    told = [batches.load(store, [one]).filter(polars.col("request_id") == identity) for one in said if one.object]
    rows = [row for each in told for row in each.drop("release").to_dicts()]
    return Known(tuple(found), tuple(sorted(rows, key=lambda row: row["at"])))


def _pairs(predicted: Any, true: Any) -> list[tuple[Any, Any]]:
    """Predicted and true values; among numbers a truth that is no number counts as not said."""
    import polars

    if (predicted.dtype.is_numeric() or predicted.dtype == polars.Boolean) and true.dtype == polars.String:
        known = true.str.to_lowercase().replace({"true": "1", "false": "0"})
        true = known.cast(polars.Float64, strict=False)
    return list(zip(predicted.to_list(), true.to_list(), strict=True))


def _within(table: Any, since_us: int, until_us: int) -> Any:
    import polars

    if not table.width:
        return table
    at = polars.col("at").dt.timestamp("us")
    return table.filter((at >= since_us) & (at <= until_us)).sort("at", maintain_order=True)
