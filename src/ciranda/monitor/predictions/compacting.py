"""Many small batches become few: a service that answers all day leaves a batch every few seconds, and a day has 86,400 of them."""

from collections.abc import Callable, Sequence

from ciranda.kernel import clock, errors, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.monitor.predictions import batches
from ciranda.monitor.predictions.batches import Batch

sql = statements.load("ciranda.monitor.predictions")
AGE_US = 600_000_000  # a batch that is as old as this is settled
FEW = 30  # settled batches of one release that are left as they are
MOST = 500_000  # rows of a batch beyond which it is large enough
AT_ONCE = 500  # batches that are read at once


# what these batches were counted as, together; "": they have to be counted again
Merged = Callable[[Sequence[Batch]], str]


def compact(database: Database, store: Store, now_us: int | None = None, merged: Merged = lambda _: "") -> int:
    """Put settled batches of one release together; how many went. Killed anywhere, either the old ones count or the new one."""
    before_us = (clock.now_us() if now_us is None else now_us) - AGE_US
    gone = 0
    for group in database.query(sql.crowded, before_us=before_us, most=MOST, few=FEW):
        names = {name: group[name] for name in ("kind", "project", "environment", "service", "release")}
        rows = database.query(sql.settled, **names, before_us=before_us, most=MOST, limit=AT_ONCE)
        for run in _runs([Batch(**row) for row in rows]):
            gone += _merge(database, store, run, merged)
    return gone


def _runs(found: list[Batch]) -> list[list[Batch]]:
    """Batches that follow one another and expire on one day, as many as make a large one. Pure."""
    runs: list[list[Batch]] = []
    for one in found:
        last = runs[-1] if runs else None
        if (
            last is None
            or sum(each.row_count for each in last) + one.row_count > MOST
            or last[0].expires_us // batches.DAY_US != one.expires_us // batches.DAY_US
        ):
            runs.append([one])
        else:
            last.append(one)
    return [run for run in runs if len(run) > 1]


def _merge(database: Database, store: Store, run: list[Batch], merged: Merged) -> int:
    first = run[0]
    with store.steady():
        table = batches.load(store, run).drop("release", strict=False)
        kept = profile = ""
        if table.width:
            with store.batch():
                kept = store.put(batches.parquet(table))
                profile = merged(run)
        one = batches.made(
            first.kind, first.place, first.release, table, dropped=sum(each.dropped for each in run), object=kept,
            profile=profile, expires_us=max(each.expires_us for each in run),
        )  # fmt: skip

        def work(tx: Transaction) -> int:
            went = sum(tx.execute(sql.drop_batch, id=each.id) for each in run)
            if went != len(run):
                raise errors.Fenced("another control has put these batches together")
            batches.insert(tx, one)
            return went

        return database.write(work)
