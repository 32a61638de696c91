"""What control does of alerts: measures what is live by its rules, writes what becomes of it, and takes what people say to it."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ciranda.app import alertmanager
from ciranda.environment import jobs, revisions
from ciranda.kernel import clock, errors, events
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.monitor.alerts import burn, measure, rows, rules, states
from ciranda.monitor.alerts.measure import Facts, Found
from ciranda.monitor.alerts.states import Told
from ciranda.monitor.series.samples import Reading
from ciranda.project import conditions
from ciranda.release import releases

EVERY = 15.0  # seconds
BACK = 20_000  # events that are read again after a start, for the columns that drifted in them
MOST = 10_000  # findings of drift that are kept in memory


@dataclass(frozen=True, slots=True)
class Live:
    """What is watched where, and what the ledger says of it now."""

    watched: rules.Watched
    facts: Facts


class Alerts:
    """The alerts of a home. `reading` is asked for at each look, since the home's settings may name another one."""

    def __init__(
        self,
        database: Database,
        store: Store,
        reading: Callable[[], Reading],
        now_us: Callable[[], int] = clock.now_us,
    ) -> None:
        self._database, self._store, self._reading, self._now = database, store, reading, now_us
        self._watched: dict[tuple[str, str], rules.Watched] = {}  # by release (its identity) and environment
        self._drifted: deque[tuple[str, str, str, int, str]] = deque(maxlen=MOST)
        self._seq: int | None = None
        self._measuring = measure.Measuring(reading())

    def look(self) -> None:
        """Measure every environment, and write what has changed. Raises errors.Unreachable where the metrics cannot be asked."""
        now = self._now()
        self._measuring.reading = self._reading()
        there = self.live(now)
        for one in there:
            place = (one.watched.project, one.watched.environment)
            open_ = rows.open_(self._database, *place)
            silences = rows.silences(self._database, place[0], now)
            found = self.measured(one, self._measuring, now)
            self._write(states.decide(*place, found, open_, silences, now))
        places = {(one.watched.project, one.watched.environment) for one in there}
        left = [one for one in rows.open_(self._database) if (one.project, one.environment) not in places]
        self._write([act for alert in left if (act := states.left(alert, now)) is not None])

    def live(self, now: int) -> list[Live]:
        """Every environment in which something runs whose manifest can be read."""
        self._read_events()
        found, known = [], {}
        for environment in revisions.environments(self._database):
            revision = revisions.live(self._database, environment.project, environment.name)
            if revision is None:
                continue
            release = releases.by_id(self._database, revision.release)
            key = (release.id, environment.name)
            try:
                watched = self._watched.get(key) or rules.watched(
                    releases.manifest(self._store, release), environment.name
                )
            except (errors.NotFound, errors.Corrupt):
                continue  # it is made again soon
            known[key] = watched
            wanted = {name: count.count for name, count in revision.instances.items()}
            found.append(Live(watched, self._facts(watched, wanted, release.name, now)))
        self._watched = known
        return found

    def measured(self, one: Live, measuring: measure.Measuring, now: int) -> list[tuple[Found, Told]]:
        """What every rule and objective of an environment finds, and to whom it is told."""
        watched = one.watched
        found = []
        for rule in watched.rules:
            for seen in measuring.measure(rule, watched, one.facts, now):
                owner = rule.owner or watched.owners.get(seen.service, "")
                found.append((seen, Told(rule.hold, rule.severity, owner, rule.runbook)))
        for seen, pair, objective in burn.measure(measuring.reading, watched, now):
            owner = objective.owner or watched.owners.get(objective.service, "")
            found.append((seen, Told(0.0, pair.severity, owner, objective.runbook)))
        return found

    def acknowledge(self, project: str, alert: str, *, note: str, actor: str) -> dict[str, Any]:
        """Somebody looks after an alert. Raises errors.NotFound, errors.Refused."""
        acked = self._database.write(lambda tx: rows.acknowledge(tx, project, alert, actor=actor, note=note))
        return rows.body(acked)

    def silence(
        self, project: str, *, environment: str, rule: str, service: str, length: str, reason: str, actor: str
    ) -> dict[str, Any]:
        """Let nobody be told for some time. Raises errors.Invalid."""
        seconds = conditions.seconds(length)
        made = self._database.write(
            lambda tx: rows.silence(
                tx,
                project,
                environment=environment,
                rule=rule,
                service=service,
                seconds=seconds,
                reason=reason,
                actor=actor,
            )
        )
        return {"id": made.id, "project": project, "until_us": made.until_us, "rule": rule, "service": service}

    def unsilence(self, project: str, name: str, *, actor: str) -> dict[str, Any]:
        """End a silence. Raises errors.NotFound."""
        ended = self._database.write(lambda tx: rows.unsilence(tx, project, name, actor=actor))
        return {"id": ended.id, "project": project, "rule": ended.rule, "service": ended.service}

    def told(self, payload: Mapping[str, Any], *, may: Callable[[str], bool]) -> dict[str, Any]:
        """What an Alertmanager tells: it makes the same rows and events, of projects that there are and that its user `may` speak of.

        Raises errors.Invalid for what is no such call.
        """
        heard = alertmanager.read(payload)
        known = {one.name for one in changes.projects(self._database) if may(one.name)}
        taken = [one for one in heard if one.project in known]
        now = self._now()

        def work(tx: Transaction) -> int:
            open_ = [one for one in rows.open_(tx) if one.source == alertmanager.SOURCE]
            silences = {name: rows.silences(tx, name, now) for name in {one.project for one in taken}}
            acts = alertmanager.decide(taken, open_, silences, now)
            rows.write(tx, acts)
            return len(acts)

        changed = self._database.write(work)
        return {"alerts": len(heard), "unknown": len(heard) - len(taken), "changed": changed}

    def _write(self, acts: Sequence[states.Act]) -> None:
        if acts:
            self._database.write(lambda tx: rows.write(tx, acts))

    def _facts(self, watched: rules.Watched, wanted: Mapping[str, int], release: str, now: int) -> Facts:
        listed = jobs.listing(self._database, watched.project, watched.environment, now_us=now)
        drifted: dict[str, list[tuple[int, str]]] = {}
        for project, environment, service, at, column in self._drifted:
            if (project, environment) == (watched.project, watched.environment):
                drifted.setdefault(service, []).append((at, column))
        return Facts(
            failed=[one.name for one in listed if one.last is not None and one.last.state == "failed"],
            late=[one.name for one in listed if one.late_us is not None],
            jobs=bool(listed),
            drifted=drifted,
            wanted=wanted,
            live=release,
        )

    def _read_events(self) -> None:
        """Take up what was found of drift since the last look."""
        if self._seq is None:
            self._seq = max(0, rows.last_event(self._database) - BACK)
        while some := events.after(self._database, self._seq):
            for event in some:
                if event.kind == "drift.found":
                    project, _, environment = event.subject.partition("/")
                    body = event.body
                    named = (str(body.get("service", "")), event.at_us, str(body.get("column", "")))
                    self._drifted.append((project, environment, *named))
            self._seq = some[-1].seq
