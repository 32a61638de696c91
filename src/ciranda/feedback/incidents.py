"""Incidents in the ledger: opened by alerts or by hand, noted, resolved, reviewed. Each act is a row and an event."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ciranda.environment import revisions
from ciranda.kernel import clock, errors, events, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.project.notify import SEVERITIES

sql = statements.load("ciranda.feedback")

LONGEST_TITLE, LONGEST_TEXT = 200, 1 << 18  # characters of a title or note; of a review
NEWEST = 1 << 62  # a number that none reaches


@dataclass(frozen=True, slots=True)
class Incident:
    """A time in which something was wrong in an environment (`service` "": in all of it). Times are µs UTC."""

    id: str
    project: str
    number: int
    environment: str
    service: str
    title: str
    severity: str
    owner: str
    origin: str  # what the alerts of one incident have in common; "": opened by hand
    state: Literal["open", "resolved"]
    opened_by: str
    started_us: int  # when it began to be wrong, as far as anybody knows
    opened_us: int
    resolved_by: str
    resolved_us: int | None
    reviewed_us: int | None
    review: str

    @property
    def name(self) -> str:
        """What people call it: `incident/3`."""
        return f"incident/{self.number}"


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote down while it went on."""

    at_us: int
    actor: str
    text: str


def open_by_hand(
    tx: Transaction,
    project: str,
    environment: str,
    title: str,
    *,
    actor: str,
    service: str = "",
    severity: str = "page",
    owner: str = "",
    started_us: int | None = None,
) -> Incident:
    """Open an incident. Raises errors.NotFound for an environment, errors.Invalid for what it is called or how bad it is."""
    revisions.environment(tx, project, environment)
    if severity not in SEVERITIES:
        raise errors.Invalid(f"{severity!r} is not how bad an incident can be", hint=f"one of {', '.join(SEVERITIES)}")
    now_us = clock.now_us()
    if started_us is not None and started_us > now_us:
        raise errors.Invalid("an incident cannot have begun in the future", hint="--since 10m: ten minutes ago")
    return insert(
        tx, project, environment, checked(title, "title"), actor=actor, service=service, severity=severity, owner=owner,
        started_us=started_us or now_us,
    )  # fmt: skip


def insert(
    tx: Transaction,
    project: str,
    environment: str,
    title: str,
    *,
    actor: str,
    service: str,
    severity: str,
    owner: str,
    started_us: int,
    origin: str = "",
    cause: str | None = None,
) -> Incident:
    """Write an incident with its event; `cause`: the identity of the event that led to it."""
    last = tx.one(sql.last_incident, project=project)
    number = int(last["number"]) + 1 if last else 1
    tx.execute(
        sql.insert_incident, id=clock.uuid7(), project=project, number=number, environment=environment, service=service,
        title=title, severity=severity, owner=owner, origin=origin, opened_by=actor, started_us=started_us,
        opened_us=clock.now_us(),
    )  # fmt: skip
    made = get(tx, project, number)
    _event(tx, made, "incident.opened", actor, {"since_us": started_us}, cause=cause)
    return made


def note(tx: Transaction, project: str, number: int, text: str, *, actor: str) -> Incident:
    """Write something down. Raises errors.NotFound, errors.Invalid."""
    found = get(tx, project, number)
    add_note(tx, found, checked(text, "note"), actor=actor)
    return found


def add_note(tx: Transaction, found: Incident, text: str, *, actor: str) -> None:
    """Write something down in an incident that is there."""
    tx.execute(sql.insert_note, id=clock.uuid7(), incident=found.id, at_us=clock.now_us(), actor=actor, text=text)
    _event(tx, found, "incident.noted", actor, {"text": text})


def resolve(tx: Transaction, project: str, number: int, text: str, *, actor: str) -> Incident:
    """Say that it is over. Raises errors.NotFound, errors.Refused when it was before."""
    found = get(tx, project, number)
    if text:
        add_note(tx, found, checked(text, "note"), actor=actor)
    if not tx.execute(sql.resolve_incident, project=project, number=number, actor=actor, at_us=clock.now_us()):
        raise errors.Refused(
            f"{found.name} is over already: {found.resolved_by} said so", hint=f"ciranda incident show {number}"
        )
    _event(tx, found, "incident.resolved", actor, {})
    return get(tx, project, number)


def worsen(tx: Transaction, found: Incident, severity: str) -> None:
    """A worse alert of the same group makes it worse; nothing makes it better but people."""
    if SEVERITIES.index(severity) > SEVERITIES.index(found.severity):
        tx.execute(sql.raise_incident, id=found.id, severity=severity)


def keep_review(tx: Transaction, project: str, number: int, text: str, *, actor: str) -> Incident:
    """Keep what a review says. Raises errors.NotFound, errors.Invalid for one that is empty or too long."""
    found = get(tx, project, number)
    if not text.strip() or len(text) > LONGEST_TEXT:
        said = "is empty" if not text.strip() else f"has more than {LONGEST_TEXT:,} characters"
        raise errors.Invalid(f"the review of {found.name} {said}", hint=f"a draft: ciranda incident review {number}")
    tx.execute(sql.review_incident, project=project, number=number, review=text, at_us=clock.now_us())
    if found.review != text:
        _event(tx, found, "incident.reviewed", actor, {})
    return get(tx, project, number)


def get(database: Database | Transaction, project: str, number: int) -> Incident:
    """One incident. Raises errors.NotFound."""
    row = database.one(sql.incident_by_number, project=project, number=number) if number < NEWEST else None
    if row is None:
        raise errors.NotFound(f"{project} has no incident {number}", hint="what there is: ciranda incident list")
    return Incident(**row)


def of_origin(tx: Transaction, project: str, origin: str) -> Incident | None:
    """The open incident of a group of alerts."""
    row = tx.one(sql.incident_of_origin, project=project, origin=origin)
    return None if row is None else Incident(**row)


def listing(
    database: Database, project: str, *, unresolved: bool = False, before: int = NEWEST, most: int = 50
) -> list[Incident]:
    """The newest first."""
    rows = database.query(sql.incidents, project=project, open=int(unresolved), before=before, most=most)
    return [Incident(**row) for row in rows]


def since(database: Database, project: str, environment: str, since_us: int, until_us: int) -> list[Incident]:
    """Those of an environment that began in a time."""
    rows = database.query(
        sql.incidents_since, project=project, environment=environment, since_us=since_us, until_us=until_us
    )
    return [Incident(**row) for row in rows]


def notes(database: Database | Transaction, incident: str) -> list[Note]:
    """What was written down, the first one first."""
    return [Note(**row) for row in database.query(sql.notes, incident=incident)]


def checked(text: str, what: str) -> str:
    """One line that can be read. Raises errors.Invalid."""
    line = " ".join(text.split())
    if not line or len(line) > LONGEST_TITLE * (1 if what == "title" else 10) or not line.isprintable():
        most = LONGEST_TITLE * (1 if what == "title" else 10)
        raise errors.Invalid(f"this is no {what}", hint=f"a line of 1 to {most:,} characters")
    return line


def _event(
    tx: Transaction, one: Incident, kind: str, actor: str, more: Mapping[str, Any], cause: str | None = None
) -> None:
    body = {
        "environment": one.environment, "number": one.number, "title": one.title, "severity": one.severity,
        "service": one.service, "owner": one.owner,
    }  # fmt: skip
    place = f"{one.project}/{one.environment}"
    events.append(tx, chain=one.project, kind=kind, subject=place, actor=actor, cause=cause, body={**body, **more})
