"""A change whose checks leave a question to a person (`when_unsure = "ask"`): who may let it in, and what that is bound to."""

from typing import Any

from ciranda.checks import verdicts
from ciranda.kernel import digest, errors, events
from ciranda.kernel.database import Database, Transaction
from ciranda.loop import changes
from ciranda.loop.changes import Change

CHANGE = "change/"  # before the project and the number of a change, where a plan's digest may stand too


def named(project: str, given: str) -> str:
    """`change/7` with its project, unless it names one itself, as `parse` reads it. Raises errors.Usage."""
    name = given.removeprefix(CHANGE)
    whole = given if "/" in name else f"{CHANGE}{project}/{name}"
    parse(whole)
    return whole


def parse(name: str) -> tuple[str, int]:
    """The project and the number that `change/flights/7` names. Raises errors.Usage."""
    project, _, number = name.removeprefix(CHANGE).rpartition("/")
    if not project or not number.isdecimal() or len(number) > 18:
        raise errors.Usage(f'"{name}" names no change', hint="ciranda approve change/N, in its project")
    return project, int(number)


def asked(database: Database | Transaction, change: Change) -> list[dict[str, Any]]:
    """The verdicts of a change that are left to a person."""
    return [verdict for verdict in verdicts.of(database, change.id) if verdict["judgement"] == "ask"]


def approve(tx: Transaction, project: str, number: int, *, actor: str) -> Change:
    """Let a change in that waits for a person; it goes on as one whose gate is green.

    The approval is of this head and of these verdicts: a change that is judged again asks again. Raises errors.NotFound,
    errors.Refused when nothing is asked of it.
    """
    change = changes.numbered(tx, project, number)
    if change.state != "asking":
        raise errors.Refused(
            f"change {number} of {project} waits for nobody: it is {change.state}", hint="what waits: ciranda status"
        )
    questions = asked(tx, change)
    changes.move(tx, change, "passed")
    events.append(
        tx,
        chain=change.project,
        kind="change.approved",
        subject=change.id,
        actor=actor,
        body={
            "number": change.number,
            "head": change.head,
            "checks": [verdict["check"] for verdict in questions],
            "verdicts": digest.of("object", verdicts.of(tx, change.id)),
        },
    )
    return change
