"""How samples are kept: in full for two days, then as one value for each minute, ten minutes, hour. Pure.

A chunk holds a span of one series as bytes, columns one after the other, their bytes transposed so that what is alike lies together
(Gorilla, VLDB 2015, gains by the same regularity; here zlib does). Level 0: milliseconds since the chunk began (u32), then
values (f64). Other levels: the first slot and how many (two u16), then for each of the columns that many values (f64), NaN: nothing.
"""

import math
import struct
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

SECOND = 1_000_000  # µs
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
NAN = math.nan
_HEAD = struct.Struct("<HH")


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution: `slot` µs to a value, `span` µs to a chunk, kept for `kept` µs."""

    number: int
    slot: int
    span: int
    kept: int


FULL = Level(0, 0, HOUR, 2 * DAY)
COARSE = (
    Level(1, MINUTE, 8 * HOUR, 8 * DAY),
    Level(2, 10 * MINUTE, 4 * DAY, 60 * DAY),
    Level(3, HOUR, 20 * DAY, 400 * DAY),
)
LEVELS = (FULL, *COARSE)
# What a slot keeps of a counter: its first and its last value; of anything else how many, their mean, the least, the most, the last.
COUNTER, GAUGE = ("first", "last"), ("count", "mean", "min", "max", "last")

Columns = list["array[float]"]


def columns(counter: bool) -> tuple[str, ...]:
    """The columns of a slot."""
    return COUNTER if counter else GAUGE


def pack_full(began_us: int, times: Sequence[int], values: Sequence[float]) -> bytes:
    """A chunk of level 0: `times` in µs."""
    offsets = array("I", [(at - began_us) // 1000 for at in times])
    return zlib.compress(_turned(offsets.tobytes(), 4) + _turned(array("d", values).tobytes(), 8), 1)


def unpack_full(began_us: int, data: bytes) -> "tuple[list[int], array[float]]":
    """Times (µs) and values. Raises ValueError, zlib.error for what is no chunk."""
    raw = zlib.decompress(data)
    count, rest = divmod(len(raw), 12)
    if rest:
        raise ValueError("a chunk has a length that none has")
    offsets, values = array("I"), array("d")
    offsets.frombytes(_back(raw[: 4 * count], 4))
    values.frombytes(_back(raw[4 * count :], 8))
    return [began_us + offset * 1000 for offset in offsets], values


def pack(first: int, kept: Columns) -> bytes:
    """A chunk of another level: its columns from slot `first` on."""
    raw = b"".join(column.tobytes() for column in kept)
    return _HEAD.pack(first, len(kept[0])) + zlib.compress(_turned(raw, 8), 1)


def unpack(data: bytes, width: int) -> tuple[int, Columns]:
    """The first slot, and the columns. Raises ValueError, struct.error, zlib.error for what is no chunk."""
    first, count = _HEAD.unpack_from(data)
    raw = _back(zlib.decompress(memoryview(data)[_HEAD.size :]), 8)
    if len(raw) != 8 * count * width:
        raise ValueError("a chunk has a length that none has")
    found = []
    for at in range(width):
        column = array("d")
        column.frombytes(raw[8 * count * at : 8 * count * (at + 1)])
        found.append(column)
    return first, found


def widened(first: int, kept: Columns, low: int, high: int) -> tuple[int, Columns]:
    """The same columns with room for the slots from `low` to `high`."""
    if not kept[0]:
        return low, [array("d", [NAN]) * (high - low + 1) for _ in kept]
    before, after = max(0, first - low), max(0, high + 1 - first - len(kept[0]))
    if not before and not after:
        return first, kept
    nothing = array("d", [NAN])
    return first - before, [nothing * before + column + nothing * after for column in kept]


def slotted(level: Level, began_us: int, times: Sequence[int], values: Sequence[float]) -> dict[int, list[float]]:
    """The values of each slot of a chunk, by its number."""
    found: dict[int, list[float]] = {}
    for at, value in zip(times, values, strict=True):
        found.setdefault((at - began_us) // level.slot, []).append(value)
    return found


def merge(counter: bool, kept: Columns, at: int, values: Sequence[float]) -> None:
    """Add values, oldest first, to a slot."""
    if counter:
        if math.isnan(kept[0][at]):
            kept[0][at] = values[0]
        kept[1][at] = values[-1]
        return
    number, mean, least, most, last = kept
    total = math.fsum(values)
    if math.isnan(number[at]):
        number[at], mean[at], least[at], most[at] = len(values), total / len(values), min(values), max(values)
    else:
        both = number[at] + len(values)
        mean[at] = (mean[at] * number[at] + total) / both
        number[at], least[at], most[at] = both, min(least[at], *values), max(most[at], *values)
    last[at] = values[-1]


def fitting(since_us: int, now_us: int, step_us: int) -> Level:
    """The level to read: the coarsest that is no coarser than the step, of those that still have `since_us`."""
    there = [level for level in LEVELS if now_us - since_us <= level.kept] or [LEVELS[-1]]
    fine = [level for level in there if level.slot <= step_us]
    return fine[-1] if fine else there[0]


def _turned(data: bytes, width: int) -> bytes:
    return b"".join(data[at::width] for at in range(width))


def _back(data: bytes, width: int) -> bytes:
    count = len(data) // width
    turned = bytearray(count * width)
    for at in range(width):
        turned[at::width] = data[at * count : (at + 1) * count]
    return bytes(turned)
