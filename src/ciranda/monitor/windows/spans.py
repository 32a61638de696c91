"""Which batches are a window: the newest rows, the last hour, the last day. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ciranda.monitor.predictions.batches import Batch

ROWS, HOUR, DAY, MADE = "rows", "hour", "day", "made"
COUNT = 1_000  # rows of the window that goes by count
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """A window: its name, and its batches, the oldest first."""

    name: str
    batches: tuple[Batch, ...]

    @property
    def from_us(self) -> int:
        return min(one.from_us for one in self.batches)

    @property
    def until_us(self) -> int:
        return max(one.until_us for one in self.batches)

    @property
    def row_count(self) -> int:
        return sum(one.row_count for one in self.batches)


def of(batches: Sequence[Batch], now_us: int) -> list[Span]:
    """The windows over batches, the oldest first; one that holds the same as a shorter one is left out."""
    found: list[Span] = []
    for name, held in (
        (ROWS, _newest(batches)),
        (HOUR, [one for one in batches if one.until_us >= now_us - HOUR_US]),
        (DAY, [one for one in batches if one.until_us >= now_us - DAY_US]),
    ):
        if held and all(len(held) != len(each.batches) for each in found):
            found.append(Span(name, tuple(held)))
    return found


def said(name: str, row_count: int) -> str:
    """`the last 1,024 rows`, `the last hour`, and of what a job made, `what was made last`."""
    if name == MADE:
        return "what was made last"
    return f"the last {row_count:,} rows" if name == ROWS else f"the last {name}"


def _newest(batches: Sequence[Batch]) -> list[Batch]:
    """The newest batches that have enough rows together; none where all of them have not."""
    total = 0
    for place in range(len(batches) - 1, -1, -1):
        total += batches[place].row_count
        if total >= COUNT:
            return list(batches[place:])
    return []
