"""A small chart of requests a second over the last minutes: its lines and its labels. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ciranda.app.views.pages.traffic import Point

WIDTH, HEIGHT = 600, 120  # of the plot, in the units of the drawing
MINUTES = 10
MOST = 120  # points that are drawn: more would not be seen


@dataclass(frozen=True, slots=True)
class Chart:
    """Two lines, as the points of a polyline; `top` is the rate at the upper edge."""

    width: int
    height: int
    top: float
    requests: str
    failed: str
    now: float
    most: float
    failures: bool


def draw(course: Sequence[Point]) -> Chart | None:
    """The chart of a course, oldest first; None while there is none."""
    if not course:
        return None
    thin = _thinned(course)
    most = max(point.per_second for point in thin)
    top = _round_up(most)
    return Chart(
        WIDTH,
        HEIGHT,
        top,
        _line(thin, top, lambda point: point.per_second),
        _line(thin, top, lambda point: point.failed_per_second),
        course[-1].per_second,
        most,
        any(point.failed_per_second > 0 for point in thin),
    )


def _thinned(course: Sequence[Point]) -> list[Point]:
    """At most `MOST` points: the mean of each few."""
    few = math.ceil(len(course) / MOST)
    groups = [course[at : at + few] for at in range(0, len(course), few)]
    return [
        Point(
            group[-1].ago,
            sum(point.per_second for point in group) / len(group),
            sum(point.failed_per_second for point in group) / len(group),
        )
        for group in groups
    ]


def _line(course: Sequence[Point], top: float, of: Callable[[Point], float]) -> str:
    return " ".join(
        f"{WIDTH * (1 - min(point.ago / 60 / MINUTES, 1)):.1f},{HEIGHT * (1 - of(point) / top):.1f}" for point in course
    )


def _round_up(rate: float) -> float:
    """The next 1, 2 or 5 times a power of ten; at least 1."""
    if rate <= 1:
        return 1.0
    power = 10 ** math.floor(math.log10(rate))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= rate))
