"""What Alertmanager's webhook says, version 4, as alerts of ours. Pure.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. The labels `project`, `environment`, `service`, `release`,
`severity`, `owner` and the annotations `summary`, `description`, `runbook_url` are those that `ciranda export prometheus` writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ciranda.kernel import clock, errors
from ciranda.monitor.alerts import states
from ciranda.monitor.alerts.states import Act, Alert, Silence
from ciranda.project import alerts

SOURCE = "alertmanager"
MOST = 1000  # alerts of one call
LONGEST = 500  # characters of one text


@dataclass(frozen=True, slots=True)
class Heard:
    """One alert of a call. `part`: what of its labels says which one it is, beside those that we know."""

    project: str
    environment: str
    rule: str
    service: str
    part: str
    release: str
    severity: str
    owner: str
    runbook: str
    text: str
    since_us: int
    over: bool


def read(payload: Mapping[str, Any]) -> list[Heard]:
    """The alerts of a call. Raises errors.Invalid for what is no such call."""
    told = payload.get("alerts")
    if payload.get("version") != "4" or not isinstance(told, list) or len(told) > MOST:
        raise errors.Invalid(
            "this is not what Alertmanager's webhook sends (version 4)",
            hint="webhook_configs: [{url: …/api/v1/alerts/alertmanager}]",
        )
    return [_one(alert) for alert in told]


def decide(
    heard: Sequence[Heard], open_: Sequence[Alert], silences: Mapping[str, Sequence[Silence]], now: int
) -> list[Act]:
    """What is to be written. A call comes again and again while an alert fires: only what is new is an act."""
    known = {(one.project, one.environment, *one.key): one for one in open_}
    acts = []
    for one in heard:
        key = (one.project, one.environment, one.rule, one.service, one.part)
        alert = known.get(key)
        quiet = silences.get(one.project, ())
        if one.over:
            if alert is not None:
                acts.append(states.resolved(alert, "", now))
                del known[key]
        elif alert is None:
            row = Alert(
                clock.uuid7(), one.project, one.environment, one.rule, one.service, one.part, one.release, "", "pending",
                one.severity, one.owner, one.runbook, None, one.text, one.since_us, now, source=SOURCE,
            )  # fmt: skip
            acts.append(states.fired(row, quiet, now))
            known[key] = acts[-1].alert
        elif alert.told_us is None and not states.silenced(alert, quiet, now):
            acts.append(states.fired(replace(alert, seen_us=now, text=one.text), quiet, now))
    return acts


def _one(alert: Any) -> Heard:
    try:
        labels = {str(name): str(value) for name, value in alert["labels"].items()}
        notes = {str(name): str(value) for name, value in alert.get("annotations", {}).items()}
        since = datetime.fromisoformat(str(alert["startsAt"]))
        over = alert["status"] == "resolved"
    except (TypeError, KeyError, ValueError, AttributeError):
        raise errors.Invalid("an alert of this call has no labels, status or startsAt") from None
    named = {name: labels.get(name, "")[:LONGEST] for name in ("project", "environment", "service", "release", "owner")}
    part = ",".join(f"{name}={value}" for name, value in sorted(labels.items()) if name not in _KNOWN)
    severity = labels.get("severity", "")
    text = notes.get("description") or notes.get("summary") or labels.get("alertname", "")
    return Heard(
        **named,
        rule=labels.get("alertname", "")[:LONGEST] or "alert",
        part=part[:LONGEST],
        severity=severity if severity in alerts.SEVERITIES else "ticket",
        runbook=(notes.get("runbook_url") or labels.get("runbook", ""))[:LONGEST],
        text=text[:LONGEST],
        since_us=round(since.timestamp() * 1e6),
        over=over,
    )


_KNOWN = (
    "alertname",
    "project",
    "environment",
    "service",
    "release",
    "severity",
    "owner",
    "runbook",
    "job",
    "instance",
)
