"""Revisions: the history of an environment. Each is immutable but for its end; live is the last one reached."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ciranda.environment.times import STANDBYS
from ciranda.kernel import clock, digest, errors, events, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.project import declaration
from ciranda.release import manifest, releases

sql = statements.load("ciranda.environment")

State = Literal["target", "reached", "failed", "superseded"]
Cause = Literal["promotion", "rollback", "scale"]


@dataclass(frozen=True, slots=True)
class Value:
    """A resolved configuration value and the layer that it came from: `default` or `environments.NAME`."""

    value: declaration.Scalar
    layer: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many instances of a service, and who says so: `declared` or `scale`."""

    count: int
    layer: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Commands that must pass after the swap; `timeout` in seconds, each."""

    commands: tuple[str, ...] = ()
    timeout: float = 300.0


@dataclass(frozen=True, slots=True)
class Environment:
    """A named place; while it is held no new release enters it."""

    project: str
    name: str
    held: bool
    held_reason: str
    held_by: str
    held_us: int | None
    created_us: int


@dataclass(frozen=True, slots=True)
class Revision:
    """What should run in an environment. `release` is the release's identity in the ledger."""

    id: str
    project: str
    environment: str
    number: int
    release: str
    config: dict[str, Value]
    instances: dict[str, Count]
    verify: Verification
    cause: Cause
    actor: str
    state: State
    reason: str
    bad: bool
    created_us: int
    routed_us: int | None
    ended_us: int | None
    verification: str | None = None  # the task that runs `verify`

    @property
    def name(self) -> str:
        """What people call it: `prod#17`."""
        return f"{self.environment}#{self.number}"


def declare(tx: Transaction, project: str, environment: str) -> None:
    """Make an environment known before anything is deployed there; safe to repeat."""
    tx.execute(sql.ensure_environment, project=project, name=environment, created_us=clock.now_us())


def environment(database: Database | Transaction, project: str, name: str) -> Environment:
    """One environment. Raises errors.NotFound."""
    row = database.one(sql.environment, project=project, name=name)
    if row is None:
        known = ", ".join(one.name for one in environments(database, project))
        hint = f"what there is: {known}" if known else "nothing was delivered yet: ciranda status"
        raise errors.NotFound(f"{project} has no environment {name}", hint=hint)
    return Environment(**row | {"held": bool(row["held"])})


def environments(database: Database | Transaction, project: str = "") -> list[Environment]:
    """Every environment of the home, or of one project, in the order in which they came to be."""
    return [
        Environment(**row | {"held": bool(row["held"])}) for row in database.query(sql.environments, project=project)
    ]


def target(
    tx: Transaction,
    *,
    environment: str,
    release: releases.Release,
    content: manifest.Manifest,
    actor: str,
    event: str | None = None,
) -> Revision:
    """Make a release the target of an environment, with its configuration there and the scale that was set there.

    Supersedes an unfinished older target. The same content twice is one revision, so a caller that was killed may
    repeat itself. `event` is the identity of the cause. Raises errors.Refused while the environment is held.
    """
    project = release.project
    declare(tx, project, environment)
    now = current(tx, project, environment)
    place = content.environments.get(environment)
    wanted = _draft(
        project=project,
        environment=environment,
        release=release.id,
        config=resolve(content, environment),
        instances=scale_of(content, now),
        verify=Verification(place.verify, place.verify_timeout) if place else Verification(),
        cause="promotion",
        actor=actor,
    )
    if now is not None and _same(now, wanted):
        return now
    refuse_held(tx, project, environment)
    return _insert(tx, wanted, event)


def rollback(
    tx: Transaction, project: str, environment: str, *, actor: str, reason: str = "", to: str | None = None
) -> tuple[Revision, Revision]:
    """Go back: the revision that is left, and a new target that copies the last reached one of an older release.

    Keeps the current scale, marks what is left as bad, holds the environment. `to` names a release that was live here
    before. It is not verified again: a failing smoke test must not bar the way back.
    Raises errors.NotFound when nothing was live here before, errors.Refused when `to` runs already.
    """
    now = current(tx, project, environment)
    if now is None:
        _known(tx, project, environment)
        raise errors.NotFound(
            f"nothing has run in {environment} of {project} yet", hint="what there is: ciranda status"
        )
    left = releases.by_id(tx, now.release)
    if to is None:
        row = tx.one(sql.way_back, project=project, environment=environment, newer=left.number)
        if row is None:
            raise errors.NotFound(
                f"{environment} has run no release before {left.name} that is good to go back to",
                hint=f"what ran there: ciranda status -e {environment}",
            )
    else:
        release = releases.get(tx, project, to)
        if release.id == now.release:
            raise errors.Refused(
                f"{environment} is at {release.name} already", hint=f"see: ciranda status -e {environment}"
            )
        row = tx.one(sql.reached_of_release, project=project, environment=environment, release=release.id)
        if row is None:
            raise errors.NotFound(
                f"{release.name} was never live in {environment}",
                hint=f"what ran there: ciranda status -e {environment}",
            )
    older = revision(row)
    tx.execute(sql.mark_bad, project=project, environment=environment, release=now.release)
    hold(tx, project, environment, reason=reason or f"rolled back from {left.name}", actor=actor)
    wanted = _draft(
        project=project,
        environment=environment,
        release=older.release,
        config=older.config,
        instances={name: now.instances.get(name, count) for name, count in older.instances.items()},
        verify=Verification(),
        cause="rollback",
        actor=actor,
    )
    return now, _insert(tx, wanted, None)


def scale(tx: Transaction, project: str, environment: str, *, service: str, count: int, actor: str) -> Revision:
    """Another number of instances of a service, kept by new releases. Raises errors.NotFound, errors.Invalid."""
    now = current(tx, project, environment)
    if now is None:
        _known(tx, project, environment)
        raise errors.NotFound(f"nothing runs in {environment} of {project} yet", hint="what there is: ciranda status")
    if service not in now.instances:
        there = ", ".join(sorted(now.instances)) or "none"
        raise errors.NotFound(f"{environment} runs no service {service}", hint=f"its services: {there}")
    if not 1 <= count <= 100:
        raise errors.Invalid(f"{count} instances of {service}: between 1 and 100 are possible")
    wanted = replace(
        now, instances=now.instances | {service: Count(count, "scale")}, cause="scale", actor=actor,
        verify=now.verify if now.state == "target" else Verification(),
    )  # fmt: skip
    if now.instances[service].count == count:
        return now
    return _insert(tx, wanted, None)


def hold(tx: Transaction, project: str, environment: str, *, reason: str, actor: str) -> bool:
    """No new release enters from now on; False when it was held already."""
    return _set_hold(tx, project, environment, held=True, reason=reason, actor=actor)


def let_go(tx: Transaction, project: str, environment: str, *, actor: str) -> bool:
    """New releases may enter again; False when it was not held."""
    return _set_hold(tx, project, environment, held=False, reason="", actor=actor)


def refuse_held(database: Database | Transaction, project: str, environment: str) -> None:
    """Raises errors.Refused when the environment is held; one that does not exist yet is not."""
    row = database.one(sql.environment, project=project, name=environment)
    if row is not None and row["held"]:
        raise errors.Refused(
            f"{environment} is held by {row['held_by']}: {row['held_reason'] or 'no reason given'}",
            hint=f"let new releases in: ciranda hold {environment} --release",
        )


def live(database: Database | Transaction, project: str, environment: str) -> Revision | None:
    """What an environment runs: the last revision that was reached."""
    row = database.one(sql.live_revision, project=project, environment=environment)
    return None if row is None else revision(row)


def current_target(database: Database | Transaction, project: str, environment: str) -> Revision | None:
    """The revision that an environment is on its way to."""
    row = database.one(sql.target_revision, project=project, environment=environment)
    return None if row is None else revision(row)


def current(database: Database | Transaction, project: str, environment: str) -> Revision | None:
    """What an environment should run: its target, else what is live."""
    return current_target(database, project, environment) or live(database, project, environment)


def get(database: Database | Transaction, project: str, environment: str, number: int) -> Revision:
    """One revision by its number. Raises errors.NotFound."""
    row = database.one(sql.revision_by_number, project=project, environment=environment, number=number)
    if row is None:
        raise errors.NotFound(f"{environment} has no revision #{number}", hint=f"see: ciranda status -e {environment}")
    return revision(row)


def by_id(database: Database | Transaction, identity: str) -> Revision:
    """One revision by its identity. Raises errors.NotFound."""
    row = database.one(sql.revision_by_id, id=identity)
    if row is None:
        raise errors.NotFound(f"there is no revision {identity}", hint="what there is: ciranda status")
    return revision(row)


def of_release(database: Database | Transaction, project: str, environment: str, release: str) -> Revision | None:
    """The newest revision of a release (its identity in the ledger), whatever became of it."""
    row = database.one(sql.last_of_release, project=project, environment=environment, release=release)
    return None if row is None else revision(row)


def history(database: Database | Transaction, project: str, environment: str, most: int = 20) -> list[Revision]:
    """The revisions of an environment, newest first."""
    rows = database.query(sql.history, project=project, environment=environment, most=most)
    return [revision(row) for row in rows]


def reached_since(database: Database | Transaction, project: str, environment: str, since_us: int) -> list[Revision]:
    """Revisions that were reached after `since_us`, newest first, and the one that the oldest of them replaced.

    No further back than the releases that stay warm beside the live one.
    """
    rows = database.query(sql.reached_since, project=project, environment=environment, since_us=since_us)
    return nearest([revision(row) for row in rows])


def nearest(reached: Sequence[Revision]) -> list[Revision]:
    """Of revisions, newest first, those of the live release and of the few that stay warm beside it. Pure."""
    found: list[Revision] = []
    others: set[str] = set()
    for each in reached:
        others |= {each.release} - {reached[0].release}
        if len(others) > STANDBYS:
            break
        found.append(each)
    return found


def mark_routed(tx: Transaction, wanted: Revision | str, at_us: int) -> None:
    """The target's instances answer now."""
    tx.execute(sql.mark_routed, id=_identity(wanted), at_us=at_us)


def mark_verifying(tx: Transaction, wanted: Revision | str, task: str) -> None:
    """The task that verifies the target is queued."""
    tx.execute(sql.mark_verifying, id=_identity(wanted), task=task)


def end(
    tx: Transaction, wanted: Revision, state: Literal["reached", "failed"], *, reason: str = "", actor: str
) -> bool:
    """The end of a target, with its event; False when it was superseded meanwhile."""
    ended = tx.execute(
        sql.mark_ended, id=wanted.id, state=state, reason=reason, bad=int(state == "failed"), ended_us=clock.now_us()
    )
    if ended:
        body = _body(wanted) | ({"reason": reason} if reason else {})
        events.append(tx, chain=wanted.project, kind=f"revision.{state}", subject=wanted.id, actor=actor, body=body)
    return bool(ended)


def resolve(content: manifest.Manifest, environment: str) -> dict[str, Value]:
    """The configuration of a release in an environment: the declared default, then the environment's layer. Pure."""
    resolved = {name: Value(setting.default, "default") for name, setting in content.settings.items()}
    place = content.environments.get(environment)
    if place is not None:
        resolved |= {name: Value(value, f"environments.{environment}") for name, value in place.values.items()}
    return resolved


def scale_of(content: manifest.Manifest, now: Revision | None) -> dict[str, Count]:
    """How many instances a release would run: what was set by `scale` stays, else what it declares. Pure."""
    kept = {} if now is None else {name: count for name, count in now.instances.items() if count.layer == "scale"}
    return {name: kept.get(name, Count(service.instances, "declared")) for name, service in content.services.items()}


def revision(row: Mapping[str, Any]) -> Revision:
    """A row as a record."""
    fields = {name: value for name, value in row.items() if name != "secrets"}
    verify = json.loads(row["verify"])
    fields["config"] = {name: Value(**value) for name, value in json.loads(row["config"]).items()}
    fields["instances"] = {name: Count(**value) for name, value in json.loads(row["instances"]).items()}
    fields["verify"] = Verification(tuple(verify["commands"]), verify["timeout"])
    fields["bad"] = bool(row["bad"])
    return Revision(**fields)


def _draft(
    *,
    project: str,
    environment: str,
    release: str,
    config: dict[str, Value],
    instances: dict[str, Count],
    verify: Verification,
    cause: Cause,
    actor: str,
) -> Revision:
    return Revision(
        "",
        project,
        environment,
        0,
        release,
        config,
        instances,
        verify,
        cause,
        actor,
        "target",
        "",
        False,
        0,
        None,
        None,
    )


def _same(now: Revision, wanted: Revision) -> bool:
    """Whether what runs, or is on its way, is this already; what is live was verified, so only its content counts."""
    content = (now.release, now.config, now.instances) == (wanted.release, wanted.config, wanted.instances)
    return content and (now.state == "reached" or now.verify == wanted.verify)


def _insert(tx: Transaction, draft: Revision, event: str | None) -> Revision:
    at_us = clock.now_us()
    last = tx.one(sql.last_revision, project=draft.project, environment=draft.environment)
    assert last is not None
    number = int(last["number"]) + 1
    tx.execute(
        sql.supersede, project=draft.project, environment=draft.environment, ended_us=at_us,
        reason=f"{draft.environment}#{number} took its place",
    )  # fmt: skip
    made = replace(
        draft, id=clock.uuid7(), number=number, state="target", reason="", bad=False, created_us=at_us, routed_us=None,
        ended_us=None,
    )  # fmt: skip
    tx.execute(
        sql.insert_revision, id=made.id, project=made.project, environment=made.environment, number=number,
        release=made.release, cause=made.cause, actor=made.actor, created_us=at_us,
        config=_text({name: {"value": one.value, "layer": one.layer} for name, one in made.config.items()}),
        instances=_text({name: {"count": one.count, "layer": one.layer} for name, one in made.instances.items()}),
        verify=_text({"commands": list(made.verify.commands), "timeout": made.verify.timeout}),
    )  # fmt: skip
    events.append(
        tx,
        chain=made.project,
        kind="revision.targeted",
        subject=made.id,
        actor=made.actor,
        cause=event,
        body=_body(made),
    )
    return made


def _set_hold(tx: Transaction, project: str, environment: str, *, held: bool, reason: str, actor: str) -> bool:
    _known(tx, project, environment)
    changed = tx.execute(
        sql.set_hold, project=project, name=environment, held=int(held), reason=reason, by=actor if held else "",
        at_us=clock.now_us() if held else None,
    )  # fmt: skip
    if changed:
        events.append(
            tx, chain=project, kind="environment.held" if held else "environment.let-go",
            subject=f"{project}/{environment}", actor=actor, body={"environment": environment, "reason": reason},
        )  # fmt: skip
    return bool(changed)


def _body(wanted: Revision) -> dict[str, Any]:
    return {
        "environment": wanted.environment,
        "number": wanted.number,
        "release": wanted.release,
        "cause": wanted.cause,
    }


def _known(tx: Transaction, project: str, name: str) -> None:
    """Raises errors.NotFound for an environment that is not there."""
    environment(tx, project, name)


def _identity(wanted: Revision | str) -> str:
    return wanted if isinstance(wanted, str) else wanted.id


def _text(value: Mapping[str, Any]) -> str:
    return digest.canonical(value).decode()
