"""What becomes of an alert: pending, firing, resolved. Pure.

over for `hold` seconds          → firing, and told
under for QUIET seconds          → resolved, and told
no data                          → as it was: neither a pass nor zero, and what was pending waits no longer than PATIENCE
its rule or service is gone      → resolved, with that as the reason
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ciranda.kernel import clock
from ciranda.monitor.alerts.measure import Found

QUIET = 60_000_000  # µs under the bound before it is over
PATIENCE = 600_000_000  # µs without data for which what is pending is kept
REFRESH = 60_000_000  # µs after which a value is written again

State = Literal["pending", "firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it is recorded. Times are µs; None: not yet. `part`: the job or the release that it is of, by itself."""

    id: str
    project: str
    environment: str
    rule: str
    service: str
    part: str
    release: str
    metric: str
    state: State
    severity: str
    owner: str
    runbook: str
    value: float | None
    text: str
    since_us: int
    seen_us: int  # when it was last over
    fired_us: int | None = None
    told_us: int | None = None  # when its event was recorded; None: silenced so far
    under_us: int | None = None
    resolved_us: int | None = None
    reason: str = ""  # why it is over
    source: str = "ciranda"
    acked_by: str = ""
    acked_us: int | None = None
    note: str = ""  # of the acknowledgement

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is of, within an environment."""
        return self.rule, self.service, self.part

    @property
    def group(self) -> str:
        """What people see as one: `flights/prod/delays`."""
        return "/".join(part for part in (self.project, self.environment, self.service) if part)


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of what it fits until it ends. Empty: any."""

    id: str
    project: str
    environment: str
    rule: str
    service: str
    reason: str
    actor: str
    from_us: int
    until_us: int

    def fits(self, alert: Alert, now: int) -> bool:
        """Whether it keeps an alert from being told now; a rule's name stands for all of its windows too."""
        return (
            self.from_us <= now < self.until_us
            and self.environment in ("", alert.environment)
            and self.service in ("", alert.service)
            and self.rule in ("", alert.rule, alert.rule.partition(":")[0])
        )


@dataclass(frozen=True, slots=True)
class Told:
    """How an alert of a rule is told: seconds it must hold, and to whom."""

    hold: float
    severity: str
    owner: str
    runbook: str


@dataclass(frozen=True, slots=True)
class Act:
    """A row that is to be written, and the event to record with it. `drop`: what was pending is forgotten."""

    alert: Alert
    event: Literal["", "alert.fired", "alert.resolved"] = ""
    drop: bool = False


def decide(
    project: str,
    environment: str,
    found: Iterable[tuple[Found, Told]],
    open_: Sequence[Alert],
    silences: Sequence[Silence],
    now: int,
) -> list[Act]:
    """What is to be written after one look at an environment. `open_`: its alerts that are not resolved."""
    known = {alert.key: alert for alert in open_ if alert.source == "ciranda"}
    acts = []
    looked: set[tuple[str, str, str]] = set()
    unknown: set[tuple[str, str]] = set()
    for one, told in found:
        looked.add(one.key)
        if one.outcome == "no data":
            unknown.add((one.rule, one.service))
        acts.append(_next(project, environment, one, told, known.get(one.key), silences, now))
    for key, alert in known.items():
        if key not in looked and (alert.rule, alert.service) not in unknown:
            acts.append(left(alert, now))
    return [act for act in acts if act is not None]


def _next(
    project: str, environment: str, one: Found, told: Told, alert: Alert | None, silences: Sequence[Silence], now: int
) -> Act | None:
    if one.outcome == "no data":
        waited = alert is not None and alert.state == "pending" and now - alert.seen_us > PATIENCE
        return Act(alert, drop=True) if alert is not None and waited else None
    if one.outcome == "under":
        return None if alert is None else _under(alert, now)
    if alert is None and one.behind:
        return None
    if alert is None:
        alert = Alert(
            clock.uuid7(), project, environment, *one.key, one.release, one.metric, "pending", told.severity, told.owner,
            told.runbook, one.value, one.text, now, 0,
        )  # fmt: skip
    seen = replace(
        alert, seen_us=now, under_us=None, value=one.value, text=one.text, release=one.release or alert.release
    )
    if alert.state == "pending" and now - alert.since_us >= told.hold * 1e6:
        return fired(seen, silences, now)
    if alert.state == "firing" and alert.told_us is None:
        return fired(seen, silences, now) if not silenced(seen, silences, now) else _fresh(alert, seen, now)
    return _fresh(alert, seen, now)


def fired(alert: Alert, silences: Sequence[Silence], now: int) -> Act:
    """It fires; somebody is told unless it is silenced."""
    quiet = silenced(alert, silences, now)
    row = replace(alert, state="firing", fired_us=alert.fired_us or now, told_us=None if quiet else now)
    return Act(row, "" if quiet else "alert.fired")


def silenced(alert: Alert, silences: Sequence[Silence], now: int) -> bool:
    """Whether nobody is to be told of it now."""
    return any(silence.fits(alert, now) for silence in silences)


def resolved(alert: Alert, reason: str, now: int) -> Act:
    """It is over; who was told that it fires is told that too."""
    row = replace(alert, state="resolved", resolved_us=now, reason=reason)
    return Act(row, "alert.resolved" if alert.told_us is not None else "")


def _fresh(before: Alert, seen: Alert, now: int) -> Act | None:
    """The values of a look are written once a minute; what is new at once."""
    if before.seen_us == 0 or before.under_us is not None or now - before.seen_us >= REFRESH:
        return Act(seen)
    return None


def _under(alert: Alert, now: int) -> Act | None:
    if alert.state == "pending":
        return Act(alert, drop=True)
    if alert.under_us is None:
        return Act(replace(alert, under_us=now))
    return resolved(alert, "", now) if now - alert.under_us >= QUIET else None


def left(alert: Alert, now: int) -> Act | None:
    """Nothing looked at it: its rule, its service, its job or its release is gone."""
    if alert.state == "pending":
        return Act(alert, drop=True)
    if alert.metric in ("failed_jobs", "late_jobs"):
        return resolved(alert, "", now)
    return resolved(alert, "nothing of that kind is live any more", now)


def grouped(alerts: Iterable[Alert]) -> Mapping[str, list[Alert]]:
    """Alerts by what people see as one, the worst group first."""
    groups: dict[str, list[Alert]] = {}
    for alert in sorted(alerts, key=lambda one: (_WORST.get(one.severity, 9), one.fired_us or one.since_us)):
        groups.setdefault(alert.group, []).append(alert)
    return groups


_WORST = {"page": 0, "ticket": 1, "info": 2}
