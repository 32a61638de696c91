"""Records of segments as tables: a row a prediction, a column for each value of its inputs and of its output.

`request_id`, `row` (its place in the request), `at` (µs UTC), the inputs under their own names, and the output as `prediction`, or, of an
object, `prediction.NAME`. An input that has the name of another column is `input.NAME`. What is neither a number, a text nor true or
false is JSON.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ciranda.runtime import spool

OWN = ("request_id", "row", "at", "release", "prediction", "truth", "rating")
COLUMNS = 400  # of one table
_LONGEST_ID = 200
_WIDEST = 1 << 63


@dataclass(slots=True)
class Rows:
    """What segments of one release hold, as it grows. `dropped`: predictions that are not there."""

    predictions: list[dict[str, Any]] = field(default_factory=list)
    feedback: list[dict[str, Any]] = field(default_factory=list)
    dropped: int = 0

    def add(self, records: Iterable[Any], now_us: int) -> None:
        """Take the records of a segment; one that makes no sense is counted as dropped."""
        for record in records:
            try:
                self._take(record, now_us)
            except (TypeError, ValueError, KeyError, IndexError, msgspec.MsgspecError, RecursionError):
                self.dropped += 1

    def _take(self, record: Any, now_us: int) -> None:
        match record:
            case [spool.PREDICTION, str() as request, int() as at_us, bytes() as rows, bytes() as answers]:
                inputs, outputs = msgspec.json.decode(rows), msgspec.json.decode(answers)
                if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
                    raise ValueError("as many answers as rows")
                known = {"request_id": request[:_LONGEST_ID], "at": min(at_us, now_us)}
                made = [
                    known | {"row": place} | _inputs(given) | _output(answer)
                    for place, (given, answer) in enumerate(zip(inputs, outputs, strict=True))
                ]
                self.predictions += made
            case [spool.FEEDBACK, int() as at_us, bytes() as text]:
                for request, row, truth, rating in msgspec.json.decode(text):
                    one = {"request_id": str(request)[:_LONGEST_ID], "row": int(row), "at": min(at_us, now_us)}
                    self.feedback.append(one | {"truth": truth, "rating": None if rating is None else float(rating)})
            case [spool.DROPPED, int() as count] if 0 < count < _WIDEST >> 20:
                self.dropped += count
            case _:
                raise ValueError("no record")


def frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """The rows as a polars.DataFrame; columns beyond `COLUMNS` are left out."""
    import polars

    names = list(dict.fromkeys(name for row in rows for name in row))[:COLUMNS]
    columns = {}
    for name in names:
        kind, values = column([row.get(name) for row in rows])
        columns[name] = polars.Series(name, values, dtype=getattr(polars, kind))
    made = polars.DataFrame(columns)
    return made.with_columns(polars.col("at").cast(polars.Datetime("us", "UTC"))) if "at" in names else made


def column(values: list[Any]) -> tuple[str, list[Any]]:
    """The type of polars that holds these values of JSON, and the values as it takes them. Pure."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return "Null", values
    if kinds == {bool}:
        return "Boolean", values
    if kinds == {int} and all(value is None or -_WIDEST <= value < _WIDEST for value in values):
        return "Int64", values
    if kinds <= {int, float}:
        return "Float64", [None if value is None else _real(value) for value in values]
    if kinds == {str}:
        return "String", values
    return "String", [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]


def _real(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def together(frames: Sequence[Any]) -> Any:
    """Tables of several batches as one: a column that has different types becomes what holds both."""
    import polars

    if len(frames) == 1:
        return frames[0]
    try:
        return polars.concat(frames, how="diagonal_relaxed")
    except polars.exceptions.PolarsError:
        kinds: dict[str, set[Any]] = {}
        for each in frames:
            for name, kind in each.schema.items():
                kinds.setdefault(name, set()).add(kind)
        mixed = [name for name, found in kinds.items() if len(found - {polars.Null}) > 1]
        texts = [
            each.with_columns(polars.selectors.by_name([n for n in mixed if n in each.columns]).cast(polars.String))
            for each in frames
        ]
        return polars.concat(texts, how="diagonal_relaxed")


def _inputs(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise ValueError("a row is an object")
    return {_input(str(name)): value for name, value in row.items()}


def _input(name: str) -> str:
    return f"input.{name}" if name in OWN or name.startswith(("prediction.", "input.")) else name


def _output(answer: Any) -> dict[str, Any]:
    if isinstance(answer, dict):
        return {f"prediction.{name}": value for name, value in answer.items()}
    return {"prediction": answer}
