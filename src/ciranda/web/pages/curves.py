"""A chart of one figure over some time: its lines, broken where nothing is known, and where it changed. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 100  # of the plot, in the units of the drawing


@dataclass(frozen=True, slots=True)
class Curve:
    """Polylines, as their points; `top` is the value at the upper edge, `change` where a change lies, from the left."""

    width: int
    height: int
    top: float
    lines: tuple[str, ...]
    dots: tuple[tuple[str, str], ...]  # values that stand alone
    change: str | None


def draw(values: Sequence[float | None], times: Sequence[int] = (), change_us: int | None = None) -> Curve | None:
    """The curve of a figure, oldest first; None where nothing is known."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    top = _round_up(max(known))
    wide = WIDTH / max(len(values) - 1, 1)
    runs: list[list[str]] = [[]]
    for at, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{at * wide:.1f},{HEIGHT * (1 - max(value, 0.0) / top):.1f}")
    dots = [run[0].partition(",") for run in runs if len(run) == 1]
    return Curve(
        WIDTH,
        HEIGHT,
        top,
        tuple(" ".join(run) for run in runs if len(run) > 1),
        tuple((x, y) for x, _, y in dots),
        _place(times, change_us),
    )


def _place(times: Sequence[int], change_us: int | None) -> str | None:
    if change_us is None or len(times) < 2 or not times[0] <= change_us <= times[-1]:
        return None
    return f"{WIDTH * (change_us - times[0]) / (times[-1] - times[0]):.1f}"


def _round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= value * 0.999999)
