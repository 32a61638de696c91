"""Users: who there is and what each may do where. Every change of it is an event of the home's own chain."""

import re
from dataclasses import dataclass, replace
from typing import get_args

from ciranda.access.roles import ALL, ROLES, Grant, Role, User
from ciranda.kernel import clock, errors, events, statements
from ciranda.kernel.database import Database, Transaction

CHAIN = "-"  # of the facts that are of no project: no project can be called so
KEPT = ("ciranda", "schedule")  # who acts where no person does

sql = statements.load("ciranda.access")
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Person:
    """A user as a list shows them, with how many tokens they are known by, and since when (µs UTC)."""

    user: User
    tokens: int
    since_us: int


def find(database: Database | Transaction, name: str) -> User | None:
    """The user of this name; None: nobody is called so, or not any more."""
    return with_grants(database, name) if database.one(sql.user, name=name) else None


def get(database: Database | Transaction, name: str) -> User:
    """The user of this name. Raises errors.NotFound."""
    found = find(database, name)
    if found is None:
        raise errors.NotFound(f"there is no user {name}", hint="who there is: ciranda user list")
    return found


def with_grants(database: Database | Transaction, name: str) -> User:
    """A user who is known to be there, with what they may do."""
    rows = database.query(sql.grants_of, user=name)
    return _user(name, [Grant(row["project"], row["environment"], row["role"]) for row in rows])


def everybody(database: Database | Transaction) -> list[Person]:
    """Every user, by name."""
    grants: dict[str, list[Grant]] = {}
    for row in database.query(sql.all_grants):
        grants.setdefault(row["user_name"], []).append(Grant(row["project"], row["environment"], row["role"]))
    known = [row["user_name"] for row in database.query(sql.tokens, now_us=clock.now_us())]
    return [
        Person(_user(row["name"], grants.get(row["name"], [])), known.count(row["name"]), row["at_us"])
        for row in database.query(sql.all_users)
    ]


def alone(database: Database | Transaction) -> bool:
    """Whether the home has one user: then whoever runs something here is whoever may let it in."""
    row = database.one(sql.count_users)
    return row is None or int(row["number"]) <= 1


def add(tx: Transaction, name: str, *, actor: str) -> User:
    """Make a user known, who may do nothing yet. Raises errors.Invalid for the name, errors.Refused for one that is taken."""
    if not _NAME.fullmatch(name) or name in KEPT:
        raise errors.Invalid(
            f"nobody can be called {name[:64]!r}",
            hint="small letters, digits and . _ @ -, at most 64: bea, ana@example.org",
        )
    if tx.one(sql.user, name=name):
        raise errors.Refused(f"there is a user {name} already", hint="who there is: ciranda user list")
    tx.execute(sql.put_user, name=name, at_us=clock.now_us())
    events.append(tx, chain=CHAIN, kind="user.added", subject=name, actor=actor, body={"user": name})
    return User(name)


def remove(tx: Transaction, name: str, *, actor: str) -> None:
    """Let nobody be known by this name any more: tokens and sessions end at once.

    Raises errors.NotFound, errors.Refused for the last one who may do everything.
    """
    if get(tx, name).role == "admin":
        _refuse_last(tx, name, "removed")
    now_us = clock.now_us()
    tx.execute(sql.remove_user, name=name, now_us=now_us)
    tx.execute(sql.revoke_tokens, user=name, now_us=now_us)
    tx.execute(sql.end_sessions, user=name)
    tx.execute(sql.end_invitations, user=name)
    tx.execute(sql.drop_grants, user=name)
    events.append(tx, chain=CHAIN, kind="user.removed", subject=name, actor=actor, body={"user": name})


def grant(tx: Transaction, name: str, wanted: Grant, *, actor: str) -> None:
    """Give a user a role somewhere, in place of the one that they have there. Raises errors.NotFound, errors.Refused."""
    if wanted.role not in get_args(Role):
        raise errors.Invalid(f"there is no role {wanted.role[:40]!r}", hint=f"there are {', '.join(ROLES)}")
    user = get(tx, name)
    everywhere = (wanted.project, wanted.environment) == (ALL, ALL)
    if everywhere and user.role == "admin" and wanted.role != "admin":
        _refuse_last(tx, name, f"made {wanted.role}")
    tx.execute(
        sql.put_grant, user=name, project=wanted.project, environment=wanted.environment, role=wanted.role, actor=actor,
        at_us=clock.now_us(),
    )  # fmt: skip
    _tell(tx, "role.granted", name, wanted, actor)


def revoke(tx: Transaction, name: str, project: str, environment: str, *, actor: str) -> Role:
    """Take the role that a user has somewhere; what it was. Raises errors.NotFound, errors.Refused."""
    user = get(tx, name)
    if (project, environment) == (ALL, ALL) and user.role == "admin":
        _refuse_last(tx, name, "without that role")
    row = tx.one(sql.drop_grant, user=name, project=project, environment=environment)
    if row is None:
        place = Grant(project, environment, "viewer").place
        raise errors.NotFound(f"{name} was given no role in {place}", hint="who may do what: ciranda user list")
    role: Role = row["role"]
    _tell(tx, "role.revoked", name, Grant(project, environment, role), actor)
    return role


def _tell(tx: Transaction, kind: str, name: str, wanted: Grant, actor: str) -> None:
    body = {"user": name, "project": wanted.project, "environment": wanted.environment, "role": wanted.role}
    events.append(tx, chain=CHAIN, kind=kind, subject=name, actor=actor, body=body)


def _refuse_last(tx: Transaction, name: str, what: str) -> None:
    if tx.one(sql.other_admin, user=name, now_us=clock.now_us()) is None:
        raise errors.Refused(
            f"{name} is the last admin of everything and cannot be {what}",
            hint="make another one first: ciranda user grant NAME admin, and ciranda token create --user NAME",
        )


def _user(name: str, grants: list[Grant]) -> User:
    everywhere = next((one for one in grants if (one.project, one.environment) == (ALL, ALL)), None)
    narrower = tuple(one for one in grants if one is not everywhere)
    user = User(name, grants=narrower)
    return user if everywhere is None else replace(user, role=everywhere.role)
