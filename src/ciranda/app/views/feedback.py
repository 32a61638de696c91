"""What people see of feedback: channels and how it goes with them, incidents with their timelines, the delivery figures."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.app import home as homes
from ciranda.environment import revisions, secrets
from ciranda.feedback import channels as rows
from ciranda.feedback import delivery as figures
from ciranda.feedback import incidents, items, review, timeline
from ciranda.feedback.delivery import Figures, Trend
from ciranda.feedback.incidents import Incident
from ciranda.feedback.items import Item
from ciranda.feedback.timeline import Moment
from ciranda.kernel import clock, errors, statements
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes, receive
from ciranda.monitor.series import samples
from ciranda.project.declaration import Project
from ciranda.project.notify import SECRET
from ciranda.release import releases
from ciranda.versions import repositories

sql = statements.load("ciranda.feedback")
STEP = 60_000_000  # µs between two points of what is added up
DEAD = 600_000_000  # µs of failing after which a channel is told as dead


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel and how it goes with it. `state`: waits (nothing was told yet), works, fails, unset (a secret is missing)."""

    name: str
    kind: str
    to: str  # whom it reaches, without what is secret
    severity: str
    owners: tuple[str, ...]
    events: tuple[str, ...]
    language: str
    state: str
    problem: str
    sent: int
    dropped: int
    sent_us: int | None
    failing_us: int | None
    retry_us: int | None
    missing: tuple[str, ...]  # secrets that are not set


@dataclass(frozen=True, slots=True)
class Told:
    """An incident, what happened in it, what is planned because of it, and a draft of its review."""

    incident: Incident
    moments: tuple[Moment, ...]
    items: tuple[Item, ...]
    failed: review.Failed | None
    draft: str

    def document(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {**asdict(self), "incident": brief(self.incident) | {"review": self.incident.review}}


@dataclass(frozen=True, slots=True)
class Part:
    """The figures of a project (`service` "") or of one service, of this window and of the one before."""

    service: str
    now: Figures
    before: Figures
    trend: Trend


@dataclass(frozen=True, slots=True)
class Delivery:
    """DORA's figures of a project, of the last environment of its chain unless another one is asked for."""

    project: str
    environment: str
    days: float
    parts: tuple[Part, ...]

    def document(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


def declared(home: homes.Home, database: Database, project: str) -> Project | None:
    """What the protected branch of a project declares; None where there is none, or none that can be read."""
    known = changes.project(database, project)
    if known is None:
        return None
    repository = repositories.path(home.repositories, known.repository)
    if not repository.exists():
        return None
    try:
        head = repositories.read_ref(repository, known.ref)
        return None if head is None else receive.declared(repository, head)
    except errors.CirandaError:
        return None


def channels(database: Database, home: homes.Home, project: str) -> list[Channel]:
    """The channels that the protected branch declares."""
    told = declared(home, database, project)
    there = {row.name: row for row in rows.rows(database, project)}
    known = secrets.versions(database, project, secrets.PROJECT)
    found = []
    for one in () if told is None else told.channels:
        row = there.get(one.name)
        named = [one.url.removeprefix(SECRET)] if one.url.startswith(SECRET) else []
        missing = tuple(name for name in [*named, *([one.sign] if one.sign else [])] if name not in known)
        found.append(
            Channel(
                one.name,
                one.kind,
                ", ".join(one.email) or one.url,
                one.severity,
                one.owners,
                one.events,
                one.language,
                _state(row, missing),
                "" if row is None else row.problem,
                0 if row is None else row.sent,
                0 if row is None else row.dropped,
                None if row is None else row.sent_us,
                None if row is None else row.failing_us,
                None if row is None else row.retry_us,
                missing,
            )
        )
    return found


def incident(
    database: Database,
    project: str,
    number: int,
    language: str = "en",
    failed: Callable[[Incident], review.Failed | None] = lambda _: None,
) -> Told:
    """One incident. Raises errors.NotFound."""
    found = incidents.get(database, project, number)
    moments = timeline.gather(database, found, lambda name: release_name(database, name), clock.now_us(), language)
    planned = items.of_incident(database, found.id)
    lost = failed(found)
    draft = review.draft(found, moments, planned, failed=lost, language=language)
    return Told(found, tuple(moments), tuple(planned), lost, draft)


def failed_requests(reading: samples.Reading, one: Incident, now_us: int) -> review.Failed | None:
    """Requests while it went on, as far as metrics reach back; None: they do not."""
    labels = {"project": one.project, "environment": one.environment} | (
        {"service": one.service} if one.service else {}
    )
    until_us = one.resolved_us or now_us
    step_us = max(STEP, (until_us - one.started_us) // 1000)
    try:
        found = reading.several(["requests", "errors"], labels, one.started_us, until_us, step_us, "sum")
    except errors.CirandaError:
        return None
    requests, failed = ([value for line in found[name] for value in line.known] for name in ("requests", "errors"))
    return review.Failed(round(sum(requests)), round(sum(failed))) if requests else None


def brief(one: Incident) -> dict[str, Any]:
    """An incident without its review."""
    return {name: value for name, value in asdict(one).items() if name != "review"} | {"reviewed": bool(one.review)}


def delivery(database: Database, store: Store, project: str, environment: str, days: float) -> Delivery:
    """The figures of the last `days` days against those before. Raises errors.NotFound, errors.Invalid."""
    if not 0 < days <= 3650:
        raise errors.Invalid(f"{days:g} days are no window", hint="between 1 and 3650: --since 30d")
    name = (
        revisions.environment(database, project, environment).name if environment else _last(database, store, project)
    )
    now_us = clock.now_us()
    width = int(days * figures.DAY)
    history = gather(database, project, name, now_us - 2 * width, now_us)
    services = sorted({service for one in history.entries[-50:] for service in one.services})
    parts = []
    for service in ("", *services):
        now = figures.measure(history, now_us - width, now_us, service)
        before = figures.measure(history, now_us - 2 * width, now_us - width, service)
        parts.append(Part(service, now, before, figures.trend(now, before)))
    return Delivery(project, name, days, tuple(parts))


def gather(database: Database, project: str, environment: str, since_us: int, until_us: int) -> figures.History:
    """What the ledger knows of an environment, as the figures take it."""
    named: dict[str, Any] = {"project": project, "environment": environment}
    window: dict[str, Any] = {"project": project, "since_us": since_us, "until_us": until_us}
    entries = [
        figures.Entry(
            int(row["number"]),
            f"r{row['release_number']}",
            row["cause"],
            row["state"],
            int(row["created_us"]),
            row["routed_us"],
            row["ended_us"],
            row["recorded_us"],
            tuple(sorted(json.loads(row["instances"]))),
            row["reason"],
        )
        for row in database.query(sql.entries, **named)
    ]
    troubles = [
        figures.Trouble(one.number, one.started_us, one.resolved_us, one.service)
        for one in incidents.since(database, project, environment, 0, until_us)
    ]
    refused = figures.of_jobs(database.query(sql.ended_jobs, since_us=since_us, **named))
    refused += [
        figures.Refused("data", f"change {row['number']}", int(row["ended_us"]), row["reason"])
        for row in database.query(sql.refused_data, **window)
    ]
    refused += figures.of_rechecks(database.query(sql.worse_releases, **window), environment)
    return figures.History(entries, troubles, refused)


def release_name(database: Database, release: str) -> str:
    """What people call a release, by its identity; a name is its own."""
    if re.fullmatch(r"r\d{1,9}", release):
        return release
    try:
        return releases.by_id(database, release).name
    except errors.NotFound:
        return release[:12]


def _last(database: Database, store: Store, project: str) -> str:
    """The last environment of the chain, as the newest release has it; where that cannot be read, the newest environment."""
    newest = releases.latest(database, project)
    try:
        chain = [] if newest is None else list(releases.manifest(store, newest).environments)
    except (errors.NotFound, errors.Corrupt):
        chain = [place.name for place in revisions.environments(database, project)]
    if not chain:
        raise errors.NotFound(f"{project} has delivered nothing yet", hint="what there is: ciranda status")
    return chain[-1]


def _state(row: rows.Row | None, missing: tuple[str, ...]) -> str:
    if missing:
        return "unset"
    if row is None or (row.sent_us is None and row.failing_us is None):
        return "waits"
    return "works" if row.failing_us is None else "fails"
