"""What events lead to by themselves: an alert of severity "page" opens an incident, and so does a release that entered past its rules; a
merged commit closes the items that it names.

Events are read after a place of their own, and the place moves in the transaction of what they led to: each leads to it once.
"""

from collections.abc import Callable
from functools import partial

from ciranda.feedback import facts, incidents, items
from ciranda.kernel import events, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.events import Event

sql = statements.load("ciranda.feedback")
READER = "following"
_LIMIT = 500  # events that are read at once

Commits = Callable[[Event], list[tuple[str, str, str]]]  # of a `change.merged`: sha, message, who


def look(database: Database, commits: Commits, seen: Callable[[Event], None]) -> None:
    """Do what new events lead to; `seen` hears of each of them."""
    row = database.one(sql.reader, name=READER)
    at = _begin(database) if row is None else int(row["seq"])
    while found := events.after(database, at, limit=_LIMIT):
        for event in found:
            seen(event)
            told = commits(event) if event.kind == "change.merged" else []
            if told or event.kind in ("alert.fired", "emergency.promoted"):
                database.write(partial(_follow, event=event, told=told))
        at = found[-1].seq
        database.write(partial(_move, seq=at))


def _begin(database: Database) -> int:
    """A home that has a history begins with what comes next: nobody wants last year's alerts as incidents."""
    row = database.one(sql.last_event)
    at = 0 if row is None else int(row["seq"])
    database.write(partial(_move, seq=at))
    return at


def origin(event: Event) -> str:
    """What alerts of one incident have in common: their group, in their environment. Pure."""
    return f"{event.subject}/{event.body.get('group') or event.body.get('service') or ''}"


def _move(tx: Transaction, seq: int) -> None:
    tx.execute(sql.move_reader, name=READER, seq=seq)


def _follow(tx: Transaction, event: Event, told: list[tuple[str, str, str]]) -> None:
    row = tx.one(sql.reader, name=READER)
    if row is not None and int(row["seq"]) >= event.seq:
        return  # killed after this, before the place moved for the whole batch
    if event.kind == "change.merged":
        items.closed_by_commits(tx, event.chain, told)
    elif event.kind == "alert.fired":
        _fired(tx, event)
    elif event.kind == "emergency.promoted":
        _hurried(tx, event)
    _move(tx, event.seq)


def _fired(tx: Transaction, event: Event) -> None:
    """One incident for what goes wrong with a service: further alerts join it, and one that is over does not end it."""
    body, severity = event.body, facts.severity(event.body.get("severity"))
    known = incidents.of_origin(tx, event.chain, origin(event))
    if known is not None:
        incidents.worsen(tx, known, severity)
        return
    if severity != "page":
        return
    environment = event.subject.partition("/")[2]
    what = str(body.get("text") or body.get("rule") or "an alert")
    incidents.insert(
        tx,
        event.chain,
        environment,
        " ".join(what.split())[: incidents.LONGEST_TITLE],
        actor="ciranda",
        service=str(body.get("service") or ""),
        severity=severity,
        owner=str(body.get("owner") or ""),
        started_us=int(body.get("since_us") or event.at_us),
        origin=origin(event),
        cause=event.id,
    )


def _hurried(tx: Transaction, event: Event) -> None:
    """A release entered past what kept it out: there was a reason, and there is something to learn."""
    body = event.body
    title = f"emergency in {body['environment']}: {body['reason']}"
    incidents.insert(
        tx, event.chain, str(body["environment"]), title[: incidents.LONGEST_TITLE], actor=event.actor, service="",
        severity="ticket", owner="", started_us=event.at_us, origin=f"{event.subject}#{body['number']}", cause=event.id,
    )  # fmt: skip
