"""Two distributions as pairs of bars. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ciranda.app.views.drift import Bar

WIDTH, HEIGHT, GAP = 600, 100, 0.2  # of the plot, in the units of the drawing; the share of a place that stays free


@dataclass(frozen=True, slots=True)
class Rect:
    """One bar of the drawing; `now` is the window's, the other the reference's."""

    x: float
    y: float
    width: float
    height: float
    now: bool


def draw(bars: Sequence[Bar]) -> list[Rect]:
    """The bars of a drawing, the highest as high as it; the reference's to the left of the window's."""
    most = max((share for bar in bars for share in (bar.reference, bar.window)), default=0.0) or 1.0
    place = WIDTH / max(len(bars), 1)
    wide = place * (1 - GAP) / 2
    found = []
    for number, bar in enumerate(bars):
        for side, share in enumerate((bar.reference, bar.window)):
            tall = HEIGHT * share / most
            x = place * (number + GAP / 2) + side * wide
            found.append(Rect(round(x, 1), round(HEIGHT - tall, 1), round(wide, 1), round(tall, 1), bool(side)))
    return found
