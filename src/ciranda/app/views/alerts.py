"""Alerts of a project as people see them: what fires in groups, what was, what is silenced, and what is watched with its value now."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.app import alerts
from ciranda.kernel import clock
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.monitor.alerts import burn, measure, rows, states
from ciranda.monitor.series.samples import Reading


@dataclass(frozen=True, slots=True)
class Told:
    """The alerts of a project: those that fire by group, those that wait to fire, those that were, and silences."""

    project: str
    groups: Mapping[str, list[states.Alert]]
    pending: tuple[states.Alert, ...]
    past: tuple[states.Alert, ...]
    silences: tuple[states.Silence, ...]
    now_us: int

    def document(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "project": self.project,
            "firing": [asdict(one) | {"group": one.group} for some in self.groups.values() for one in some],
            "pending": [asdict(one) for one in self.pending],
            "past": [asdict(one) for one in self.past],
            "silences": [asdict(one) for one in self.silences],
        }

    def silenced(self, alert: states.Alert) -> bool:
        """Whether nobody is told of it now."""
        return states.silenced(alert, self.silences, self.now_us)


@dataclass(frozen=True, slots=True)
class Watched:
    """A rule or objective of an environment, and what it finds now."""

    environment: str
    rule: str
    said: str
    severity: str
    owner: str
    found: measure.Found


def gather(database: Database, project: str, environment: str = "", *, past: int = 10) -> Told:
    """The alerts of a project, or of one environment."""
    now = clock.now_us()
    open_ = rows.open_(database, project, environment)
    history = [one for one in rows.history(database, project, 5 * past) if one.state == "resolved"] if past else []
    return Told(
        project,
        states.grouped(one for one in open_ if one.state == "firing"),
        tuple(one for one in open_ if one.state == "pending"),
        tuple(one for one in history if environment in ("", one.environment))[:past],
        tuple(
            one
            for one in rows.silences(database, project, now)
            if environment in ("", one.environment) or not one.environment
        ),
        now,
    )


def watched(database: Database, store: Store, reading: Reading, project: str, environment: str = "") -> list[Watched]:
    """Everything that is watched, measured now; "no data" is said as that."""
    now = clock.now_us()
    measuring = measure.Measuring(reading)
    found = []
    for one in alerts.Alerts(database, store, lambda: reading).live(now):
        place = one.watched
        if place.project != project or environment not in ("", place.environment):
            continue
        for rule in place.rules:
            seen = measuring.measure(rule, place, one.facts, now)
            for each in seen or [measure.Found(rule.name, rule.condition.metric, "under", rule.service)]:
                owner = rule.owner or place.owners.get(each.service, "")
                found.append(Watched(place.environment, rule.name, rule.said, rule.severity, owner, each))
        for each, pair, objective in burn.measure(reading, place, now):
            said = f"more than {pair.factor:g} times what it allows"
            owner = objective.owner or place.owners.get(objective.service, "")
            found.append(Watched(place.environment, each.rule, said, pair.severity, owner, each))
    return found


def standings(
    database: Database, store: Store, reading: Reading, project: str, environment: str = ""
) -> list[tuple[str, burn.Standing]]:
    """Where every objective stands, by environment."""
    now = clock.now_us()
    found = []
    for one in alerts.Alerts(database, store, lambda: reading).live(now):
        place = one.watched
        if place.project == project and environment in ("", place.environment):
            labels = {"project": project, "environment": place.environment}
            for name, objective in place.objectives.items():
                found += [(place.environment, each) for each in burn.standing(reading, labels, name, objective, now)]
    return found
