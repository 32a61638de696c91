"""Which jobs are due: decided from recorded state alone, so that whoever looks, and however often, an occurrence is queued once."""

from collections.abc import Iterable
from dataclasses import dataclass

from ciranda.environment import jobs
from ciranda.environment.jobs import Known, Run
from ciranda.environment.times import SECOND
from ciranda.kernel import clock, errors, events, log, tasks
from ciranda.kernel.database import Transaction
from ciranda.loop import restore
from ciranda.loop.places import Workshop
from ciranda.project import names
from ciranda.release import manifest, releases

GRACE = 60 * SECOND  # µs that an occurrence may be queued after its time before it counts as caught up
FIRST, LONGEST = 30 * SECOND, 3600 * SECOND  # µs before the first next try, and before any


@dataclass(frozen=True, slots=True)
class Seen:
    """A job of an environment as the ledger has it: what goes on, the last occurrence with a row, the last one that passed."""

    known: Known
    active: Run | None = None
    last_us: int | None = None
    passed_us: int | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """Run it for this occurrence; `instead`: a run that only waits for its next try makes room."""

    known: Known
    due_us: int
    cause: jobs.Cause
    instead: Run | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """Do not run it for this occurrence, and say why."""

    known: Known
    due_us: int
    cause: jobs.Cause
    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """The next try of a run that failed."""

    run: Run
    timeout: float


@dataclass(frozen=True, slots=True)
class Late:
    """Tell that the output of an occurrence is not there by its time."""

    known: Known
    due_us: int


Act = Queue | Skip | Again | Late


def decide(seen: Iterable[Seen], now_us: int) -> list[Act]:
    """What has to be done now. Of several occurrences that were missed the latest one is queued. Pure."""
    acts: list[Act] = []
    for one in seen:
        acts += _decide(one, now_us)
    return acts


def next_us(seen: Iterable[Seen], now_us: int) -> int | None:
    """When something is due next; None: nothing is. Pure."""
    moments = []
    for one in seen:
        schedule = one.known.schedule
        if schedule is not None and (due_us := schedule.after(now_us)) is not None:
            moments.append(due_us)
        if one.active is not None and one.active.retry_us is not None:
            moments.append(one.active.retry_us)
    return min(moments, default=None)


def _decide(seen: Seen, now_us: int) -> list[Act]:
    acts: list[Act] = []
    known, active = seen.known, seen.active
    schedule = known.schedule
    due_us = None
    if schedule is not None:
        since_us = max(known.since_us, seen.last_us or 0)
        due_us = schedule.latest(since_us, now_us)
        late_us = jobs.overdue(known, seen.passed_us, now_us)
        if late_us is not None and late_us > (known.late_us or 0):
            acts.append(Late(known, late_us))
    if due_us is not None:
        cause: jobs.Cause = "schedule" if now_us - due_us <= GRACE else "caught up"
        if active is None or active.retry_us is not None:
            return [*acts, Queue(known, due_us, cause, active)]
        return [*acts, Skip(known, due_us, cause, "the run before it was still going")]
    if active is not None and active.retry_us is not None and active.retry_us <= now_us:
        acts.append(Again(active, known.job.timeout))
    return acts


def pause(attempt: int) -> int:
    """µs between a try that failed and the next one: twice as long each time. Pure."""
    return int(min(LONGEST, FIRST * 2 ** min(attempt - 1, 20)))


class Sweep:
    """Looks for what is due. It remembers only which revisions it has read the jobs of."""

    def __init__(self, places: Workshop) -> None:
        self._places = places
        self._read: dict[tuple[str, str], str] = {}

    def look(self) -> int | None:
        """Queue what is due; returns when something is due next (µs)."""
        database = self._places.database
        self.learn()
        seen = look(self._places)
        for act in decide(seen, clock.now_us()):
            database.write(lambda tx, act=act: perform(tx, act))  # type: ignore[misc]
        return next_us(seen, clock.now_us())

    def learn(self) -> None:
        """Know the jobs of what is live, as soon as it is."""
        there = jobs.places(self._places.database)
        for place in there:
            key = (place.project, place.environment)
            if self._read.get(key) == place.revision:
                continue
            try:
                learn(self._places, place)
            except (errors.CirandaError, OSError) as error:
                log.say(f"the jobs of {place.environment} of {place.project} cannot be read: {error}")
                continue
            self._read[key] = place.revision


def learn(places: Workshop, place: jobs.Place) -> None:
    """Read the jobs of what is live in an environment. Raises errors.Corrupt, errors.NotFound for a manifest that is gone."""
    content: dict[str, manifest.Job] = {}
    if place.cause != "destroy":
        content = restore.manifest(places, releases.by_id(places.database, place.release)).jobs
    before = jobs.known(places.database, place.project, place.environment)
    if {one.name: one.job for one in before} != content:
        places.database.write(lambda tx: jobs.learn(tx, place, content))


def look(places: Workshop) -> list[Seen]:
    """Every job of the home as the ledger has it."""
    known = jobs.known(places.database)
    if not known:
        return []
    active, lasts = jobs.active(places.database), jobs.lasts(places.database)
    found = []
    for one in known:
        key = (one.project, one.environment, one.name)
        last_us, passed_us = lasts.get(key, (None, None))
        found.append(Seen(one, active.get(key), last_us, passed_us))
    return found


def perform(tx: Transaction, act: Act) -> None:
    """Do one act; whoever else did it meanwhile wins."""
    match act:
        case Queue(known, due_us, cause, instead):
            if instead is not None:
                _replace(tx, instead)
            _queue(tx, known, due_us=due_us, cause=cause, actor="ciranda")
        case Skip(known, due_us, cause, reason):
            jobs.insert(
                tx, known, run=clock.uuid7(), due_us=due_us, cause=cause, actor="ciranda", task=None, state="skipped",
                reason=reason,
            )  # fmt: skip
        case Again(run, timeout):
            jobs.requeue(tx, run, _task(tx, run.id, timeout))
        case Late(known, due_us):
            if jobs.mark_late(tx, known, due_us):
                body = {"environment": known.environment, "due_us": due_us, "ready_by": known.job.ready_by}
                events.append(tx, chain=known.project, kind="job.late", subject=known.name, actor="ciranda", body=body)


def by_hand(places: Workshop, project: str, environment: str, name: str, *, actor: str) -> Run:
    """Queue a run of a job now.

    Raises errors.NotFound for a job that what is live there does not have, errors.Refused while a run of it goes on.
    """
    one = _find(places, project, environment, name)

    def work(tx: Transaction) -> Run:
        going = _going(tx, one)
        if going is not None:
            _replace(tx, going)
        made = _queue(tx, one, due_us=clock.now_us(), cause="by hand", actor=actor)
        assert made is not None
        return made

    return places.database.write(work)


def retry(places: Workshop, project: str, environment: str, name: str, *, actor: str) -> tuple[Run, int]:
    """Queue the last run of a job again: it goes on from where it failed, since what passed is kept. With it comes where in
    the file of its lines the new try begins (bytes).

    Raises as `by_hand` does, and errors.Refused when the last run has not failed.
    """
    one = _find(places, project, environment, name)

    def work(tx: Transaction) -> tuple[Run, int]:
        going = _going(tx, one)
        if going is not None:  # it waits for its next try, which comes now
            jobs.requeue(tx, going, _task(tx, going.id, one.job.timeout))
            return _now(tx, going), _said(places, going)
        ended = [run for run in jobs.history(tx, project, environment, name) if run.state in ("passed", "failed")]
        if not ended or ended[0].state != "failed":
            said = "has not run yet" if not ended else "did not fail the last time"
            raise errors.Refused(
                f"{name} {said} in {environment}", hint=f"run it: ciranda job run {name} -e {environment}"
            )
        jobs.reopen(tx, ended[0], _task(tx, ended[0].id, one.job.timeout), actor)
        return _now(tx, ended[0]), _said(places, ended[0])

    return places.database.write(work)


def close(
    tx: Transaction, run: Run, *, passed: bool, reason: str = "", of: str | None = None, retries: int = 0
) -> bool:
    """The end of a try, with its event; a try that failed may have another one, `retries` in all. True: it will be tried again."""
    if passed:
        jobs.end(tx, run, "passed", of=of)
        _event(tx, run, "job.finished", {})
        return False
    if run.attempt <= retries:
        jobs.put_off(tx, run, until_us=clock.now_us() + pause(run.attempt), reason=reason, of=of)
        return True
    jobs.end(tx, run, "failed", reason=reason, of=of)
    _failed(tx, run, reason)
    return False


def started(tx: Transaction, run: Run, release: releases.Release) -> None:
    """Tell that a run began."""
    _event(tx, run, "job.started", {"release": release.name, "cause": run.cause, "attempt": run.attempt})


def _queue(tx: Transaction, one: Known, *, due_us: int, cause: jobs.Cause, actor: str) -> Run | None:
    identity = clock.uuid7()
    if not jobs.insert(tx, one, run=identity, due_us=due_us, cause=cause, actor=actor, task=None):
        return None
    run = jobs.get(tx, identity)
    assert run is not None
    jobs.requeue(tx, run, _task(tx, identity, one.job.timeout))
    return run


def _task(tx: Transaction, run: str, timeout: float) -> str:
    return tasks.put(tx, kind="job", subject=run, body={"timeout": timeout})


def _find(places: Workshop, project: str, environment: str, name: str) -> Known:
    for place in jobs.places(places.database):
        if (place.project, place.environment) == (project, environment):
            learn(places, place)  # the sweep may not have seen this revision yet
    there = {one.name: one for one in jobs.known(places.database, project, environment)}
    if name not in there:
        known = f"what there is: {', '.join(there) or 'none'}"
        hint = "        ".join(part for part in (names.suggestion(name, there), known) if part)
        raise errors.NotFound(f"what is live in {environment} of {project} has no job {name}", hint=hint)
    return there[name]


def _going(tx: Transaction, one: Known) -> Run | None:
    """The run of a job that waits for its next try. Raises errors.Refused while one really goes on."""
    going = jobs.active(tx, one.project).get((one.project, one.environment, one.name))
    if going is not None and going.retry_us is None:
        raise errors.Refused(
            f"{one.name} is {going.state} in {one.environment}: never two at once",
            hint=f"see: ciranda job show {one.name} -e {one.environment}",
        )
    return going


def _replace(tx: Transaction, run: Run) -> None:
    """A newer run takes the place of one that waits for its next try."""
    jobs.end(tx, run, "failed", reason=run.reason)
    _failed(tx, run, run.reason)


def _said(places: Workshop, run: Run) -> int:
    """The bytes of what a run has said so far."""
    try:
        return (places.lines / f"{run.id}.jsonl").stat().st_size
    except FileNotFoundError:
        return 0


def _now(tx: Transaction, run: Run) -> Run:
    found = jobs.get(tx, run.id)
    assert found is not None
    return found


def _failed(tx: Transaction, run: Run, reason: str) -> None:
    _event(tx, run, "job.failed", {"reason": reason, "attempt": run.attempt})


def _event(tx: Transaction, run: Run, kind: str, more: dict[str, object]) -> None:
    body = {"environment": run.environment, "job": run.job, "due_us": run.due_us} | more
    events.append(tx, chain=run.project, kind=kind, subject=run.id, actor=run.actor, body=body)
