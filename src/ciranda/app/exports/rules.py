"""Rules for Prometheus: what Ciranda's own alerts and objectives are there, and what is worth recording. Pure.

https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/ ; burn rates as in "The Site Reliability Workbook",
chapter 5: over a long window and over a twelfth of it, so that an alert ends soon after its cause.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ciranda.app.exports import promql
from ciranda.project import alerts, conditions
from ciranda.project.declaration import Alert, Objective, Project

JOB = "ciranda"  # the scrape's
EVERY = "30s"
WINDOWS = (300.0, 1_800.0, 3_600.0, 21_600.0, 259_200.0)  # seconds: those of the burn rates
# how fast, over which window and which shorter one, how bad: 14.4 times uses two days' worth of thirty in an hour
BURNS = ((14.4, 3_600.0, 300.0, "page"), (6.0, 21_600.0, 1_800.0, "page"), (1.0, 259_200.0, 21_600.0, "ticket"))

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is written: groups as Prometheus reads them, and the names of rules that it is not told enough for."""

    groups: tuple[Mapping[str, Any], ...]
    left_out: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The file of rules."""
        return {"groups": [dict(group) for group in self.groups]}


def of(projects: Sequence[Project]) -> Rules:
    """The rules of a server with these projects."""
    groups: list[Mapping[str, Any]] = [_group("ciranda", server()), _group("ciranda records", records())]
    left_out = []
    for project in projects:
        found, without = alerting(project)
        for name, made in (("alerts", found), ("objectives", objectives(project))):
            groups += [_group(f"{project.name} {name}", made)] if made else []
        left_out += [f"{project.name}: {one}" for one in without]
    return Rules(tuple(groups), tuple(left_out))


def records() -> list[Rule]:
    """What dashboards draw and weeks are compared with, by release."""
    by = f"{promql.BY}, release"
    found = [
        _record("ciranda:rate:5m", promql.rate("", "5m", by)),
        _record("ciranda:errors:5m", promql.errors("", "5m", by)),
    ]
    return found + [_record(f"ciranda:p{share:g}:5m", promql.quantile(share / 100, "", "5m", by)) for share in (50, 99)]


def server() -> list[Rule]:
    """Ciranda itself, and what no project declares."""
    said = "the server that deploys and watches"
    return [
        _alert(
            "CirandaDown", f'up{{job="{JOB}"}} == 0 or absent(up{{job="{JOB}"}})', 120, {"severity": "page"},
            "Ciranda does not answer", f"Nothing is deployed, rolled back or judged while {said} is away: ciranda doctor",
        ),
        _alert(
            "CirandaRevisionFailed", 'increase(ciranda_revisions_total{state="failed"}[15m]) > 0', 0, {"severity": "ticket"},
            "A release did not enter {{ $labels.environment }} of {{ $labels.project }}",
            "The environment stays on what it ran: ciranda status",
        ),
        _alert(
            "CirandaChangesWait", "min_over_time(ciranda_changes_waiting[1h]) > 0", 0, {"severity": "info"},
            "The gate of {{ $labels.project }} has had something to decide for an hour", "ciranda status",
        ),
        _alert(
            "CirandaTasksWait", 'min_over_time(sum by (kind) (ciranda_tasks{state="waiting"})[30m:1m]) > 0', 0, {"severity": "ticket"},
            "Tasks of the kind {{ $labels.kind }} have waited for half an hour", "Is the runner alive? ciranda doctor",
        ),
        _alert(
            "CirandaHeld", "min_over_time(ciranda_environment_held[1d]) > 0", 0, {"severity": "info"},
            "{{ $labels.environment }} of {{ $labels.project }} has been held for a day",
            "New releases enter again with: ciranda hold {{ $labels.environment }} --release",
        ),
    ]  # fmt: skip


def alerting(project: Project) -> tuple[list[Rule], list[str]]:
    """The rules of `[alerts]`, declared or by default, and the names of those that Prometheus is not told enough for."""
    declared = {one.name: one for one in project.alerts}
    found: list[Rule] = []
    without = []
    for alert in (alerts.DEFAULTS | declared).values():
        if alert.off or not alert.when:
            continue
        condition = conditions.parse(alert.when)
        made = [
            rule for place in _places(project, alert.environments) for rule in _rules(project, alert, condition, place)
        ]
        found += [rule for rule in made if rule not in found]  # two alerts may need the same record
        if not made:
            without.append(f"{alert.name} ({alert.when})")
    return found, without


def objectives(project: Project) -> list[Rule]:
    """The rules of `[objectives]`: the share of bad answers over each window, and how fast it uses up what is promised."""
    return [
        rule
        for one in project.objectives
        for place in _places(project, one.environments)
        for kind, promised in (("errors", one.availability), ("slow", one.latency))
        if promised is not None
        for rule in _promise(project, one, place, kind, promised)
    ]


def _promise(project: Project, one: Objective, place: str, kind: str, promised: float) -> Iterator[Rule]:
    where = promql.selector(project=project.name, environment=place, service=one.service)
    bound = promql.nearest_bound(one.below) if kind == "slow" and one.below is not None else 0.0
    labels = {"rule": one.name, "project": project.name, "environment": place, "service": one.service}
    for over in map(promql.window, WINDOWS):
        told = promql.slow(bound, where, over) if kind == "slow" else promql.errors(where, over)
        yield _record(f"ciranda:objective_{kind}:{over}", told, labels)
    of = promql.selector(project=project.name, environment=place, service=one.service, rule=one.name)
    what = f"slower than {bound:g} s" if kind == "slow" else "errors"
    for factor, long, short, severity in BURNS:
        allowed = f"{factor:g} * {1 - promised:.10g}"
        both = " and ".join(f"ciranda:objective_{kind}:{promql.window(over)}{of} > {allowed}" for over in (long, short))
        yield _alert(
            _name(project.name, one.name, kind, promql.window(long)), both, 0,
            labels | _owned(severity, one.owner or _owner(project, one.service)),
            f"{one.service} in {place} of {project.name}: its objective {one.name} will not hold",
            f"What may fail is used up {factor:g} times as fast as it would last: {{{{ $value | humanizePercentage }}}} of its"
            f" answers in {promql.window(long)} were {what};"
            f" {1 - promised:.3%} may be over {promql.window(one.window)}.",
            one.runbook,
        )  # fmt: skip


def _rules(project: Project, alert: Alert, condition: conditions.Condition, place: str) -> Iterator[Rule]:
    """One rule for each service that is meant; for what is of no service, one."""
    services: list[str] = [alert.service] if alert.service else [one.name for one in project.services]
    if condition.metric in ("failed_jobs", "late_jobs"):
        services = [""] if project.jobs else []
    if condition.metric == "disk":
        services = [""]
    for service in services:
        where = promql.selector(project=project.name, environment=place, service=service)
        over = promql.window(condition.over)
        told = promql.value(condition.metric, where, over)
        of = {"project": project.name, "environment": place} | ({"service": service} if service else {})
        if told is None:
            continue
        record = f"ciranda:alert_{condition.metric}:{over}"
        if condition.week:
            # what nobody asked for is no number, and would make the whole week none
            yield _record(record, f"({told}) >= 0", of)
        yield _alert(
            _name(project.name, alert.name),
            promql.compared(told, condition, f"{record}{where}"),
            alert.hold,
            {"rule": alert.name} | of | _owned(alert.severity, alert.owner or _owner(project, service)),
            f"{f'{service} in ' if service else ''}{place} of {project.name}: {alert.when}",
            f"It is {{{{ $value | {_shown(condition.metric)} }}}}; see: ciranda status",
            alert.runbook,
        )


def _places(project: Project, named: Sequence[str]) -> Sequence[str]:
    """The environments that are meant: those that are named, else the last of the chain."""
    return named or [one.name for one in project.environments][-1:]


def _owner(project: Project, service: str) -> str:
    return next((one.owner for one in project.services if one.name == service and one.owner), project.owner)


def _owned(severity: str, owner: str) -> dict[str, str]:
    return {"severity": severity} | ({"owner": owner} if owner else {})


def _shown(metric: str) -> str:
    """How a template shows a value."""
    if metric in ("errors", "disk"):
        return "humanizePercentage"
    return "humanizeDuration" if metric.startswith("p") else "humanize"


def _name(*parts: str) -> str:
    """`FlightsErrors`."""
    return "".join(word.capitalize() for part in parts for word in part.replace("_", "-").split("-"))


def _group(name: str, rules: Sequence[Rule]) -> dict[str, Any]:
    return {"name": name, "interval": EVERY, "rules": [dict(rule) for rule in rules]}


def _record(name: str, expression: str, labels: Mapping[str, str] | None = None) -> Rule:
    return {"record": name, "expr": expression} | ({"labels": dict(labels)} if labels else {})


def _alert(
    name: str,
    expression: str,
    hold: float,
    labels: Mapping[str, str],
    summary: str,
    description: str,
    runbook: str = "",
) -> Rule:
    """`hold` is in seconds."""
    told = {"summary": summary, "description": description} | ({"runbook_url": runbook} if runbook else {})
    held = {"for": promql.window(hold)} if hold else {}
    return {"alert": name, "expr": expression, **held, "labels": dict(labels), "annotations": told}
