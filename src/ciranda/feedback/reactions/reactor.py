"""Reads what happened, answers by the rules of what is live, and acts: each step is recorded before the next one.

Killed anywhere it goes on: an event is answered once by its identity, an act that was begun is looked for before it is
done again, and a rollback is one transaction with the end of its reaction.
"""

from functools import partial

from ciranda.environment import holds, jobs, moves, revisions
from ciranda.feedback.reactions import decide, rows, rule
from ciranda.feedback.reactions.decide import Past, Place, Trigger
from ciranda.kernel import clock, errors, events, tasks
from ciranda.kernel.database import Transaction
from ciranda.loop import changes, refresh, restore
from ciranda.loop import jobs as queue
from ciranda.loop.places import Workshop
from ciranda.release import releases

PATIENCE_US = decide.DAY_US  # so long a person is asked
_OTHERS = ("promotion", "rollback", "clone", "destroy")  # causes of a revision that may bring another release
STRIDE = 500  # events that are read again at most


class Reactor:
    """The reactions of one home."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._database = workshop.database
        self._kept = self._seq = rows.read_to(self._database)

    def look(self) -> None:
        """Answer what is new, then do what was decided."""
        while found := events.after(self._database, self._seq):
            for event in found:
                trigger = trigger_of(event)
                if trigger is not None:
                    self._answer(event, trigger)
                self._seq = event.seq
            if self._seq - self._kept >= STRIDE:
                self._keep()
        for one in rows.waiting(self._database):
            self._go_on(one)

    def _keep(self) -> None:
        seq = self._seq
        self._database.write(lambda tx: rows.keep_read(tx, seq))
        self._kept = seq

    def _answer(self, event: events.Event, trigger: Trigger) -> None:
        project, _, environment = event.subject.partition("/")
        live = revisions.live(self._database, project, environment)
        if live is None:
            return
        release = releases.by_id(self._database, live.release)
        content = restore.manifest(self._workshop, release)
        for one in rule.of(content, environment):
            if not decide.matches(one, trigger):
                continue
            place = self._place(live, release)
            history = [self._past(past) for past in rows.of_rule(self._database, project, environment, one.name)]
            decision = decide.decide(one, trigger, place, history, clock.now_us())
            keep = partial(rows.record, project=project, environment=environment, rule=one, event=event)
            self._database.write(partial(keep, what=trigger.text, decision=decision))

    def _place(self, live: revisions.Revision, release: releases.Release) -> Place:
        known = revisions.environment(self._database, live.project, live.environment)
        change = None if release.change is None else changes.get(self._database, release.change)
        return Place(
            live=release.name,
            moving=revisions.current_target(self._database, live.project, live.environment) is not None,
            held=known.held,
            went_back=live.cause == "rollback",
            brought_by="" if change is None else change.actor,
        )

    def _past(self, one: rows.Reaction) -> Past:
        return Past(one.state, one.at_us, one.state == "acting" or self._under_way(one))

    def _under_way(self, one: rows.Reaction) -> bool:
        if one.led is None:
            return False
        kind, identity = one.led
        if kind == "change":
            change = changes.get(self._database, identity)
            if change is not None:
                return change.ended_us is None
            return tasks.get(self._database, identity).state in ("waiting", "claimed")
        if kind == "run":
            run = jobs.get(self._database, identity)
            return run is not None and run.state in ("waiting", "running")
        return revisions.by_id(self._database, identity).state == "target"

    def _go_on(self, one: rows.Reaction) -> None:
        if one.state == "asking":
            stale = self._stale(one)
            if stale:
                self._database.write(lambda tx: rows.move(tx, one, "lapsed", why=stale))
            return
        try:
            self._act(one)
        except errors.Unreachable:
            raise  # tried again with the next look
        except errors.CirandaError as error:
            reason = str(error)
            self._database.write(lambda tx: rows.move(tx, one, "refused", why=reason))

    def _stale(self, one: rows.Reaction) -> str:
        if clock.now_us() - one.at_us > PATIENCE_US:
            return "nobody answered within a day"
        reached = revisions.reached_since(self._database, one.project, one.environment, one.at_us)
        newer = [each for each in reached if (each.ended_us or 0) > one.at_us and each.cause in _OTHERS]
        return "something else went live meanwhile" if newer else ""

    def _act(self, one: rows.Reaction) -> None:
        kind, _, job = one.rule.do.partition(":")
        if kind == "rollback":
            self._database.write(lambda tx: _back(tx, one))
            return
        led = self._retrain(one) if kind == "retrain" else self._job(one, job)
        self._database.write(lambda tx: rows.move(tx, one, "done", led=led))

    def _retrain(self, one: rows.Reaction) -> tuple[str, str]:
        for change in changes.latest(self._database, one.project):
            if change.actor == one.by and change.recorded_us >= one.at_us:  # begun before a crash
                return ("change", change.id)
        return ("change", refresh.ask(self._workshop, one.project, actor=one.by))

    def _job(self, one: rows.Reaction, job: str) -> tuple[str, str]:
        for run in jobs.history(self._database, one.project, one.environment, job):
            if run.actor == one.by and run.queued_us >= one.at_us:
                return ("run", run.id)
        return ("run", queue.by_hand(self._workshop, one.project, one.environment, job, actor=one.by).id)


def trigger_of(event: events.Event) -> Trigger | None:
    """What an event says that a rule may speak of; None: nothing."""
    body = event.body
    named = {"service": body.get("service", ""), "release": body.get("release", ""), "text": body.get("text", "")}
    if event.kind == "drift.found":
        return Trigger("drift", "", **named)
    if event.kind == "alert.fired":
        alert = body.get("rule", "")
        return Trigger("errors" if body.get("metric") == "errors" else "alert", alert, **named)
    return None


def _back(tx: Transaction, one: rows.Reaction) -> None:
    """Go back, in the transaction that ends the reaction."""
    holds.refuse_held(tx, one.project, one.environment)
    _, target = moves.rollback(
        tx, one.project, one.environment, actor=one.by, reason=f"reaction/{one.number}: {one.what}"
    )
    rows.move(tx, one, "done", led=("revision", target.id))
