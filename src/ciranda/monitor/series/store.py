"""The store of samples: one SQLite file, written by control alone, read by whoever asks.

A write is a tick: all of its samples as one row, durable when `write` returns. Every ten minutes the ticks are folded into chunks of
their series, one for each level, in the transaction that takes the ticks away: a process that is killed anywhere loses
what it had not written yet, and nothing is counted twice. The journal is a rollback journal: nothing is mapped into memory, so that
a full disk is an error and no signal. A file that cannot be read is set aside and begun anew: metrics never keep control from working.
"""

import fcntl
import json
import math
import os
import sqlite3
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from ciranda.kernel import errors, files
from ciranda.monitor.series import folding, levels, steps
from ciranda.monitor.series.levels import MINUTE, SECOND
from ciranda.monitor.series.samples import How, Line, Sample, cumulative

FILE, BROKEN = "series.db", "series.broken.db"
FOLD = 10 * MINUTE  # µs of ticks that are folded at once
MOST_TICKS = 600  # rows that wait for being folded, whatever the clock says
MOST_PENDING = 360  # ticks that are kept in memory while they cannot be written: an hour
MOST_SERIES = 50_000  # that one process writes: a label that is new in each sample must not fill the disk
PAGE, MOST_BYTES = 4096, 1 << 30
BUSY = 10.0  # seconds to wait for another process
_TABLES = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, metric TEXT NOT NULL, labels TEXT NOT NULL,
    project TEXT NOT NULL, environment TEXT NOT NULL, service TEXT NOT NULL, UNIQUE (metric, labels)
);
CREATE INDEX IF NOT EXISTS series_place ON series (project, environment, service, metric);
CREATE TABLE IF NOT EXISTS tick (id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS chunk (
    series INTEGER NOT NULL, level INTEGER NOT NULL, began_us INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (series, level, began_us)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS chunk_age ON chunk (level, began_us);
CREATE TABLE IF NOT EXISTS folded (one INTEGER PRIMARY KEY CHECK (one = 1), at_us INTEGER NOT NULL, kept_us INTEGER NOT NULL);
INSERT INTO folded VALUES (1, 0, 0) ON CONFLICT DO NOTHING;
"""
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PLACE = ("project", "environment", "service")


class Store:
    """The samples of a home. `root` is the folder `metrics/`; reading makes nothing, and what is not there reads as empty."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / FILE
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._guard: int | None = None
        self._ids: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
        self._pending: list[list[Sample]] = []  # what could not be written yet
        self.dropped = 0  # samples that were not taken: no number, one series too many, or an hour without room

    def write(self, samples: Iterable[Sample]) -> None:
        """Keep samples; returns when they are durable.

        Raises errors.StorageFull: they are kept in memory and written with the next ones. errors.Refused: another process writes.
        """
        with self._lock:
            self._pending.append(list(samples))
            for late in self._pending[:-MOST_PENDING]:
                self.dropped += len(late)
            del self._pending[:-MOST_PENDING]
            try:
                self._write()
            except sqlite3.DatabaseError as error:
                self._failed(error)

    def close(self) -> None:
        """Give the file to the next writer."""
        with self._lock:
            self._disconnect()
            if self._guard is not None:
                os.close(self._guard)
                self._guard = None

    def read(
        self, metric: str, labels: Mapping[str, str], since_us: int, until_us: int, step_us: int, how: How
    ) -> list[Line]:
        """See samples.Reading."""
        return self.several([metric], labels, since_us, until_us, step_us, how)[metric]

    def several(
        self, metrics: Sequence[str], labels: Mapping[str, str], since_us: int, until_us: int, step_us: int, how: How
    ) -> dict[str, list[Line]]:
        """See samples.Reading."""
        found: dict[str, list[Line]] = {metric: [] for metric in metrics}

        def look(connection: sqlite3.Connection) -> None:
            series = _matching(connection, metrics, labels)
            folded = connection.execute("SELECT at_us FROM folded").fetchone()[0]
            newest = connection.execute("SELECT max(at_us) FROM tick").fetchone()[0] or folded or until_us
            level = levels.fitting(since_us, newest, step_us)
            step = (
                max(step_us, level.slot)
                if step_us % max(level.slot, 1) == 0
                else -(-step_us // level.slot) * level.slot
            )
            grid = steps.grid(since_us, until_us, step)
            begin = grid.start - max(level.slot, steps.GAP)
            tail = _tail(connection, {id for id, _, _ in series}, begin)
            for id, metric, told in series:
                late = [point for point in tail.get(id, ()) if begin <= point[0] <= until_us]
                if cumulative(metric) and how in ("rate", "sum"):
                    times, values = folding.counter(connection, id, level, begin, until_us, folded)
                    times += [at for at, _ in late]
                    values += [value for _, value in late]
                    gap = max(steps.GAP, level.slot + 30 * SECOND)
                    points = steps.growth(times, values, grid, gap, a_second=how == "rate")
                else:
                    known = folding.gauge(connection, id, level, begin, until_us, counter=cumulative(metric))
                    for at, value in late:
                        known.add(at, 1.0, value, value, value, value)
                    points = steps.gauges(known, grid, how)
                if any(value is not None for _, value in points):
                    found[metric].append(Line(told, points))

        self._look(look)
        return found

    def metrics(self, labels: Mapping[str, str]) -> list[str]:
        """See samples.Reading."""
        found: set[str] = set()
        self._look(lambda connection: found.update(metric for _, metric, _ in _matching(connection, None, labels)))
        return sorted(found)

    def _look(self, look: Callable[[sqlite3.Connection], None]) -> None:
        """One reading transaction. What is not there, or is no store, reads as empty: whoever writes puts it right."""
        if not self._path.exists():
            return
        try:
            with closing(_connect(self._path, "rw")) as connection:
                connection.execute("BEGIN")
                look(connection)
        except sqlite3.DatabaseError as error:
            absent = any(said in str(error) for said in ("no such table", "unable to open"))
            if not absent and _code(error) not in _BROKEN:
                raise errors.Unreachable(f"the metrics cannot be read: {error}", where=str(self._path)) from error

    def _write(self) -> None:
        connection = self._connected()
        with _transaction(connection):
            ticks = [tick for samples in self._pending if (tick := self._tick(connection, samples)) is not None]
            connection.executemany("INSERT INTO tick (at_us, data) VALUES (?, ?)", ticks)
        self._pending = []
        self._fold(connection)

    def _fold(self, connection: sqlite3.Connection) -> None:
        folded, kept = connection.execute("SELECT at_us, kept_us FROM folded").fetchone()
        newest, waiting = connection.execute("SELECT max(at_us), count(*) FROM tick").fetchone()
        if newest is None:
            return
        now = newest // FOLD * FOLD
        if now <= folded and waiting <= MOST_TICKS:
            return
        with _transaction(connection):
            rows = connection.execute("SELECT id, at_us, data FROM tick ORDER BY id").fetchall()
            done = [row for row in rows if row[1] < now or waiting > MOST_TICKS]
            folding.fold(connection, [(row[1], row[2]) for row in done])
            connection.executemany("DELETE FROM tick WHERE id = ?", [(row[0],) for row in done])
            connection.execute("UPDATE folded SET at_us = ?", (now,))
            if now - kept >= levels.HOUR or now < kept:
                self._keep(connection, now)

    def _keep(self, connection: sqlite3.Connection, now: int) -> None:
        """Take away what is too old; where the file is nearly as large as it may be, what is half as old, and so on."""
        share = 1.0
        for _ in range(8):
            for level in levels.LEVELS:
                before = now - int(level.kept * share) - level.span
                connection.execute("DELETE FROM chunk WHERE level = ? AND began_us < ?", (level.number, before))
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            free = connection.execute("PRAGMA freelist_count").fetchone()[0]
            if (pages - free) * PAGE < MOST_BYTES * 0.9:
                break
            share /= 2
        waiting = {id for (data,) in connection.execute("SELECT data FROM tick") for id in folding.unpack_tick(data)[0]}
        gone = connection.execute("SELECT id FROM series WHERE id NOT IN (SELECT series FROM chunk)").fetchall()
        connection.executemany("DELETE FROM series WHERE id = ?", [row for row in gone if row[0] not in waiting])
        connection.execute("UPDATE folded SET kept_us = ?", (now,))
        self._ids.clear()

    def _tick(self, connection: sqlite3.Connection, samples: list[Sample]) -> tuple[int, bytes] | None:
        ids, times, values = array("I"), [], array("d")
        for sample in samples:
            key = (sample.metric, frozenset(sample.labels.items()))
            id = self._ids.get(key)
            if id is None:
                id = self._named(connection, key, sample) if math.isfinite(sample.value) else None
            if id is None or not math.isfinite(sample.value):
                self.dropped += 1
                continue
            ids.append(id)
            times.append(sample.at_us)
            values.append(sample.value)
        if not ids:
            return None
        return max(times), folding.pack_tick(ids, times, values)

    def _named(
        self, connection: sqlite3.Connection, key: tuple[str, frozenset[tuple[str, str]]], sample: Sample
    ) -> int | None:
        if len(self._ids) >= MOST_SERIES:
            return None
        labels = json.dumps(dict(sorted(sample.labels.items())), ensure_ascii=False, separators=(",", ":"))
        place = [sample.labels.get(name, "") for name in _PLACE]
        row = connection.execute("SELECT id FROM series WHERE metric = ? AND labels = ?", (key[0], labels)).fetchone()
        if row is None:
            row = connection.execute(
                "INSERT INTO series (metric, labels, project, environment, service) VALUES (?, ?, ?, ?, ?) RETURNING id",
                (key[0], labels, *place),
            ).fetchone()
        self._ids[key] = row[0]
        return int(row[0])

    def _connected(self) -> sqlite3.Connection:
        if self._guard is None:
            with files.room(self._root):
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
                guard = os.open(self._root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(guard)
                raise errors.Refused("another process writes the metrics", where=str(self._root)) from None
            self._guard = guard
        if self._connection is None:
            self._connection = _connect(self._path, "rwc")
            self._connection.executescript(_TABLES)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        self._ids.clear()

    def _failed(self, error: sqlite3.DatabaseError) -> None:
        """What cannot be read is set aside; what cannot be written now is written later."""
        self._disconnect()  # also forgets the ids that were given in a transaction that is undone
        code = _code(error)
        if code in _BROKEN or "no such" in str(error):
            with files.room(self._root):
                os.replace(self._path, self._root / BROKEN)
                (self._root / f"{FILE}-journal").unlink(missing_ok=True)
            raise errors.Corrupt(
                "the metrics could not be read: they are begun anew", where=str(self._root / BROKEN)
            ) from error
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise files.full(self._root) from error
        raise errors.Unreachable(f"the metrics cannot be written: {error}", where=str(self._path)) from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False
    )
    if mode == "rwc":
        os.chmod(path, 0o600)
        for setting in (f"page_size = {PAGE}", "journal_mode = TRUNCATE", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        connection.execute(f"PRAGMA max_page_count = {MOST_BYTES // PAGE}").fetchall()
    return connection


def _matching(
    connection: sqlite3.Connection, metrics: Sequence[str] | None, labels: Mapping[str, str]
) -> list[tuple[int, str, dict[str, str]]]:
    """Identity, metric and labels of the series that have at least these labels."""
    places = [name for name in _PLACE if name in labels]
    where = " AND ".join([f"{name} = :{name}" for name in places] or ["1"])
    given: dict[str, Any] = {name: labels[name] for name in places}
    if metrics is not None and len(metrics) == 1:
        where, given = f"{where} AND metric = :metric", {**given, "metric": metrics[0]}
    wanted = None if metrics is None else set(metrics)
    found = []
    for id, metric, text in connection.execute(
        f"SELECT id, metric, labels FROM series WHERE {where} ORDER BY id", given
    ):
        if wanted is None or metric in wanted:
            told: dict[str, str] = json.loads(text)
            if all(told.get(name) == value for name, value in labels.items()):
                found.append((id, metric, told))
    return found


def _tail(connection: sqlite3.Connection, wanted: set[int], since_us: int) -> dict[int, list[tuple[int, float]]]:
    """What was not folded yet, by series, in the order of time."""
    found: dict[int, list[tuple[int, float]]] = {}
    if wanted:
        for (data,) in connection.execute("SELECT data FROM tick WHERE at_us >= ? ORDER BY id", (since_us,)):
            for id, at, value in zip(*folding.unpack_tick(data), strict=True):
                if id in wanted:
                    found.setdefault(id, []).append((at, value))
    for points in found.values():
        points.sort()
    return found


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary result code."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
