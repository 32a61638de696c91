"""Reactions in the ledger: each answer of a rule to an event is a row and an event of its own."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.feedback.reactions.decide import Decision, State
from ciranda.feedback.reactions.rule import Rule
from ciranda.kernel import clock, errors, events, statements
from ciranda.kernel.database import Database, Transaction

sql = statements.load("ciranda.feedback.reactions")
_FIRST: Mapping[str, State] = {"act": "acting", "ask": "asking", "skip": "skipped"}


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a rule did about an event. `led` is what came of it: ("change" | "run" | "revision", identity)."""

    id: str
    project: str
    number: int
    environment: str
    event: str  # the identity of what it answers to
    rule: Rule
    what: str  # what happened, in a sentence
    state: State
    why: str
    asked: bool
    actor: str  # who approved or declined it
    led: tuple[str, str] | None
    at_us: int
    ended_us: int | None

    @property
    def by(self) -> str:
        """As whom it acts."""
        return f"reaction:{self.rule.name}"

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"led": None if self.led is None else {"kind": self.led[0], "id": self.led[1]}}


def record(
    tx: Transaction, *, project: str, environment: str, rule: Rule, event: events.Event, what: str, decision: Decision
) -> None:
    """Keep what a rule answers to an event; once, however often it is asked."""
    state, now = _FIRST[decision.answer], clock.now_us()
    made = tx.execute(
        sql.insert_reaction,
        id=clock.uuid7(),
        project=project,
        environment=environment,
        name=rule.name,
        event=event.id,
        rule=json.dumps(asdict(rule), sort_keys=True),
        what=what,
        state=state,
        why=decision.why,
        asked=int(state == "asking"),
        actor="",
        at_us=now,
        ended_us=now if state == "skipped" else None,
    )
    if made:
        body = {
            "reaction": rule.name, "environment": environment, "on": rule.on, "do": rule.do, "answer": decision.answer,
            "why": decision.why, "what": what,
        }  # fmt: skip
        events.append(
            tx, chain=project, kind="reaction.decided", subject=f"{project}/{environment}", actor=f"reaction:{rule.name}",
            cause=event.id, body=body,
        )  # fmt: skip


def move(
    tx: Transaction, one: Reaction, state: State, *, why: str = "", actor: str = "", led: tuple[str, str] | None = None
) -> bool:
    """A step of a reaction, with its event; False: somebody else took one."""
    ended = None if state in ("asking", "acting") else clock.now_us()
    moved = tx.execute(
        sql.move_reaction, id=one.id, seen=one.state, state=state, why=why or one.why, actor=actor or one.actor,
        led=" ".join(led) if led else "", ended_us=ended,
    )  # fmt: skip
    if moved:
        kind = "reaction.approved" if state == "acting" else f"reaction.{state}"
        body = {"reaction": one.rule.name, "number": one.number, "environment": one.environment, "do": one.rule.do}
        events.append(
            tx, chain=one.project, kind=kind, subject=f"{one.project}/{one.environment}", actor=actor or one.by,
            cause=one.event, body=body | {"why": why or one.why, **({led[0]: led[1]} if led else {})},
        )  # fmt: skip
    return bool(moved)


def numbered(database: Database | Transaction, project: str, number: int) -> Reaction:
    """The reaction of this number. Raises errors.NotFound."""
    row = database.one(sql.reaction_numbered, project=project, number=number)
    if row is None:
        raise errors.NotFound(f"{project} has no reaction {number}", hint="what there is: ciranda reaction list")
    return _reaction(row)


def waiting(database: Database) -> list[Reaction]:
    """Those that wait for a person, or to be acted, oldest first."""
    return [_reaction(row) for row in database.query(sql.reactions_open)]


def of_rule(database: Database | Transaction, project: str, environment: str, name: str) -> list[Reaction]:
    """What a rule did in a place, newest first, without what it let be; at most 100."""
    rows = database.query(sql.reactions_of_rule, project=project, environment=environment, name=name)
    return [_reaction(row) for row in rows]


def listed(database: Database, project: str, environment: str = "", most: int = 20) -> list[Reaction]:
    """The newest of a project, or of one of its environments."""
    rows = database.query(sql.reactions_listed, project=project, environment=environment, most=most)
    return [_reaction(row) for row in rows]


def read_to(database: Database) -> int:
    """The `seq` up to which events have been read."""
    row = database.one(sql.read_to)
    return 0 if row is None else int(row["seq"])


def keep_read(tx: Transaction, seq: int) -> None:
    """Events have been read up to here. What comes twice is known by its event, so this may be late."""
    tx.execute(sql.keep_read, seq=seq)


def _reaction(row: Mapping[str, Any]) -> Reaction:
    kind, _, identity = row["led"].partition(" ")
    return Reaction(
        id=row["id"],
        project=row["project"],
        number=int(row["number"]),
        environment=row["environment"],
        event=row["event"],
        rule=Rule(**json.loads(row["rule"])),
        what=row["what"],
        state=row["state"],
        why=row["why"],
        asked=bool(row["asked"]),
        actor=row["actor"],
        led=(kind, identity) if kind else None,
        at_us=int(row["at_us"]),
        ended_us=None if row["ended_us"] is None else int(row["ended_us"]),
    )
