"""From spools to batches: objects first, then their rows with the names of the segments, then the files go. Killed anywhere, the next
look goes on, and nothing is taken twice.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ciranda.kernel import clock, errors, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.failpoints import failpoint
from ciranda.kernel.store import Store
from ciranda.monitor.predictions import batches, segments, tables
from ciranda.monitor.predictions.segments import Place

sql = statements.load("ciranda.monitor.predictions")
ROWS = 100_000  # of one batch, about
TAKEN_US = 3_600_000_000  # for which the name of a segment is remembered: longer than any look takes
SWEEP = 600.0  # seconds between looks for what was left

# place, release → how many days its rows are kept, and the columns that must not be told
Terms = Callable[[Place, str], "tuple[int, tuple[str, ...]]"]
# a table of predictions, columns that are not told → its profile as bytes
Profiled = Callable[[Any, tuple[str, ...]], bytes]


@dataclass(slots=True)
class Collector:
    """Collects the spools below `root`."""

    root: Path
    database: Database
    store: Store
    terms: Terms
    profiled: Profiled | None = None
    _swept: float = field(default=0.0, init=False)

    def look(self) -> int:
        """Take what is complete; how many rows. Raises errors.StorageFull, after which nothing is lost."""
        taken = 0
        now = time.monotonic()
        sweeps = not self._swept or now - self._swept > SWEEP
        for place, folder in segments.places(self.root):
            names = segments.names(folder)
            if not names and not sweeps:
                continue
            rows = self.database.query(sql.segments, **asdict(place))
            known = {str(row["segment"]): int(row["at_us"]) for row in rows}
            for name in known.keys() & set(names):
                segments.remove(folder, name)  # whoever took it was killed before that
            taken += self._collect(place, folder, [name for name in names if name not in known])
            if sweeps:
                segments.sweep(folder, time.time())
                before_us = clock.now_us() - TAKEN_US
                self._forget(place, [name for name, at_us in known.items() if at_us < before_us and name not in names])
        if sweeps:
            self._swept = now
        return taken

    def _collect(self, place: Place, folder: Path, names: list[str]) -> int:
        taken = 0
        waiting: dict[str, tuple[tables.Rows, list[str]]] = {}
        for name in names:
            found = segments.read(folder, name)
            if found is None:
                continue
            rows, of = waiting.setdefault(found.release, (tables.Rows(), []))
            rows.add(found.records, clock.now_us())
            of.append(name)
            if len(rows.predictions) + len(rows.feedback) >= ROWS:
                taken += self._keep(place, folder, found.release, *waiting.pop(found.release))
        for release, (rows, of) in waiting.items():
            taken += self._keep(place, folder, release, rows, of)
        return taken

    def _keep(self, place: Place, folder: Path, release: str, rows: tables.Rows, names: list[str]) -> int:
        days, private = self.terms(place, release)
        expires_us = clock.now_us() + days * batches.DAY_US
        with self.store.steady():
            made: list[batches.Batch] = []
            named: dict[str, Any]
            with self.store.batch():
                if rows.predictions or rows.dropped:
                    table = tables.frame(rows.predictions)
                    kept = self.store.put(batches.parquet(table)) if rows.predictions else ""
                    known = rows.predictions and self.profiled is not None
                    profile = self.store.put(self.profiled(table, private)) if known and self.profiled else ""
                    named = {"dropped": rows.dropped, "object": kept, "profile": profile, "expires_us": expires_us}
                    made.append(batches.made(batches.PREDICTIONS, place, release, table, **named))
                if rows.feedback:
                    table = tables.frame(rows.feedback)
                    kept = self.store.put(batches.parquet(table))
                    named = {"dropped": 0, "object": kept, "profile": "", "expires_us": expires_us}
                    made.append(batches.made(batches.FEEDBACK, place, "", table, **named))

            def work(tx: Transaction) -> None:
                for name in names:
                    if not tx.execute(sql.insert_segment, **asdict(place), segment=name, at_us=clock.now_us()):
                        raise errors.Fenced("another control has taken this", where=str(folder / name))
                for one in made:
                    batches.insert(tx, one)

            failpoint("predictions.stored")
            self.database.write(work)
        failpoint("predictions.recorded")
        for name in names:
            segments.remove(folder, name)
        return len(rows.predictions) + len(rows.feedback)

    def _forget(self, place: Place, names: list[str]) -> None:
        """The names of segments that are gone for long are needed no more."""
        if names:

            def work(tx: Transaction) -> None:
                for name in names:
                    tx.execute(sql.forget_segment, **asdict(place), segment=name)

            self.database.write(work)
