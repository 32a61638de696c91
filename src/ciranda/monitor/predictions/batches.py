"""Batches in the ledger: which rows of which service, in which object, and until when they are kept."""

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.kernel import clock, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.monitor.predictions import tables
from ciranda.monitor.predictions.segments import Place

sql = statements.load("ciranda.monitor.predictions")
PREDICTIONS, FEEDBACK = "predictions", "feedback"
FOREVER = 1 << 62  # µs
DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one release of a service (of feedback: of none). `dropped`: predictions that are not among them."""

    id: str
    kind: str
    project: str
    environment: str
    service: str
    release: str
    from_us: int
    until_us: int
    row_count: int
    dropped: int
    object: str
    profile: str
    made_us: int
    expires_us: int

    @property
    def place(self) -> Place:
        """Whose it is."""
        return Place(self.project, self.environment, self.service)


@dataclass(frozen=True, slots=True)
class Kept:
    """What there is of a release of a service (of feedback: of none)."""

    environment: str
    service: str
    release: str
    kind: str
    from_us: int
    until_us: int
    row_count: int
    dropped: int


def made(
    kind: str, place: Place, release: str, rows: Any, *, dropped: int, object: str, profile: str, expires_us: int
) -> Batch:
    """A batch of a table."""
    now_us = clock.now_us()
    at = rows["at"].dt.timestamp("us") if rows.height else None
    first, last = (now_us, now_us) if at is None else (int(at.min()), int(at.max()))
    return Batch(
        clock.uuid7(), kind, place.project, place.environment, place.service, release, first, last, rows.height, dropped,
        object, profile, now_us, expires_us,
    )  # fmt: skip


def insert(tx: Transaction, batch: Batch) -> None:
    """Record a batch, whose objects are in the store."""
    tx.execute(sql.insert_batch, **asdict(batch))


def of_service(
    database: Database, place: Place, kind: str = PREDICTIONS, since_us: int = 0, until_us: int = FOREVER
) -> list[Batch]:
    """The batches of a service that hold something of a time, the newest first."""
    rows = database.query(sql.batches, **asdict(place), kind=kind, since_us=since_us, until_us=until_us)
    return [Batch(**row) for row in rows]


def kept(database: Database, project: str, environment: str = "") -> list[Kept]:
    """What there is of each service and release of a project."""
    rows = database.query(sql.services, project=project, environment=environment)
    return [Kept(**{**row, "row_count": int(row["row_count"]), "dropped": int(row["dropped"])}) for row in rows]


def places(database: Database, since_us: int) -> list[Place]:
    """Every service that kept something since a time."""
    return [Place(**row) for row in database.query(sql.kept_services, since_us=since_us)]


def expire(database: Database, now_us: int) -> int:
    """Let go of the batches whose time is over; how many. Their objects are taken away by `gc`."""
    return database.write(lambda tx: tx.execute(sql.expire, now_us=now_us))


def parquet(table: Any) -> bytes:
    """A polars.DataFrame as the bytes of a Parquet file."""
    held = io.BytesIO()
    table.write_parquet(held, compression="zstd", compression_level=1)
    return held.getvalue()


def columns(store: Store, batch: Batch) -> list[str]:
    """The names of a batch's columns. Raises errors.NotFound, errors.Corrupt."""
    import polars

    return list(polars.read_parquet_schema(io.BytesIO(store.get(batch.object))))


def load(store: Store, found: Sequence[Batch]) -> Any:
    """The rows of batches as a polars.DataFrame with the column `release`. Raises errors.NotFound, errors.Corrupt."""
    import polars

    frames = [
        polars.read_parquet(io.BytesIO(store.get(one.object))).with_columns(release=polars.lit(one.release))
        for one in found
        if one.object
    ]
    return tables.together(frames) if frames else polars.DataFrame()
