"""Runs: what Terraform was asked to do for an environment, by whom, and what came of it; each has a password of its own."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any, Literal

from ciranda.environment import times
from ciranda.kernel import clock, digest, errors, statements, tasks
from ciranda.kernel.database import Database, Transaction

sql = statements.load("ciranda.environment", "infra.sql")
TASK = "infra"  # the kind of its task
Kind = Literal["plan", "apply", "drift"]


@dataclass(frozen=True, slots=True)
class Run:
    """`destroy`: it takes everything away; `began_us`: since when it changes things; `serial` of the state that it left."""

    id: str
    project: str
    environment: str
    kind: Kind
    destroy: bool
    question: str
    release: str  # release.id
    revision: str | None
    plan: str | None
    actor: str
    state: Literal["waiting", "running", "done", "failed"]
    task: str | None
    token: str = field(repr=False)
    began_us: int | None
    serial: int | None
    reason: str
    body: Mapping[str, Any]
    queued_us: int
    ended_us: int | None

    @property
    def over(self) -> bool:
        """It is at its end."""
        return self.state in ("done", "failed")


def get(database: Database | Transaction, id: str) -> Run:
    """One run. Raises errors.NotFound."""
    row = database.one(sql.run, id=id)
    if row is None:
        raise errors.NotFound(f"there is no run {id} of infrastructure", hint="what there is: ciranda infra history")
    return _run(row)


def history(database: Database | Transaction, project: str, environment: str, most: int = 20) -> list[Run]:
    """What was done in an environment, newest first."""
    return [_run(row) for row in database.query(sql.runs, project=project, environment=environment, most=most)]


def changing(database: Database | Transaction, project: str, environment: str) -> Run | None:
    """What changes an environment's infrastructure, or is about to."""
    row = database.one(sql.changing_run, project=project, environment=environment)
    return None if row is None else _run(row)


def asked(database: Database | Transaction, project: str, environment: str, kind: Kind, question: str) -> Run | None:
    """The newest run that asked a question, whatever came of it."""
    row = database.one(sql.last_asked, project=project, environment=environment, kind=kind, question=question)
    return None if row is None else _run(row)


def look(
    tx: Transaction, project: str, environment: str, kind: Literal["plan", "drift"], question: str, *, release: str, actor: str,
    destroy: bool = False,
) -> Run:  # fmt: skip
    """Ask Terraform something; who asks what is being asked already gets that one."""
    made = _insert(tx, project, environment, kind, question, release=release, actor=actor, destroy=destroy)
    if made is not None:
        queue(tx, made)
        return made
    row = tx.one(sql.looking_run, project=project, environment=environment, kind=kind, question=question)
    assert row is not None
    return _run(row)


def change(
    tx: Transaction, project: str, environment: str, question: str, *, release: str, plan: str, revision: str | None, actor: str,
    destroy: bool = False, later: bool = False,
) -> Run:  # fmt: skip
    """Have a plan applied. `later`: it waits until its revision is reached. Raises errors.Refused while another one is."""
    made = _insert(
        tx,
        project,
        environment,
        "apply",
        question,
        release=release,
        actor=actor,
        destroy=destroy,
        plan=plan,
        revision=revision,
    )
    if made is None:
        refuse_busy(tx, project, environment)
        raise errors.NotYet(f"the infrastructure of {environment} is being changed")
    if not later:
        queue(tx, made)
    return made


def refuse_busy(database: Database | Transaction, project: str, environment: str) -> None:
    """Raises errors.Refused while an environment's infrastructure is being changed."""
    there = changing(database, project, environment)
    if there is not None:
        raise errors.Refused(
            f"the infrastructure of {environment} is being changed since {times.said(there.queued_us)} for {there.actor}",
            hint=f"see: ciranda infra history -e {environment}",
        )


def unqueued(database: Database) -> list[tuple[Run, str | None]]:
    """Runs that wait for their turn, each with the state of its revision."""
    rows = database.query(sql.unqueued_runs)
    return [
        (_run({name: row[name] for name in row if name != "revision_state"}), row["revision_state"]) for row in rows
    ]


def queue(tx: Transaction, run: Run) -> None:
    """Its turn has come."""
    task = tasks.put(tx, kind=TASK, subject=run.id, body={})
    tx.execute(sql.queue_run, id=run.id, task=task)


def start(database: Database, run: Run) -> str:
    """It runs; returns the password by which its Terraform is known until it ends."""
    password = os.urandom(32).hex()
    database.write(lambda tx: tx.execute(sql.start_run, id=run.id, token=_digest(password)))
    return password


def begin(tx: Transaction, run: Run) -> None:
    """From here on things change: whoever takes it up after a crash must look before it does anything."""
    tx.execute(sql.begin_run, id=run.id, at_us=clock.now_us())


def end(
    tx: Transaction,
    run: Run,
    state: Literal["done", "failed"],
    *,
    reason: str = "",
    plan: str | None = None,
    serial: int | None = None,
    body: Mapping[str, Any] | None = None,
) -> bool:
    """The end of a run; False when it had ended before. Its password is worth nothing from here on."""
    return bool(
        tx.execute(
            sql.end_run, id=run.id, state=state, plan=plan, serial=serial, reason=reason, at_us=clock.now_us(),
            body=digest.canonical(dict(body or {})).decode(),
        )
    )  # fmt: skip


def known(database: Database, project: str, environment: str, user: str, password: str) -> Run | None:
    """The run that has this name and password, as long as it runs, and for its own environment alone."""
    row = database.one(sql.run, id=user)
    if row is None or not row["token"] or not compare_digest(row["token"], _digest(password)):
        return None
    return (
        _run(row) if (row["project"], row["environment"], row["state"]) == (project, environment, "running") else None
    )


def _insert(
    tx: Transaction, project: str, environment: str, kind: Kind, question: str, *, release: str, actor: str, destroy: bool,
    plan: str | None = None, revision: str | None = None,
) -> Run | None:  # fmt: skip
    name = clock.uuid7()
    made = tx.execute(
        sql.insert_run, id=name, project=project, environment=environment, kind=kind, destroy=int(destroy), question=question,
        release=release, revision=revision, plan=plan, actor=actor, queued_us=clock.now_us(),
    )  # fmt: skip
    return get(tx, name) if made else None


def _digest(password: str) -> str:
    return digest.digest("token", password.encode())


def _run(row: Mapping[str, Any]) -> Run:
    return Run(**{**row, "destroy": bool(row["destroy"]), "body": json.loads(row["body"])})
