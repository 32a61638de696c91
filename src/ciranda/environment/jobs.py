"""Jobs of environments in the ledger: which there are, and their runs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ciranda.kernel import clock, digest, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.project import cron
from ciranda.release import manifest

sql = statements.load("ciranda.environment", "jobs.sql")

_UTC = cron.Cron("", "* * * * *", "UTC")  # the clock of what has no schedule
State = Literal["waiting", "running", "passed", "failed", "skipped"]
Cause = Literal["schedule", "caught up", "by hand"]


@dataclass(frozen=True, slots=True)
class Place:
    """What is live in an environment: its revision and release (identities in the ledger), and since when (µs)."""

    project: str
    environment: str
    revision: str
    release: str
    cause: str
    ended_us: int


@dataclass(frozen=True, slots=True)
class Known:
    """A job of what is live in an environment. `since_us`: since when it is there with its schedule."""

    project: str
    environment: str
    name: str
    job: manifest.Job
    since_us: int
    late_us: int | None = None

    @property
    def schedule(self) -> cron.Cron | None:
        """What queues it here; None: it runs by hand alone."""
        if self.job.schedule is None or self.environment not in self.job.environments:
            return None
        return cron.parse(self.job.schedule)


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a job: an occurrence of its schedule, or once by hand. `release`, `revision` and `run` (of the pipeline) are
    identities in the ledger; times are µs."""

    id: str
    project: str
    environment: str
    job: str
    due_us: int
    cause: Cause
    actor: str
    state: State
    attempt: int
    retry_us: int | None
    task: str | None
    release: str | None
    revision: str | None
    run: str | None
    reason: str
    queued_us: int
    started_us: int | None
    ended_us: int | None

    @property
    def seconds(self) -> float | None:
        """How long its last try took."""
        if self.started_us is None or self.ended_us is None:
            return None
        return max(0.0, (self.ended_us - self.started_us) / 1e6)


@dataclass(frozen=True, slots=True)
class Listed:
    """A job as people see it. `next_at` and `now_at` are on the clock of its schedule ("2026-11-23 05:00 -03"), `last_days` the
    midnights on it since the last run ended; `late_us` is the occurrence whose output is not there though it should be."""

    environment: str
    name: str
    run: tuple[str, ...]
    owner: str
    schedule: str | None
    ready_by: str | None
    next_us: int | None
    next_at: str
    now_at: str
    active: Run | None
    last: Run | None
    last_days: int
    late_us: int | None

    @property
    def stirs(self) -> bool:
        """Whether there is anything to say of it: it has a schedule here, or it ran."""
        return self.schedule is not None or self.active is not None or self.last is not None


def places(database: Database | Transaction) -> list[Place]:
    """What is live in every environment of the home."""
    return [Place(**row) for row in database.query(sql.places)]


def known(database: Database | Transaction, project: str = "", environment: str = "") -> list[Known]:
    """The jobs of every environment, of a project's, or of one."""
    rows = database.query(sql.known_jobs, project=project, environment=environment)
    return [
        Known(**{name: value for name, value in row.items() if name != "body"}, job=_job(row["body"])) for row in rows
    ]


def learn(tx: Transaction, place: Place, jobs: Mapping[str, manifest.Job]) -> bool:
    """Know the jobs of what is live somewhere now; True when something changed. Those whose schedule stays keep their time."""
    before = {one.name: one for one in known(tx, place.project, place.environment)}
    changed = False
    for name in before.keys() - jobs.keys():
        where = {"project": place.project, "environment": place.environment, "name": name}
        tx.execute(sql.forget_job, **where)
        tx.execute(sql.forget_next_try, now_us=clock.now_us(), **where)
        changed = True
    for name, job in jobs.items():
        old = before.get(name)
        if old is not None and old.job == job:
            continue
        same = old is not None and (old.job.schedule, old.job.environments) == (job.schedule, job.environments)
        tx.execute(
            sql.learn_job, project=place.project, environment=place.environment, name=name,
            body=digest.canonical(asdict(job)).decode(),
            since_us=old.since_us if old is not None and same else place.ended_us,
        )  # fmt: skip
        changed = True
    return changed


def get(database: Database | Transaction, run: str) -> Run | None:
    """One run of a job by its identity."""
    row = database.one(sql.job_run, id=run)
    return None if row is None else Run(**row)


def active(database: Database | Transaction, project: str = "") -> dict[tuple[str, str, str], Run]:
    """What waits or runs now, by project, environment and job; never two of one."""
    found = (Run(**row) for row in database.query(sql.active_job_runs, project=project))
    return {(run.project, run.environment, run.job): run for run in found}


def lasts(
    database: Database | Transaction, project: str = ""
) -> dict[tuple[str, str, str], tuple[int | None, int | None]]:
    """Of each job the last occurrence that has a row, and when what passed last was due."""
    rows = database.query(sql.last_job_runs, project=project)
    return {(row["project"], row["environment"], row["job"]): (row["due_us"], row["passed_us"]) for row in rows}


def history(database: Database | Transaction, project: str, environment: str, job: str, most: int = 10) -> list[Run]:
    """The runs of a job in an environment, newest first."""
    rows = database.query(sql.job_history, project=project, environment=environment, job=job, most=most)
    return [Run(**row) for row in rows]


def insert(
    tx: Transaction,
    one: Known,
    *,
    run: str,
    due_us: int,
    cause: Cause,
    actor: str,
    task: str | None,
    state: State = "waiting",
    reason: str = "",
) -> bool:
    """Write a run of a job; False when its occurrence has a row already, or, unless it is skipped, another run goes on."""
    now_us = clock.now_us()
    ended_us = now_us if state == "skipped" else None
    return bool(
        tx.execute(
            sql.insert_job_run, id=run, project=one.project, environment=one.environment, job=one.name, due_us=due_us,
            cause=cause, actor=actor, state=state, task=task, reason=reason, now_us=now_us, ended_us=ended_us,
        )
    )  # fmt: skip


def begin(tx: Transaction, run: Run, *, task: str, release: str, revision: str) -> bool:
    """It runs now; False when it is not this task's any more."""
    found = tx.execute(
        sql.begin_job_run, id=run.id, task=task, release=release, revision=revision, now_us=clock.now_us()
    )
    return bool(found)


def end(
    tx: Transaction, run: Run, state: Literal["passed", "failed", "skipped"], *, reason: str = "", of: str | None = None
) -> bool:
    """The end of a run; `of` is the pipeline's run. False when it had ended."""
    return bool(tx.execute(sql.end_job_run, id=run.id, state=state, reason=reason, run=of, now_us=clock.now_us()))


def put_off(tx: Transaction, run: Run, *, until_us: int, reason: str, of: str | None = None) -> bool:
    """It failed and is tried again at `until_us`."""
    return bool(tx.execute(sql.put_off_job_run, id=run.id, retry_us=until_us, reason=reason, run=of))


def requeue(tx: Transaction, run: Run, task: str) -> bool:
    """Its next try is queued; False when it was already."""
    return bool(tx.execute(sql.requeue_job_run, id=run.id, task=task))


def reopen(tx: Transaction, run: Run, task: str, actor: str) -> bool:
    """A run that failed is tried again, as somebody wants it; False when it has not failed."""
    return bool(tx.execute(sql.reopen_job_run, id=run.id, task=task, actor=actor))


def mark_late(tx: Transaction, one: Known, due_us: int) -> bool:
    """Remember that an occurrence was told to be late; False when it was before."""
    marked = tx.execute(sql.mark_late, project=one.project, environment=one.environment, name=one.name, due_us=due_us)
    return bool(marked)


def overdue(one: Known, passed_us: int | None, now_us: int) -> int | None:
    """The occurrence whose output should have been there by now and is not; None: nothing is late. Pure."""
    schedule = one.schedule
    if schedule is None or one.job.ready_by is None:
        return None
    ready_us = schedule.until(now_us, one.job.ready_by)
    due_us = schedule.latest(one.since_us, ready_us - 1)
    return None if due_us is None or (passed_us is not None and passed_us >= due_us) else due_us


def listing(database: Database, project: str, environment: str = "", *, now_us: int | None = None) -> list[Listed]:
    """The jobs of a project, or of one environment: next due, what goes on, how the last one ended, what is late."""
    now_us = clock.now_us() if now_us is None else now_us
    running, before = active(database, project), lasts(database, project)
    found = []
    for one in known(database, project, environment):
        key = (one.project, one.environment, one.name)
        row = database.one(sql.last_ended_job_run, project=project, environment=one.environment, job=one.name)
        schedule, last = one.schedule, None if row is None else Run(**row)
        shown = schedule or _UTC
        next_us = None if schedule is None else schedule.after(now_us)
        ended_us = now_us if last is None or last.ended_us is None else last.ended_us
        found.append(
            Listed(
                environment=one.environment,
                name=one.name,
                run=one.job.run,
                owner=one.job.owner,
                schedule=one.job.schedule if schedule is not None else None,
                ready_by=one.job.ready_by if schedule is not None else None,
                next_us=next_us,
                next_at="" if next_us is None else shown.said(next_us),
                now_at=shown.said(now_us),
                active=running.get(key),
                last=last,
                last_days=(shown.clock(now_us).date() - shown.clock(ended_us).date()).days,
                late_us=overdue(one, before.get(key, (None, None))[1], now_us),
            )
        )
    return found


def _job(body: str) -> manifest.Job:
    kept: dict[str, Any] = json.loads(body)
    return manifest.Job(**kept | {"run": tuple(kept["run"]), "environments": tuple(kept["environments"])})
