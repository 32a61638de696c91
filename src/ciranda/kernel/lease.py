"""A lease is the right of one holder to do something for a while.

Its fence grows whenever it is acquired, so that a holder that slept too long is found out.
"""

from dataclasses import dataclass

from ciranda.kernel import clock, errors, statements
from ciranda.kernel.database import Database, Transaction

sql = statements.load("ciranda.kernel")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right as it was acquired."""

    name: str
    holder: str
    fence: int


def acquire(database: Database, name: str, holder: str, seconds: float) -> Lease | None:
    """Take the lease for `seconds`, if it is free, has run out, or is this holder's own. None: another one holds it."""
    now = clock.now_us()
    found = database.one(sql.lease, name=name)
    if found is not None and found["until_us"] > now and found["holder"] != holder:
        return None  # nobody's turn to write is taken for a mere look

    row = database.write(
        lambda tx: tx.one(
            sql.acquire_lease, name=name, holder=holder, now=clock.now_us(), until=clock.now_us() + int(seconds * 1e6)
        )
    )
    return None if row is None else Lease(name, holder, row["fence"])


def renew(database: Database, lease: Lease, seconds: float) -> bool:
    """Hold it for `seconds` from now. False: it is lost."""
    until = clock.now_us() + int(seconds * 1e6)
    return (
        database.write(
            lambda tx: tx.execute(sql.renew_lease, name=lease.name, holder=lease.holder, fence=lease.fence, until=until)
        )
        == 1
    )


def release(database: Database, lease: Lease) -> None:
    """Give it back; nothing happens if it is lost already."""
    database.write(lambda tx: tx.execute(sql.release_lease, name=lease.name, holder=lease.holder, fence=lease.fence))


def check(tx: Transaction, lease: Lease) -> None:
    """Raise errors.Fenced, which undoes the whole transaction, if somebody else has acquired the lease meanwhile."""
    if tx.one(sql.held_lease, name=lease.name, holder=lease.holder, fence=lease.fence) is None:
        raise errors.Fenced(f"{lease.name} is now held by somebody else", where=f"lease {lease.name}")
