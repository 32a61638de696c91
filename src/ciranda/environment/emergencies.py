"""Emergencies: a release that entered past what kept it out, with the reason, shown until somebody else has reviewed it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.environment.revisions import Revision
from ciranda.kernel import clock, errors, events, statements
from ciranda.kernel.database import Database, Transaction

PREFIX = "emergency/"  # before a revision, where a plan's digest may stand too
LONGEST = 1000  # characters of a reason

sql = statements.load("ciranda.environment", "people.sql")


@dataclass(frozen=True, slots=True)
class Emergency:
    """One of them. `passed`: what stood in the way; `reviewer` empty: nobody has reviewed it yet."""

    revision: str
    project: str
    environment: str
    number: int
    release: str
    plan: str
    reason: str
    passed: tuple[str, ...]
    actor: str
    at_us: int
    reviewer: str
    note: str
    reviewed_us: int | None

    @property
    def name(self) -> str:
        """`emergency/prod#17`."""
        return f"{PREFIX}{self.environment}#{self.number}"


def checked(reason: str) -> str:
    """The reason of an emergency. Raises errors.Invalid when it says nothing."""
    text = " ".join(reason.split())
    if len(text) < 3 or len(text) > LONGEST:
        raise errors.Invalid("an emergency says why", hint='--emergency "late flights are scored as early"')
    return text


def record(tx: Transaction, made: Revision, *, plan: str, reason: str, passed: Sequence[str], actor: str) -> None:
    """A release entered past what kept it out: the row, and the event by which an incident is opened."""
    new = tx.execute(
        sql.insert_emergency, revision=made.id, project=made.project, environment=made.environment, number=made.number,
        release=made.release, plan=plan, reason=reason, passed=json.dumps(list(passed), ensure_ascii=False), actor=actor,
        at_us=clock.now_us(),
    )  # fmt: skip
    if new:
        body = {
            "environment": made.environment, "number": made.number, "release": made.release, "revision": made.id, "plan": plan,
            "reason": reason, "passed": list(passed),
        }  # fmt: skip
        subject = f"{made.project}/{made.environment}"
        events.append(tx, chain=made.project, kind="emergency.promoted", subject=subject, actor=actor, body=body)


def unreviewed(database: Database | Transaction, project: str, environment: str = "") -> list[Emergency]:
    """What waits for a review, of one environment or of a whole project, the first one first."""
    return [_emergency(row) for row in database.query(sql.unreviewed, project=project, environment=environment)]


def get(database: Database | Transaction, project: str, environment: str, number: int) -> Emergency:
    """The emergency by which a revision came to be. Raises errors.NotFound."""
    row = database.one(sql.emergency, project=project, environment=environment, number=number)
    if row is None:
        raise errors.NotFound(
            f"{environment}#{number} of {project} was no emergency", hint="what waits for a review: ciranda status"
        )
    return _emergency(row)


def recorded(database: Database | Transaction, made: Revision) -> Emergency | None:
    """The emergency by which a revision came to be; None: nothing stood in its way."""
    row = database.one(sql.emergency, project=made.project, environment=made.environment, number=made.number)
    return None if row is None else _emergency(row)


def document(one: Emergency) -> dict[str, Any]:
    """An emergency as JSON values."""
    return {**asdict(one), "passed": list(one.passed), "name": one.name}


def parse(name: str) -> tuple[str, str, int]:
    """Project, environment and number that `emergency/flights/prod#17` names. Raises errors.Usage."""
    place, _, number = name.removeprefix(PREFIX).partition("#")
    project, _, environment = place.rpartition("/")
    if not project or not environment or not number.isdecimal() or len(number) > 18:
        raise errors.Usage(f'"{name}" names no emergency', hint="ciranda approve emergency/prod#17, in its project")
    return project, environment, int(number)


def named(project: str, given: str) -> str:
    """`emergency/prod#17` with its project, unless it names one itself, as `parse` reads it. Raises errors.Usage."""
    name = given.removeprefix(PREFIX)
    whole = given if "/" in name else f"{PREFIX}{project}/{name}"
    parse(whole)
    return whole


def _emergency(row: Mapping[str, Any]) -> Emergency:
    return Emergency(**{**row, "passed": tuple(json.loads(row["passed"]))})
