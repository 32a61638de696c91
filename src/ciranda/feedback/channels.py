"""Channels in the ledger: how far each has been told, and how it goes with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ciranda.kernel import clock, digest, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.project.declaration import Channel

sql = statements.load("ciranda.feedback")

SECOND = 1_000_000
FIRST, LONGEST = 5 * SECOND, 3600 * SECOND  # µs before the first next try, and before any


@dataclass(frozen=True, slots=True)
class Row:
    """A channel that was begun. Everything up to the event `seq` is told; `until_seq` ends the message that is being sent."""

    project: str
    name: str
    declared: str
    seq: int
    until_seq: int | None
    tries: int
    retry_us: int | None
    failing_us: int | None
    problem: str
    sent: int
    dropped: int
    sent_us: int | None

    @property
    def key(self) -> tuple[str, str]:
        return self.project, self.name


def rows(database: Database | Transaction, project: str = "") -> list[Row]:
    """The channels of a project, or of all."""
    return [Row(**row) for row in database.query(sql.channels, project=project)]


def learn(tx: Transaction, project: str, channels: Sequence[Channel], secrets: Mapping[str, int]) -> None:
    """Know the channels that are declared now; one that is new begins with the change that brought it.

    `secrets`: the newest versions, so that a channel whose secret is set anew is tried at once.
    """
    there = {row.name: row for row in rows(tx, project)}
    for channel in channels:
        mark = _mark(channel, secrets)
        known = there.pop(channel.name, None)
        if known is None:
            last = tx.one(sql.last_merge, chain=project)
            seq = max(0, int(last["seq"]) - 1) if last else 0
            tx.execute(sql.begin_channel, project=project, name=channel.name, declared=mark, seq=seq)
        elif known.declared != mark:
            tx.execute(sql.renew_channel, project=project, name=channel.name, declared=mark)
    for gone in there:
        tx.execute(sql.drop_channel, project=project, name=gone)


def pin(tx: Transaction, row: Row, until_seq: int) -> bool:
    """The message that goes out now ends with this event; False when another process has moved the channel on."""
    return bool(tx.execute(sql.pin_channel, project=row.project, name=row.name, seq=row.seq, until_seq=until_seq))


def sent(tx: Transaction, row: Row, until_seq: int, problem: str = "", *, dropped: int = 0) -> None:
    """It came through; `problem`: but not to everybody."""
    tx.execute(
        sql.channel_sent, project=row.project, name=row.name, seq=row.seq, until_seq=until_seq, dropped=dropped, problem=problem,
        at_us=clock.now_us(),
    )  # fmt: skip


def failed(tx: Transaction, row: Row, problem: str, *, after: float | None = None) -> None:
    """It did not; `after`: the seconds that the other side asks for."""
    now_us = clock.now_us()
    wait_us = pause(row.tries + 1, after)
    tx.execute(
        sql.channel_failed, project=row.project, name=row.name, seq=row.seq, problem=problem, at_us=now_us,
        retry_us=now_us + wait_us,
    )  # fmt: skip


def skipped(tx: Transaction, row: Row, until_seq: int, dropped: int) -> None:
    """Nobody is told of what came up to here any more."""
    tx.execute(
        sql.channel_skipped, project=row.project, name=row.name, seq=row.seq, until_seq=until_seq, dropped=dropped
    )


def pause(tries: int, after: float | None = None) -> int:
    """µs between a try that failed and the next one: twice as long each time, or what the other side asks for. Pure."""
    own = min(LONGEST, FIRST * 2 ** min(tries - 1, 20))
    return int(min(LONGEST, max(own, (after or 0.0) * SECOND)))


def _mark(channel: Channel, secrets: Mapping[str, int]) -> str:
    named = [channel.url.removeprefix("secret:"), channel.sign]
    versions = {name: secrets[name] for name in named if name in secrets}
    return digest.of("channel", [channel.kind, channel.url, list(channel.email), channel.sign, versions])
