"""Alerts and silences in the ledger; every act that people care about is an event in the same transaction."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ciranda.kernel import clock, errors, events, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.monitor.alerts.states import Act, Alert, Silence

sql = statements.load("ciranda.monitor", "alerts.sql")
LONGEST = 30 * 86_400_000_000  # µs of a silence
MOST = 1000  # characters of what people write


def open_(database: Database | Transaction, project: str = "", environment: str = "") -> list[Alert]:
    """What pends or fires, oldest first."""
    return [Alert(**row) for row in database.query(sql.open_alerts, project=project, environment=environment)]


def firing(database: Database | Transaction, project: str) -> dict[str, int]:
    """How many alerts of a project fire, by severity."""
    return {row["severity"]: int(row["alerts"]) for row in database.query(sql.firing_counts, project=project)}


def history(database: Database, project: str, most: int = 50, before_us: int | None = None) -> list[Alert]:
    """Alerts that fired, newest first."""
    before = clock.now_us() + 1 if before_us is None else before_us
    return [Alert(**row) for row in database.query(sql.alerts_before, project=project, before=before, most=most)]


def find(database: Database | Transaction, project: str, name: str) -> Alert:
    """An alert that fires, by its rule (`errors`, or `errors/delays` where several services have it), or by what its id begins with.

    Raises errors.NotFound, errors.Invalid where several fit.
    """
    rule, _, service = name.partition("/")
    named = [
        one
        for one in open_(database, project)
        if one.state == "firing" and one.rule == rule and service in ("", one.service, one.part)
    ]
    if not named and len(name) >= 6:
        plain = name.replace("%", "").replace("_", "")
        named = [Alert(**row) for row in database.query(sql.alerts_by_prefix, project=project, prefix=f"{plain}%")]
    if not named:
        raise errors.NotFound(f"no alert {name} fires in {project}", hint="what fires: ciranda alert list")
    if len(named) > 1:
        known = ", ".join(f"{one.rule}/{one.service or one.part}" for one in named)
        raise errors.Invalid(f"several alerts are called {name}", hint=f"which one: {known}")
    return named[0]


def write(tx: Transaction, acts: Sequence[Act]) -> None:
    """What was decided."""
    for act in acts:
        if act.drop:
            tx.execute(sql.drop_alert, id=act.alert.id)
            continue
        tx.execute(sql.put_alert, **asdict(act.alert))
        if act.event:
            _tell(tx, act.event, act.alert, actor="ciranda")


def acknowledge(tx: Transaction, project: str, name: str, *, actor: str, note: str) -> Alert:
    """Somebody looks after it. Raises errors.NotFound, errors.Invalid, errors.Refused for one that is over."""
    alert = find(tx, project, name)
    at = clock.now_us()
    note = note[:MOST]
    if not tx.execute(sql.acknowledge, id=alert.id, by=actor, at_us=at, note=note):
        raise errors.Refused(f"{alert.rule} is over", hint="what fires: ciranda alert list")
    acked = Alert(**{**asdict(alert), "acked_by": actor, "acked_us": at, "note": note})
    _tell(tx, "alert.acknowledged", acked, actor=actor)
    return acked


def silence(
    tx: Transaction, project: str, *, environment: str, rule: str, service: str, seconds: float, reason: str, actor: str
) -> Silence:
    """Let nobody be told of what fits for some time. Raises errors.Invalid."""
    if not rule and not service:
        raise errors.Invalid(
            "a silence needs a rule or a service", hint="ciranda alert silence errors --for 2h --reason …"
        )
    length = round(seconds * 1e6)
    if not 0 < length <= LONGEST:
        raise errors.Invalid("a silence is at most 30 days long", hint="--for 2h")
    if not reason.strip():
        raise errors.Invalid("a silence needs a reason", hint='--reason "the source is being moved"')
    now = clock.now_us()
    made = Silence(clock.uuid7(), project, environment, rule, service, reason[:MOST], actor, now, now + length)
    tx.execute(sql.put_silence, **asdict(made))
    body = {**asdict(made), "seconds": seconds}
    events.append(
        tx, chain=project, kind="alert.silenced", subject=_place(project, environment), actor=actor, body=body
    )
    return made


def unsilence(tx: Transaction, project: str, name: str, *, actor: str) -> Silence:
    """End a silence, by what its id begins with or by its rule. Raises errors.NotFound, errors.Invalid."""
    now = clock.now_us()
    found = [one for one in silences(tx, project, now) if one.id.startswith(name) or name in (one.rule, one.service)]
    if not found:
        raise errors.NotFound(f"there is no silence {name} in {project}", hint="what there is: ciranda alert list")
    if len(found) > 1:
        raise errors.Invalid(f"several silences are called {name}", hint=", ".join(one.id[:13] for one in found))
    tx.execute(sql.end_silence, project=project, id=found[0].id, now_us=now)
    place = _place(project, found[0].environment)
    events.append(
        tx,
        chain=project,
        kind="alert.unsilenced",
        subject=place,
        actor=actor,
        body={"id": found[0].id, "rule": found[0].rule},
    )
    return found[0]


def silences(database: Database | Transaction, project: str, now_us: int) -> list[Silence]:
    """Silences that have not ended, the next to end first."""
    return [Silence(**row) for row in database.query(sql.silences, project=project, now_us=now_us)]


def _tell(tx: Transaction, kind: str, alert: Alert, *, actor: str) -> None:
    events.append(
        tx,
        chain=alert.project,
        kind=kind,
        subject=_place(alert.project, alert.environment),
        actor=actor,
        body=body(alert),
    )


def body(alert: Alert) -> dict[str, Any]:
    """What its events say of an alert."""
    told: dict[str, Any] = {
        "alert": alert.id, "rule": alert.rule, "metric": alert.metric, "service": alert.service, "part": alert.part,
        "release": alert.release, "severity": alert.severity, "owner": alert.owner, "runbook": alert.runbook, "value": alert.value,
        "since_us": alert.since_us, "text": alert.text, "group": alert.group, "source": alert.source,
    }  # fmt: skip
    if alert.resolved_us is not None:
        told |= {"resolved_us": alert.resolved_us, "reason": alert.reason}
    if alert.acked_us is not None:
        told |= {"acked_by": alert.acked_by, "note": alert.note}
    return told


def _place(project: str, environment: str) -> str:
    return f"{project}/{environment}" if environment else project


def last_event(database: Database) -> int:
    """The newest event of all; 0: there is none."""
    row = database.one(sql.last_event)
    return 0 if row is None else int(row["seq"])
