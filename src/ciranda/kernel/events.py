"""Facts in the order in which they were committed, each chained by its hash to the one before it in its chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ciranda.kernel import clock, digest, errors, statements
from ciranda.kernel.database import Database, Transaction

sql = statements.load("ciranda.kernel")
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Event:
    """A fact in the ledger that people or reactions care about."""

    seq: int
    id: str
    at_us: int
    chain: str
    kind: str
    version: int
    subject: str
    actor: str
    cause: str | None  # the id of the event that led to this one
    body: dict[str, Any]
    previous: str | None
    hash: str


def append(
    tx: Transaction,
    *,
    chain: str,
    kind: str,
    subject: str,
    actor: str,
    cause: str | None = None,
    body: Mapping[str, Any] = _NOTHING,
    version: int = 1,
) -> int:
    """Record a fact at the end of its chain and return its `seq`, which grows in commit order over all chains."""
    head = tx.one(sql.chain_head, chain=chain)
    counted = tx.one(sql.next_number, name="event")
    assert counted is not None
    seq: int = counted["value"]
    columns: dict[str, Any] = {
        "id": clock.uuid7(),
        "at_us": clock.now_us(),
        "chain": chain,
        "kind": kind,
        "version": version,
        "subject": subject,
        "actor": actor,
        "cause": cause,
        "body": digest.canonical(dict(body)).decode(),
        "previous": head["hash"] if head else None,
    }
    mark = digest.of("event", columns)
    tx.execute(sql.insert_event, seq=seq, hash=mark, **columns)
    tx.execute(sql.move_chain_head, chain=chain, seq=seq, hash=mark)
    return seq


def after(database: Database, seq: int, *, chain: str | None = None, limit: int = 1000) -> list[Event]:
    """The events that follow `seq`, of one chain or of all, in order, at most `limit`."""
    if chain is None:
        rows = database.query(sql.events_after, seq=seq, limit=limit)
    else:
        rows = database.query(sql.chain_events_after, chain=chain, seq=seq, limit=limit)
    return [Event(**{**row, "body": digest.parse(row["body"].encode())}) for row in rows]


def before(database: Database, seq: int, *, limit: int = 1000) -> list[Event]:
    """The events that precede `seq`, of all chains, the newest first, at most `limit`."""
    rows = database.query(sql.events_before, seq=seq, limit=limit)
    return [Event(**{**row, "body": digest.parse(row["body"].encode())}) for row in rows]


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of events: how many it has, and when the last one was recorded (µs UTC)."""

    name: str
    events: int
    last_us: int


def chains(database: Database) -> list[Chain]:
    """Every chain of the ledger, by name."""
    return [Chain(row["chain"], int(row["events"]), int(row["last_us"])) for row in database.query(sql.chains)]


def verify(database: Database, chain: str) -> int:
    """How many events a chain has, each as it was written. Raises errors.Corrupt naming the first that is not."""
    head = database.one(sql.chain_head, chain=chain) or {"seq": 0, "hash": None}
    count, at, previous = 0, 0, None
    while at < head["seq"]:
        rows = database.query(sql.chain_events_after, chain=chain, seq=at, limit=1000)
        if not rows:
            break
        for row in rows:
            columns = {name: value for name, value in row.items() if name not in ("seq", "hash")}
            if row["previous"] != previous or digest.of("event", columns) != row["hash"]:
                raise _corrupt(f"event {row['seq']} ({row['kind']}) is not as it was written", chain)
            count, at, previous = count + 1, row["seq"], row["hash"]
            if at == head["seq"]:
                break
    if (at, previous) != (head["seq"], head["hash"]):
        raise _corrupt(f"events after {at} are missing: the last one was {head['seq']}", chain)
    return count


def _corrupt(message: str, chain: str) -> errors.Corrupt:
    return errors.Corrupt(
        message, where=f"events of {chain}", hint="the ledger was changed by hand: put it back from a backup"
    )
