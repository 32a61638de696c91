"""Rollouts in the ledger: each step is a row that is written before the routes follow it, with its event in the same transaction."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ciranda.environment import revisions
from ciranda.environment.revisions import Revision
from ciranda.environment.rollout import progress, steps
from ciranda.environment.rollout.progress import ENDED, KeepRollout, Progress
from ciranda.kernel import clock, digest, errors, events, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.project import rollout as rules_of
from ciranda.project.rollout import Rollout
from ciranda.release import releases

sql = statements.load("ciranda.environment", "rollout.sql")
moves = statements.load("ciranda.environment")


@dataclass(frozen=True, slots=True)
class Row:
    """A rollout as the ledger has it. `against` is the release (its identity) that was live; `going` while the target is one."""

    revision: str
    against: str
    rules: Rollout
    progress: Progress
    going: bool
    ended_us: int | None

    @property
    def weight(self) -> int:
        """The percent of the requests that the release gets, or had last."""
        return self.rules.steps[min(self.progress.step, len(self.rules.steps) - 1)]


def find(database: Database | Transaction, revision: str) -> Row | None:
    """The rollout of a revision (its identity); None before it begins, and where there is none. Raises errors.Corrupt."""
    row = database.one(sql.rollout, revision=revision)
    return None if row is None else _row(row)


def history(database: Database | Transaction, project: str, environment: str, most: int = 1) -> list[Row]:
    """The rollouts of an environment, newest first."""
    rows = database.query(sql.rollouts, project=project, environment=environment, most=most)
    return [_row(row) for row in rows]


def begin(tx: Transaction, target: Revision, against: str, first: Progress, *, actor: str) -> None:
    """Record the first step; safe to repeat. What only another scale has interrupted goes on where it was."""
    carried = tx.one(
        sql.carried_on, project=target.project, environment=target.environment, number=target.number - 1,
        release=target.release, config=_text(_config(target)), secrets=_text(target.secrets),
    )  # fmt: skip
    made = first
    if carried is not None and carried["against"] == against and carried["state"] not in ENDED:
        made = replace(_progress(carried), stepped_us=first.stepped_us)
    new = tx.execute(sql.insert_rollout, revision=target.id, against=against, began_us=made.began_us, **_columns(made))
    if new and target.rollout is not None:
        percent = steps.weight(target.rollout, made)
        _tell(tx, target, against, "began", made, percent, actor=actor)


def keep(tx: Transaction, kept: KeepRollout, *, actor: str) -> bool:
    """Record what follows from a look, with its event; False when somebody was faster, so that it is decided anew."""
    was = kept.before
    done = tx.execute(
        sql.keep_rollout, revision=kept.revision, was=was.state, was_step=was.step, was_stepped_us=was.stepped_us,
        **_columns(kept.after),
    )  # fmt: skip
    if done and kept.fact:
        target = revisions.by_id(tx, kept.revision)
        row = find(tx, kept.revision)
        against = "" if row is None else row.against
        _tell(tx, target, against, kept.fact, kept.after, kept.weight, actor=actor)
        if kept.fact == "failed":
            tx.execute(moves.mark_bad, project=target.project, environment=target.environment, release=target.release)
    return bool(done)


def pause(tx: Transaction, project: str, environment: str, *, actor: str) -> Row:
    """Let the shares stand until somebody lets them go on; a release that is worse goes back all the same.

    Raises errors.NotFound, errors.Refused.
    """
    target, row = _going(tx, project, environment)
    if row.progress.state == "paused":
        raise errors.Refused(
            f"the rollout of {environment} is paused already",
            hint=f"let it go on: ciranda rollout resume -e {environment}",
        )
    after = replace(row.progress, state="paused", actor=actor, reason=f"paused by {actor}")
    return _said(tx, target, row, after, row.weight, "paused", actor)


def resume(tx: Transaction, project: str, environment: str, *, actor: str) -> Row:
    """Let a paused rollout go on, or one that waits take its next step by a person's word. Raises errors.NotFound, errors.Refused."""
    target, row = _going(tx, project, environment)
    now = row.progress
    if now.state == "waiting":
        after = steps.stepped(
            target.id, row.rules, now, now, clock.now_us(), f"let on by {actor}: {now.reason}", actor
        ).after
        return _said(tx, target, row, after, row.rules.steps[after.step], "resumed", actor)
    if now.state != "paused":
        raise errors.Refused(
            f"the rollout of {environment} goes on: nothing is paused", hint=f"see: ciranda rollout -e {environment}"
        )
    after = replace(now, state="running", actor=actor, reason="", stepped_us=clock.now_us())
    return _said(tx, target, row, after, row.weight, "resumed", actor)


def abort(tx: Transaction, project: str, environment: str, *, actor: str, reason: str = "") -> Row:
    """Take all requests back to what was live. Raises errors.NotFound, errors.Refused."""
    target, row = _going(tx, project, environment)
    why = f"aborted by {actor}{f': {reason}' if reason else ''}"
    after = replace(row.progress, state="aborted", actor=actor, reason=why)
    return _said(tx, target, row, after, row.weight, "aborted", actor)


def _going(tx: Transaction, project: str, environment: str) -> tuple[Revision, Row]:
    """The rollout that goes on. Raises errors.NotFound for an environment, errors.Refused where none does."""
    revisions.environment(tx, project, environment)
    target = revisions.current_target(tx, project, environment)
    row = None if target is None else find(tx, target.id)
    if target is None or row is None or row.progress.state in ENDED:
        raise errors.Refused(
            f"no rollout goes on in {environment} of {project}", hint=f"see: ciranda status -e {environment}"
        )
    return target, row


def _said(tx: Transaction, target: Revision, row: Row, after: Progress, weight: int, fact: str, actor: str) -> Row:
    """What a person said, as a row and an event."""
    was = row.progress
    tx.execute(
        sql.keep_rollout, revision=target.id, was=was.state, was_step=was.step, was_stepped_us=was.stepped_us,
        **_columns(after),
    )  # fmt: skip
    _tell(tx, target, row.against, fact, after, weight, actor=actor)
    return replace(row, progress=after)


def _tell(
    tx: Transaction, target: Revision, against: str, fact: str, now: Progress, weight: int, *, actor: str
) -> None:
    live = releases.by_id(tx, against).name if against else ""
    body = {
        "environment": target.environment,
        "number": target.number,
        "release": target.release,
        "name": releases.by_id(tx, target.release).name,
        "against": live,
        "weight": weight,
        "reason": now.reason,
        "services": {name: told(one) for name, one in now.services.items()},
    }
    events.append(tx, chain=target.project, kind=f"rollout.{fact}", subject=target.id, actor=actor, body=body)


def told(one: progress.Watched) -> dict[str, Any]:
    """What was counted of one service and what the judge says of it, as JSON values."""
    found = one.judgement
    return {
        "canary": {"requests": one.canary.total.requests, "errors": one.canary.total.errors},
        "control": {"requests": one.control.total.requests, "errors": one.control.total.errors},
        "outcome": found.outcome,
        "reason": found.reason,
        "evidence": [evidence_told(each) for each in found.evidence],
    }


def evidence_told(each: Any) -> dict[str, Any]:
    """A piece of evidence as JSON values."""
    return {name: getattr(each, name) for name in ("name", "canary", "control", "bound", "spent", "text")}


def _columns(now: Progress) -> dict[str, Any]:
    return {
        "state": now.state,
        "step": now.step,
        "actor": now.actor,
        "reason": now.reason,
        "ways": now.ways,
        "services": _text(progress.services_document(now.services)),
        "stepped_us": now.stepped_us,
        "looked_us": now.looked_us,
        "ended_us": now.looked_us if now.state in ENDED else None,
    }


def _row(row: Mapping[str, Any]) -> Row:
    rules = rules_of.of_document(json.loads(row["rules"])) or Rollout()
    return Row(
        row["revision"], row["against"], rules, _progress(row), row["revision_state"] == "target", row["ended_us"]
    )


def _progress(row: Mapping[str, Any]) -> Progress:
    return Progress(
        row["state"], row["step"], row["began_us"], row["stepped_us"], row["looked_us"],
        progress.read_services(json.loads(row["services"])), row["actor"], row["reason"], row["ways"],
    )  # fmt: skip


def _config(target: Revision) -> dict[str, Any]:
    return {name: {"value": one.value, "layer": one.layer} for name, one in target.config.items()}


def _text(value: Mapping[str, Any]) -> str:
    return digest.canonical(value).decode()
