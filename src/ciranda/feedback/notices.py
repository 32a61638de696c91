"""Notices: what each channel is told next, and the telling of it. Nothing waits for it, and one channel for no other.

The queue of a channel is the events of its project after the row's `seq`. A message is pinned (`until_seq`) before it goes out, and
the row moves on after it came through: whoever is killed between sends the same message again, under the same key.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ciranda.feedback import channels, facts, sending
from ciranda.feedback.channels import SECOND, Row
from ciranda.feedback.facts import Fact, Names
from ciranda.feedback.message import Message
from ciranda.kernel import clock, digest, errors, events, log, statements
from ciranda.kernel.database import Database
from ciranda.project.declaration import Channel

sql = statements.load("ciranda.feedback")

GAP = 5 * SECOND  # µs between two messages of a channel, in which a burst becomes one
OLDEST = 86_400 * SECOND  # µs after which a fact is told no more, only counted
TRIES = 5  # of a message that the other side does not take at all
AT_ONCE = 4  # channels that are spoken to at a time
_LIMIT = 500  # events that are read at once


@dataclass(frozen=True, slots=True)
class Batch:
    """Facts that go out as one message. It ends with the event `until_seq`; `older`: facts that are too old to be told."""

    told: tuple[Fact, ...]
    until_seq: int
    older: int = 0


def gather(row: Row, found: Sequence[Fact], last_seq: int, now_us: int) -> Batch:
    """What goes out of the facts that a channel asked for, up to the event `last_seq`. A pinned message keeps its end. Pure."""
    until_seq = row.until_seq if row.until_seq is not None else last_seq
    within = [fact for fact in found if fact.seq <= until_seq]
    told = tuple(fact for fact in within if fact.at_us >= now_us - OLDEST)
    return Batch(told, until_seq, len(within) - len(told))


def due(row: Row, now_us: int) -> bool:
    """Whether a channel may be spoken to now. Pure."""
    if row.retry_us is not None:
        return row.retry_us <= now_us
    return row.sent_us is None or row.sent_us + GAP <= now_us


def key(row: Row, until_seq: int) -> str:
    """The identity of a message: the same for every try of it. Pure."""
    return digest.of("notice", [row.project, row.name, row.seq, until_seq]).removeprefix("b3:")[:32]


class Notices:
    """Tells the channels. `declared` gives a project's names and its channels, None where it has none that can be read."""

    def __init__(
        self,
        database: Database,
        declared: Callable[[str], Names | None],
        post: sending.Post,
        base: Callable[[], str],
    ) -> None:
        self._database, self._declared, self._post, self._base = database, declared, post, base
        self._busy: dict[tuple[str, str], threading.Thread] = {}
        self._ledger = threading.Lock()  # held where the ledger is used, so that nobody does when it is closed
        self._closed = False
        self._scanned: dict[tuple[str, str], int] = {}

    def look(self) -> None:
        """Begin to tell what is due; returns at once."""
        last = self._database.one(sql.last_event)
        head = 0 if last is None else int(last["seq"])
        now_us = clock.now_us()
        self._busy = {key: thread for key, thread in self._busy.items() if thread.is_alive()}
        for row in channels.rows(self._database):
            if row.key in self._busy or len(self._busy) >= AT_ONCE or not due(row, now_us):
                continue
            if self._scanned.get(row.key, row.seq) >= head and row.until_seq is None:
                continue
            names = self._declared(row.project)
            channel = None if names is None else _named(names, row.name)
            if names is not None and channel is not None:
                # a daemon: whoever does not answer keeps nobody from leaving, and the message is sent again
                given = (row, channel, names)
                self._busy[row.key] = threading.Thread(
                    target=self._tell, args=given, name=f"notify {row.name}", daemon=True
                )
                self._busy[row.key].start()

    def close(self) -> None:
        """Nothing is noted any more; what is being sent just now will be sent again."""
        with self._ledger:
            self._closed = True

    def _tell(self, row: Row, channel: Channel, names: Names) -> None:
        """One message on one channel, if there is something to tell."""
        try:
            with self._ledger:
                batch = None if self._closed else self._begin(row, channel, names)
                way = None if batch is None else self._way(row, channel, batch)
            if batch is None or way is None:
                return
            message = Message(
                key(row, batch.until_seq),
                row.project,
                row.name,
                channel.language,
                batch.told,
                batch.older,
                self._base(),
            )
            problem, refused = "", None
            try:
                problem = sending.deliver(way, message)
            except sending.Undelivered as error:
                refused = error
            with self._ledger:
                if self._closed:
                    return
                if refused is not None:
                    self._failed(row, batch, refused)
                else:
                    self._database.write(
                        lambda tx: channels.sent(tx, row, batch.until_seq, problem, dropped=batch.older)
                    )
        except errors.CirandaError as error:  # no room, say: the next look tries again
            log.say(f"notify {row.name} of {row.project}: {error}")

    def _begin(self, row: Row, channel: Channel, names: Names) -> Batch | None:
        """What goes out now, its end written down; None: nothing does."""
        found, last_seq = self._facts(row, channel, names)
        batch = gather(row, found, last_seq, clock.now_us())
        if batch.told:
            pinned = row.until_seq is not None or self._database.write(
                lambda tx: channels.pin(tx, row, batch.until_seq)
            )
            return batch if pinned else None
        self._scanned[row.key] = batch.until_seq
        if batch.older or row.until_seq is not None or batch.until_seq - row.seq >= _LIMIT:
            self._database.write(lambda tx: channels.skipped(tx, row, batch.until_seq, batch.older))
        return None

    def _way(self, row: Row, channel: Channel, batch: Batch) -> sending.Way | None:
        """How the channel is reached; None: it cannot be, and that is noted."""
        try:
            return sending.way(self._post, channel, row.project)
        except sending.Undelivered as error:
            self._failed(row, batch, error)
            return None

    def _failed(self, row: Row, batch: Batch, error: sending.Undelivered) -> None:
        if not row.tries:
            log.say(f"notify {row.name} of {row.project}: {error.problem}")
        if error.final and row.tries + 1 >= TRIES:
            lost = len(batch.told) + batch.older
            self._database.write(lambda tx: channels.skipped(tx, row, batch.until_seq, lost))
        else:
            self._database.write(lambda tx: channels.failed(tx, row, error.problem, after=error.after))

    def _facts(self, row: Row, channel: Channel, names: Names) -> tuple[list[Fact], int]:
        """What a channel asked for of the events that it was not told of, and the last event that was looked at."""
        at = row.seq
        if row.until_seq is None:
            at = max(at, self._scanned.get(row.key, 0))
        found: list[Fact] = []
        while len(found) < _LIMIT:
            read = events.after(self._database, at, chain=row.project, limit=_LIMIT)
            for event in read:
                fact = facts.of(event, names)
                if fact is not None and facts.wanted(fact, channel):
                    found.append(fact)
            at = read[-1].seq if read else at
            if len(read) < _LIMIT or (row.until_seq is not None and at >= row.until_seq):
                break
        return found, at


def _named(names: Names, name: str) -> Channel | None:
    return next((one for one in names.project.channels if one.name == name), None)
