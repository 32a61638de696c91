"""A durable queue. A task is something that some process should do once.

Its lease says until when the process that took it may be believed alive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ciranda.kernel import clock, digest, errors, statements
from ciranda.kernel.database import Database, Transaction

sql = statements.load("ciranda.kernel")


@dataclass(frozen=True, slots=True)
class Task:
    """A task as one worker has claimed it."""

    id: str
    kind: str
    subject: str
    body: dict[str, Any]
    worker: str
    fence: int  # grows with each claim: what an earlier holder does afterwards is refused
    lease_us: int
    attempts: int


@dataclass(frozen=True, slots=True)
class State:
    """Where a task stands."""

    state: Literal["waiting", "claimed", "done", "failed"]
    worker: str | None
    attempts: int
    result: dict[str, Any] | None


def put(tx: Transaction, *, kind: str, subject: str, body: Mapping[str, Any]) -> str:
    """Add a task and return its id; if one of this kind and subject is unfinished, that one's."""
    task = clock.uuid7()
    if tx.execute(sql.insert_task, id=task, kind=kind, subject=subject, body=digest.canonical(dict(body)).decode()):
        return task
    found = tx.one(sql.unfinished_task, kind=kind, subject=subject)
    assert found is not None
    return str(found["id"])


def get(database: Database | Transaction, id: str) -> State:
    """Where a task stands. Raises errors.NotFound."""
    row = database.one(sql.task, id=id)
    if row is None:
        raise errors.NotFound(f"there is no task {id}")
    result = None if row["result"] is None else digest.parse(row["result"].encode())
    return State(row["state"], row["worker"], row["attempts"], result)


def claim(database: Database, *, worker: str, kinds: Sequence[str], lease: float) -> Task | None:
    """Take the oldest task of these kinds that nobody holds, for `lease` seconds. None: there is none."""
    if not any(database.one(sql.free_task, kind=kind, now=clock.now_us()) for kind in kinds):
        return None  # nobody's turn to write is taken for a mere look

    def work(tx: Transaction) -> dict[str, Any] | None:
        now = clock.now_us()
        free = [row["id"] for kind in kinds if (row := tx.one(sql.free_task, kind=kind, now=now))]
        return tx.one(sql.claim_task, id=min(free), worker=worker, until=now + int(lease * 1e6)) if free else None

    row = database.write(work)
    return None if row is None else Task(**{**row, "body": digest.parse(row["body"].encode())})


def renew(database: Database, task: Task, lease: float) -> bool:
    """Hold a task for `lease` seconds from now. False: it is lost, somebody else may have it."""
    until = clock.now_us() + int(lease * 1e6)
    return database.write(lambda tx: tx.execute(sql.renew_task, id=task.id, fence=task.fence, until=until)) == 1


def finish(tx: Transaction, task: Task, *, state: Literal["done", "failed"], result: Mapping[str, Any]) -> None:
    """End a task. Raises errors.Fenced, which undoes the whole transaction, if it is no longer held by this claim."""
    if not tx.execute(
        sql.finish_task, id=task.id, fence=task.fence, state=state, result=digest.canonical(dict(result)).decode()
    ):
        raise errors.Fenced(f"the task {task.kind} {task.subject} was taken over", where=f"task {task.id}")


def release_expired(database: Database) -> int:
    """Let go of the tasks whose lease has ended, and return how many there were."""
    if database.one(sql.expired_tasks, now=clock.now_us()) is None:
        return 0
    return database.write(lambda tx: tx.execute(sql.release_expired_tasks, now=clock.now_us()))


def unfinished(database: Database) -> set[tuple[str, str]]:
    """Kind and subject of every task that is not at its end."""
    return {(row["kind"], row["subject"]) for row in database.query(sql.unfinished_tasks)}


def workers(database: Database) -> list[str]:
    """Who holds tasks now."""
    return [row["worker"] for row in database.query(sql.task_workers)]


def release_held(database: Database, worker: str) -> int:
    """Let go of the tasks of a worker that is known to have ended, and return how many there were."""
    return database.write(lambda tx: tx.execute(sql.release_worker_tasks, worker=worker))


def counts(database: Database) -> dict[tuple[str, str], int]:
    """How many tasks there are, by kind and state."""
    return {(row["kind"], row["state"]): int(row["tasks"]) for row in database.query(sql.task_counts)}


@dataclass(frozen=True, slots=True)
class Taken:
    """A task that a worker has taken, or gave up after several tries. `lease_us`: until when its worker may be believed alive."""

    id: str
    kind: str
    subject: str
    attempts: int
    worker: str = ""
    lease_us: int = 0


def held(database: Database) -> list[Taken]:
    """What is taken and not ended, oldest first."""
    return [Taken(**row) for row in database.query(sql.held_tasks)]


def given_up(database: Database, since: str) -> list[Taken]:
    """The newest tasks that failed after several tries; `since` is the beginning of an identity (clock.uuid7)."""
    return [Taken(**row) for row in database.query(sql.given_up_tasks, since=since)]
