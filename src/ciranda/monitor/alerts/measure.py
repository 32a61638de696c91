"""What a rule finds now: of each service, or job, a value, or that nothing is known. Reads series, decides nothing."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ciranda.monitor.alerts import wording
from ciranda.monitor.alerts.rules import Rule, Watched
from ciranda.monitor.series import courses
from ciranda.monitor.series.levels import DAY, HOUR, MINUTE, SECOND
from ciranda.monitor.series.samples import How, Reading
from ciranda.project.conditions import MODEL, Condition

Outcome = Literal["over", "under", "no data"]
FEW_ERRORS, FEW_ANSWERS = 3, 20  # so few errors are no share, so few answers have no quantile
WEEK = 24  # hours of its week that must be known to compare with it
AGED = 10 * MINUTE  # µs after which a week is read again
FRESH = 2 * MINUTE  # µs within which what is now was sampled


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found of one thing. `part`: a job, or a release by itself; `release`: the one to look at.

    `behind`: a quicker rule of the same objective is over too, and says all there is to say.
    """

    rule: str
    metric: str
    outcome: Outcome
    service: str = ""
    part: str = ""
    release: str = ""
    value: float | None = None
    text: str = ""
    behind: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is of, within an environment."""
        return self.rule, self.service, self.part


@dataclass(frozen=True, slots=True)
class Facts:
    """What the ledger says, which no series tells: jobs whose last run failed, jobs that are late, columns that drifted by service.

    `wanted`: by service how many instances what is live asks for; `live` its release.
    """

    failed: Sequence[str] = ()
    late: Sequence[str] = ()
    jobs: bool = False  # there are jobs at all
    drifted: Mapping[str, Sequence[tuple[int, str]]] = field(default_factory=dict)  # (µs, column)
    wanted: Mapping[str, int] = field(default_factory=dict)
    live: str = ""


Weeks = dict[tuple[str, ...], tuple[int, float | None]]


class Measuring:
    """Measures over one reading. What a week was is kept for ten minutes."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self._weeks: Weeks = {}

    def measure(self, rule: Rule, watched: Watched, facts: Facts, now: int) -> list[Found]:
        """What a rule finds in an environment at a moment (µs)."""
        metric = rule.condition.metric
        services = [rule.service] if rule.service else sorted(facts.wanted)
        if metric == "disk":
            return [self._one(rule, "", "", self._latest("disk", {}, now), None)]
        if metric in ("failed_jobs", "late_jobs"):
            named = facts.failed if metric == "failed_jobs" else facts.late
            return [_job(rule, name, metric) for name in named] if facts.jobs else []
        if metric == "drift":
            return [_drift(rule, service, facts, now) for service in services]
        if metric.startswith(MODEL):
            return self._model(rule, watched, facts, now)
        if metric in ("cpu", "memory", "in_flight", "healthy", "restarts"):
            return [self._instances(rule, watched, service, facts, now) for service in services]
        return self._traffic(rule, watched, services, now)

    def _traffic(self, rule: Rule, watched: Watched, services: Sequence[str], now: int) -> list[Found]:
        over = round(rule.condition.over * SECOND)
        labels = {"project": watched.project, "environment": watched.environment}
        if rule.service:
            labels["service"] = rule.service
        timed = rule.condition.metric not in ("rate", "errors")
        read = courses.grown(self.reading, labels, now - over, now, buckets=timed)
        whole = {one.service: one.whole for one in courses.together(read)}
        found = []
        for service in services:
            seen = whole.get(service)
            value = None if seen is None else traffic(rule.condition.metric, seen)
            week = self._week(rule.condition, {**labels, "service": service}, now, over) if value is not None else None
            worst = max((one for one in read if one.service == service), key=_bad, default=None)
            release = worst.release if worst is not None and (rule.condition.metric == "errors") else ""
            found.append(self._one(rule, service, release, value, week))
        return found

    def _week(self, condition: Condition, labels: Mapping[str, str], now: int, over: int) -> float | None:
        """The same of the seven days before; None: not enough of them is known."""
        if not condition.week:
            return None
        key = (condition.metric, *labels.values())
        if key not in self._weeks or now - self._weeks[key][0] > AGED:
            self._weeks[key] = (now, self._read_week(condition, labels, now - over))
        return self._weeks[key][1]

    def _read_week(self, condition: Condition, labels: Mapping[str, str], until: int) -> float | None:
        if condition.metric in ("cpu", "memory", "in_flight"):
            name, how = _INSTANCES[condition.metric]
            lines = self.reading.read(name, labels, until - 7 * DAY, until, HOUR, how)
            known = [value for line in lines for value in line.known]
            return math.fsum(known) / len(known) if len(known) >= WEEK else None
        read = courses.together(courses.grown(self.reading, labels, until - 7 * DAY, until))
        if not read or sum(value is not None for value in read[0].requests) < WEEK:
            return None
        whole = read[0].whole
        return None if whole is None else traffic(condition.metric, whole)

    def _instances(self, rule: Rule, watched: Watched, service: str, facts: Facts, now: int) -> Found:
        over = round(rule.condition.over * SECOND)
        labels = {"project": watched.project, "environment": watched.environment, "service": service}
        metric = rule.condition.metric
        if metric == "healthy":
            wanted = facts.wanted.get(service, 0)
            value = self._latest("instances_healthy", labels, now) if wanted else None
            return self._one(rule, service, facts.live, value, None)
        name, how = _INSTANCES[metric]
        lines = self.reading.read(name, labels, now - over, now, courses.step_for(over), how)
        if metric == "restarts":
            known = [value for line in lines for value in line.known]
            return self._one(rule, service, facts.live, round(math.fsum(known)) if known else None, None)
        means = [math.fsum(line.known) / len(line.known) for line in lines if line.known]
        value = (math.fsum(means) if metric == "in_flight" else max(means)) if means else None
        week = self._week(rule.condition, labels, now, over) if value is not None else None
        return self._one(rule, service, facts.live, value, week)

    def _latest(self, metric: str, labels: Mapping[str, str], now: int) -> float | None:
        """The last value, added up over releases; None where it was not sampled lately."""
        lines = self.reading.read(metric, labels, now - FRESH, now, 10 * SECOND, "last")
        known = [line.known[-1] for line in lines if line.known]
        return math.fsum(known) if known else None

    def _model(self, rule: Rule, watched: Watched, facts: Facts, now: int) -> list[Found]:
        """A figure of the models of what is live, as it was at its release or was computed since."""
        name = f"model_{rule.condition.metric[len(MODEL) :]}"
        labels = {"project": watched.project, "release": facts.live}
        lines = self.reading.read(name, labels, now - 60 * DAY, now, HOUR, "last")
        if not lines:
            return [self._one(rule, rule.service, facts.live, None, None)]
        return [
            self._one(rule, rule.service, facts.live, line.known[-1], None, part=line.labels.get("asset", ""))
            for line in lines
        ]

    def _one(
        self, rule: Rule, service: str, release: str, value: float | None, week: float | None, *, part: str = ""
    ) -> Found:
        condition = rule.condition
        met = None if value is None else condition.met(value, week)
        if value is None or met is None:
            return Found(rule.name, condition.metric, "no data", service, part, release, value)
        text = wording.sentence(condition, part or service, value, week)
        return Found(rule.name, condition.metric, "over" if met else "under", service, part, release, value, text)


_INSTANCES: Mapping[str, tuple[str, How]] = {
    "cpu": ("cpu_seconds", "rate"),
    "memory": ("memory_bytes", "max"),
    "in_flight": ("in_flight", "mean"),
    "restarts": ("restarts_total", "sum"),
}


def traffic(metric: str, seen: courses.Whole) -> float | None:
    """A metric of a service's traffic; None: too little came to say."""
    match metric:
        case "rate":
            return seen.requests
        case "errors":
            if seen.share is None:
                return None
            return seen.share if seen.errors * seen.seconds >= FEW_ERRORS - 0.5 else 0.0
        case _:
            if seen.requests * seen.seconds < FEW_ANSWERS:
                return None
            return seen.quantile(float(f"0.{metric[1:]}"))


def _bad(course: courses.Course) -> float:
    whole = course.whole
    return 0.0 if whole is None else whole.errors


def _job(rule: Rule, name: str, metric: str) -> Found:
    """One job for which it is so; `failed_jobs > 0` is the only bound that speaks of one."""
    said = f"the job {name} failed" if metric == "failed_jobs" else f"the job {name} is late"
    met = rule.condition.met(1.0)
    return Found(rule.name, metric, "over" if met else "under", "", name, "", 1.0, said)


def _drift(rule: Rule, service: str, facts: Facts, now: int) -> Found:
    since = now - round(rule.condition.over * SECOND)
    columns = sorted({column for at, column in facts.drifted.get(service, ()) if at >= since})
    met = rule.condition.met(float(len(columns)))
    named = ", ".join(columns[:5]) + (" …" if len(columns) > 5 else "")
    text = f"drift of {service}: {named}" if columns else ""
    return Found(rule.name, "drift", "over" if met else "under", service, "", facts.live, float(len(columns)), text)


Measure = Callable[[Rule, Watched, Facts, int], list[Found]]
