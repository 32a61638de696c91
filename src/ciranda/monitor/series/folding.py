"""Ticks become chunks: what was written moment by moment is kept series by series, at each level, in the store's file."""

import math
import sqlite3
import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from ciranda.monitor.series import levels, steps
from ciranda.monitor.series.samples import cumulative

_HEAD = struct.Struct("<qI")
_UNREADABLE = (zlib.error, ValueError, struct.error)
BETWEEN = 10 * levels.SECOND  # µs from one sample to the next
_BRIEF = 1  # series of one instance are kept to this level: there are many, and nobody asks for them for long


def pack_tick(ids: "array[int]", times: Sequence[int], values: "array[float]") -> bytes:
    """The samples of one write: identities of series, times in µs (kept to the millisecond), values."""
    began = min(times)
    offsets = array("I", [(at - began) // 1000 for at in times])
    body = ids.tobytes() + offsets.tobytes() + values.tobytes()
    return _HEAD.pack(began, len(ids)) + zlib.compress(body, 1)


def unpack_tick(data: bytes) -> "tuple[array[int], list[int], array[float]]":
    """The same; nothing for what cannot be read."""
    ids, offsets, values = array("I"), array("I"), array("d")
    try:
        began, count = _HEAD.unpack_from(data)
        body = zlib.decompress(memoryview(data)[_HEAD.size :])
        if len(body) != 16 * count:
            raise ValueError
    except _UNREADABLE:
        return ids, [], values
    ids.frombytes(body[: 4 * count])
    offsets.frombytes(body[4 * count : 8 * count])
    values.frombytes(body[8 * count :])
    return ids, [began + offset * 1000 for offset in offsets], values


def fold(connection: sqlite3.Connection, ticks: Iterable[tuple[int, bytes]]) -> None:
    """Put the samples of these ticks into the chunks of their series."""
    found: dict[int, list[tuple[int, float]]] = {}
    for _, data in ticks:
        for id, at, value in zip(*unpack_tick(data), strict=True):
            found.setdefault(id, []).append((at, value))
    for id, samples in found.items():
        row = connection.execute("SELECT metric, labels FROM series WHERE id = ?", (id,)).fetchone()
        if row is None:
            continue
        samples.sort(key=lambda sample: sample[0])
        brief = '"instance":' in row[1]
        for level in levels.LEVELS:
            if brief and level.number > _BRIEF:
                break
            _add(connection, id, level, cumulative(row[0]), samples)


def _add(
    connection: sqlite3.Connection, id: int, level: levels.Level, counter: bool, samples: Sequence[tuple[int, float]]
) -> None:
    chunks: dict[int, list[tuple[int, float]]] = {}
    for sample in samples:
        chunks.setdefault(sample[0] // level.span * level.span, []).append(sample)
    for began, new in chunks.items():
        key = (id, level.number, began)
        row = connection.execute(
            "SELECT data FROM chunk WHERE series = ? AND level = ? AND began_us = ?", key
        ).fetchone()
        data = _grown(level, counter, began, row and row[0], new)
        connection.execute(
            "INSERT INTO chunk VALUES (?, ?, ?, ?) ON CONFLICT (series, level, began_us) DO UPDATE SET data = excluded.data",
            (*key, data),
        )


def _grown(
    level: levels.Level, counter: bool, began: int, data: bytes | None, new: Sequence[tuple[int, float]]
) -> bytes:
    """A chunk with more samples in it. One that cannot be read is begun anew."""
    times, values = [at for at, _ in new], [value for _, value in new]
    if level.slot == 0:
        before, had = _full(began, data)
        if before and before[-1] > times[0]:
            both = sorted(zip([*before, *times], [*had, *values], strict=True))
            return levels.pack_full(began, [at for at, _ in both], [value for _, value in both])
        return levels.pack_full(began, [*before, *times], [*had, *values])
    first, columns = _coarse(counter, data)
    slots = levels.slotted(level, began, times, values)
    first, columns = levels.widened(first, columns, min(slots), max(slots))
    for slot, told in slots.items():
        levels.merge(counter, columns, slot - first, told)
    return levels.pack(first, columns)


def gauge(
    connection: sqlite3.Connection, id: int, level: levels.Level, since: int, until: int, *, counter: bool = False
) -> steps.Known:
    """What the chunks of a gauge tell of a time (µs); of a counter, of which only the last value is asked for, each slot's last."""
    found = steps.Known()
    for began, data in _chunks(connection, id, level, since, until):
        if level.slot == 0:
            for at, value in zip(*_full(began, data), strict=True):
                if since <= at < until:
                    found.add(at, 1.0, value, value, value, value)
            continue
        first, columns = _coarse(counter, data)
        if counter:
            columns = [array("d", [1.0]) * len(columns[1]), *(columns[1] for _ in range(4))]
        for slot, values in enumerate(zip(*columns, strict=True), first):
            start = began + slot * level.slot
            if not math.isnan(values[-1]) and since <= start < until:
                found.add(start, *values)
    return found


def counter(
    connection: sqlite3.Connection, id: int, level: levels.Level, since: int, until: int, folded: int
) -> tuple[list[int], list[float]]:
    """What the chunks of a counter tell of a time (µs): moments and values.

    A slot tells of its first and its last sample, which lie as far from its edges as samples from each other; one that is not over yet
    has its last at the moment to which ticks were folded.
    """
    times: list[int] = []
    values: list[float] = []
    half = BETWEEN // 2
    for began, data in _chunks(connection, id, level, since, until):
        if level.slot == 0:
            full, told = _full(began, data)
            low, high = bisect_left(full, since), bisect_left(full, until)
            times += full[low:high]
            values += told[low:high]
            continue
        first, (early, late) = _coarse(True, data)
        low = max(first, -((began - since) // level.slot))
        high = min(first + len(early), -((began - until) // level.slot))
        starts = range(began + low * level.slot, began + high * level.slot, level.slot)
        pairs = zip(starts, early[low - first : high - first], late[low - first : high - first], strict=False)
        known = [one for one in pairs if one[1] == one[1]]
        times += [at for start, _, _ in known for at in (start + half, start + level.slot - half)]
        values += [value for _, one, two in known for value in (one, two)]
        if times and times[-1] > folded:
            times[-1] = max(folded, times[-2] + half)
    return times, values


def _chunks(
    connection: sqlite3.Connection, id: int, level: levels.Level, since: int, until: int
) -> list[tuple[int, bytes]]:
    return connection.execute(
        "SELECT began_us, data FROM chunk WHERE series = ? AND level = ? AND began_us > ? AND began_us < ? ORDER BY began_us",
        (id, level.number, since - level.span, until),
    ).fetchall()


def _full(began: int, data: bytes | None) -> "tuple[list[int], array[float]]":
    try:
        return levels.unpack_full(began, data) if data else ([], array("d"))
    except _UNREADABLE:
        return [], array("d")


def _coarse(counter: bool, data: bytes | None) -> tuple[int, levels.Columns]:
    width = len(levels.columns(counter))
    try:
        return levels.unpack(data, width) if data else (0, [array("d") for _ in range(width)])
    except _UNREADABLE:
        return 0, [array("d") for _ in range(width)]
