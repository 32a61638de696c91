"""Plans as the ledger keeps them: found by their digests, asked for by releases, approved by users."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ciranda.access import users
from ciranda.environment import revisions
from ciranda.kernel import errors, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.release import releases

sql = statements.load("ciranda.environment")
SHORT, FEWEST = len("b3:") + 6, len("b3:") + 4  # characters of a digest: as it is told, and as it may be given


@dataclass(frozen=True, slots=True)
class Saved:
    """A plan that the ledger has."""

    digest: str
    project: str
    environment: str
    base: str | None
    release: str | None
    body: Mapping[str, Any]
    actor: str
    created_us: int
    asked_us: int | None  # since when a release waits for approvals of it


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved a plan, and when (µs UTC)."""

    plan: str
    actor: str
    at_us: int


def short(name: str) -> str:
    """A digest as people say it: `b3:9ad1c0`."""
    return name[:SHORT]


def find(database: Database | Transaction, name: str) -> Saved:
    """A plan by its digest or the beginning of it. Raises errors.NotFound, errors.Invalid when several begin so."""
    text = name if name.startswith("b3:") else f"b3:{name}"
    rows = database.query(sql.plans_by_prefix, prefix=f"{text}%") if text[3:].isalnum() and len(text) >= FEWEST else []
    if not rows:
        raise errors.NotFound(f"there is no plan {name}", hint="make one: ciranda plan -e ENVIRONMENT")
    if len(rows) > 1:
        raise errors.Invalid(f"several plans begin with {name}", hint="say more of its digest")
    return _saved(rows[0])


def waiting(database: Database | Transaction, project: str, environment: str) -> Saved | None:
    """The newest plan, on what is there now, that a release waits for."""
    now = revisions.current(database, project, environment)
    rows = database.query(sql.asked_plans, project=project, environment=environment)
    there = None if now is None else now.id
    return next((_saved(row) for row in rows if row["base"] == there), None)


def approvals(database: Database | Transaction, name: str) -> list[Approval]:
    """Who approved a plan, the first one first."""
    return [Approval(**row) for row in database.query(sql.approvals_of, plan=name)]


def counted(
    database: Database | Transaction, name: str, project: str, environment: str, *, without: Collection[str] = ()
) -> list[Approval]:
    """The approvals of a plan that count: of users who may approve it still, and of none of these."""
    return [
        one for one in approvals(database, name)
        if one.actor not in without and _may(database, one.actor, project, environment)
    ]  # fmt: skip


def _may(database: Database | Transaction, name: str, project: str, environment: str) -> bool:
    user = users.find(database, name)
    return user is not None and user.may("operator", project, environment)


def asked(database: Database | Transaction, release: releases.Release) -> bool:
    """Whether a release waits, or once waited, for approvals."""
    return database.one(sql.asked_for_release, release=release.digest) is not None


def _saved(row: Mapping[str, Any]) -> Saved:
    return Saved(**dict(row) | {"body": json.loads(row["body"])})
