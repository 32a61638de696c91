"""Revisions: the history of an environment, as it is read. Each is immutable but for its end; live is the last one reached."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ciranda.environment.times import STANDBYS, WAYS
from ciranda.kernel import errors, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.project import rollout
from ciranda.project.rollout import Rollout
from ciranda.project.values import Scalar

sql = statements.load("ciranda.environment")

State = Literal["target", "reached", "failed", "superseded"]
Cause = Literal["promotion", "rollback", "scale", "config", "secret", "clone", "destroy", "infra"]


@dataclass(frozen=True, slots=True)
class Value:
    """A resolved configuration value and the layer that it came from: `default`, `environments.NAME`, `infra` or `server`."""

    value: Scalar
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
    frozen: tuple[str, ...] = ()  # windows in which no new release enters, as the last one that entered says


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
    secrets: dict[str, int] = field(default_factory=dict)  # name → version
    infra: dict[str, Any] = field(
        default_factory=dict
    )  # {"folder", "digest", "serial", "run"}; empty: none is declared
    rollout: Rollout | None = None  # by which steps it enters where another release is live; None: at once

    @property
    def name(self) -> str:
        """What people call it: `prod#17`."""
        return f"{self.environment}#{self.number}"

    @property
    def gone(self) -> bool:
        """The environment was destroyed: nothing runs there."""
        return self.cause == "destroy"


def environment(database: Database | Transaction, project: str, name: str) -> Environment:
    """One environment. Raises errors.NotFound."""
    row = database.one(sql.environment, project=project, name=name)
    if row is None:
        known = ", ".join(one.name for one in environments(database, project))
        hint = f"what there is: {known}" if known else "nothing was delivered yet: ciranda status"
        raise errors.NotFound(f"{project} has no environment {name}", hint=hint)
    return _environment(row)


def environments(database: Database | Transaction, project: str = "") -> list[Environment]:
    """Every environment of the home, or of one project, in the order in which they came to be."""
    return [_environment(row) for row in database.query(sql.environments, project=project)]


def _environment(row: Mapping[str, Any]) -> Environment:
    return Environment(**{**row, "held": bool(row["held"]), "frozen": tuple(json.loads(row["frozen"]))})


def live(database: Database | Transaction, project: str, environment: str) -> Revision | None:
    """What an environment runs: the last revision that was reached; None also after it was destroyed."""
    found = last_reached(database, project, environment)
    return None if found is None or found.gone else found


def last_reached(database: Database | Transaction, project: str, environment: str) -> Revision | None:
    """The last revision that was reached, an end included."""
    row = database.one(sql.live_revision, project=project, environment=environment)
    return None if row is None else revision(row)


def current_target(database: Database | Transaction, project: str, environment: str) -> Revision | None:
    """The revision that an environment is on its way to."""
    row = database.one(sql.target_revision, project=project, environment=environment)
    return None if row is None else revision(row)


def current(database: Database | Transaction, project: str, environment: str) -> Revision | None:
    """What an environment should run: its target, else what was reached last; `gone` where it was destroyed."""
    return current_target(database, project, environment) or last_reached(database, project, environment)


def refuse_other(tx: Transaction, project: str, environment: str, shown: str) -> None:
    """Raises errors.Stale unless an environment is still at the revision that somebody was shown."""
    now = current(tx, project, environment)
    if now is None or now.id != shown:
        there = "nothing" if now is None else now.name
        raise errors.Stale(f"{environment} is at {there} now, not at what was shown", hint="look at it again")


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


def page(database: Database, project: str, environment: str, before: int, most: int) -> list[Revision]:
    """The revisions of an environment whose number is below `before`, newest first."""
    named: dict[str, Any] = {"project": project, "environment": environment, "before": before, "most": most}
    return [revision(row) for row in database.query(sql.revisions_before, **named)]


def where(database: Database, release: str, most: int = 50) -> list[Revision]:
    """The revisions of a release (its identity in the ledger) in every environment, newest first."""
    return [revision(row) for row in database.query(sql.revisions_of_release, release=release, most=most)]


def reached_since(database: Database | Transaction, project: str, environment: str, since_us: int) -> list[Revision]:
    """Revisions that were reached after `since_us`, newest first, and the one that the oldest of them replaced.

    No further back than the releases that stay warm beside the live one.
    """
    rows = database.query(sql.reached_since, project=project, environment=environment, since_us=since_us)
    return nearest([revision(row) for row in rows])


def nearest(reached: Sequence[Revision]) -> list[Revision]:
    """Of revisions, newest first, those of the live release and of the few that stay warm beside it. Pure.

    Of what one release ran with (configuration, secrets) the newest and the one before it count.
    """
    found: list[Revision] = []
    contents: dict[str, list[tuple[dict[str, Value], dict[str, int]]]] = {}
    for each in reached:
        if each.release not in contents and len(contents) > STANDBYS:
            break
        known = contents.setdefault(each.release, [])
        if (each.config, each.secrets) not in known:
            if len(known) == WAYS:
                continue
            known.append((each.config, each.secrets))
        found.append(each)
        if each.gone:  # whatever ran before was given up with it
            break
    return found


def revision(row: Mapping[str, Any]) -> Revision:
    """A row as a record."""
    fields = dict(row)
    verify = json.loads(row["verify"])
    fields["secrets"] = json.loads(row["secrets"])
    fields["rollout"] = rollout.of_document(json.loads(row["rollout"]))
    fields["infra"] = json.loads(row["infra"])
    fields["config"] = {name: Value(**value) for name, value in json.loads(row["config"]).items()}
    fields["instances"] = {name: Count(**value) for name, value in json.loads(row["instances"]).items()}
    fields["verify"] = Verification(tuple(verify["commands"]), verify["timeout"])
    fields["bad"] = bool(row["bad"])
    return Revision(**fields)
