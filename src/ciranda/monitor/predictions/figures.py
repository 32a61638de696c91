"""How good predictions were, by what turned out to be true and by ratings. Pure, standard library.

MAE, RMSE and bias (mean of prediction less truth) of numbers; accuracy of classes; of probabilities of a class of two also log loss and
AUC (Mann-Whitney, ties count half; Hanley and McNeil 1982).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CLASSES = 20  # different whole numbers up to which they may be classes as well
_LEAST = 1e-15  # a probability of none is taken for this, so that a log loss is finite


@dataclass(frozen=True, slots=True)
class Figures:
    """What `pairs` predictions with their truth say, and `ratings` ratings; None: it makes no sense of these values."""

    pairs: int
    ratings: int
    mae: float | None = None
    rmse: float | None = None
    bias: float | None = None
    accuracy: float | None = None
    log_loss: float | None = None
    auc: float | None = None
    rating: float | None = None

    def told(self) -> dict[str, float]:
        """The figures that there are, by name."""
        names = ("mae", "rmse", "bias", "accuracy", "log_loss", "auc", "rating")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def of(pairs: Sequence[tuple[Any, Any]], ratings: Sequence[float] = ()) -> Figures:
    """The figures of pairs (predicted, true) and of ratings; pairs of which one is None are left out."""
    there = [(predicted, true) for predicted, true in pairs if predicted is not None and true is not None]
    rated = [one for one in ratings if math.isfinite(one)]
    found: dict[str, float | None] = {}
    if there:
        found = _numbers(there) if all(_number(value) for pair in there for value in pair) else _classes(there)
    mean = math.fsum(rated) / len(rated) if rated else None
    return Figures(len(there), len(rated), rating=mean, **found)


def _number(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, int | float) and math.isfinite(value))


def _numbers(pairs: Sequence[tuple[Any, Any]]) -> dict[str, float | None]:
    predicted, true = [float(one) for one, _ in pairs], [float(one) for _, one in pairs]
    two = set(true) <= {0.0, 1.0}
    if two and all(0.0 <= one <= 1.0 for one in predicted) and not set(predicted) <= {0.0, 1.0}:
        return _probabilities(predicted, true)
    values = {*predicted, *true}
    whole = len(values) <= CLASSES and all(one.is_integer() for one in values)
    if two and set(predicted) <= {0.0, 1.0}:
        return {"accuracy": _share(predicted, true)}
    off = [one - other for one, other in zip(predicted, true, strict=True)]
    count = len(off)
    return {
        "mae": math.fsum(map(abs, off)) / count,
        "rmse": math.sqrt(math.fsum(one * one for one in off) / count),
        "bias": math.fsum(off) / count,
        "accuracy": _share(predicted, true) if whole else None,
    }


def _classes(pairs: Sequence[tuple[Any, Any]]) -> dict[str, float | None]:
    return {"accuracy": _share([_said(one) for one, _ in pairs], [_said(one) for _, one in pairs])}


def _said(value: Any) -> str:
    """A class as text: 1 and 1.0 are one, as are true and "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _share(predicted: Sequence[Any], true: Sequence[Any]) -> float:
    right = sum(1 for one, other in zip(predicted, true, strict=True) if one == other)
    return right / len(true)


def _probabilities(predicted: Sequence[float], true: Sequence[float]) -> dict[str, float | None]:
    losses = [
        -math.log(min(max(one if is_one else 1.0 - one, _LEAST), 1.0))
        for one, is_one in zip(predicted, true, strict=True)
    ]
    return {
        "accuracy": _share([float(one >= 0.5) for one in predicted], true),
        "log_loss": math.fsum(losses) / len(losses),
        "auc": _auc(predicted, true),
    }


def _auc(predicted: Sequence[float], true: Sequence[float]) -> float | None:
    """The share of pairs of a one and a none in which the one has the higher probability; None without both."""
    ones = sum(1 for one in true if one)
    if not 0 < ones < len(true):
        return None
    ranked = sorted(zip(predicted, true, strict=True))
    total, place = 0.0, 0
    while place < len(ranked):
        end = place
        while end < len(ranked) and ranked[end][0] == ranked[place][0]:
            end += 1
        rank = (place + 1 + end) / 2  # the mean rank of what is tied
        total += rank * sum(1 for _, one in ranked[place:end] if one)
        place = end
    return (total - ones * (ones + 1) / 2) / (ones * (len(true) - ones))
