"""Tokens, by which users are known.

A token is `cir_` + 16 hex (its name in the ledger) + `_` + 64 hex (256 bits from the system's generator). Only its
digest is stored, and it is compared in constant time. One that was revoked, or is too old, is nobody's at once.
"""

import os
import re
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path

from ciranda.access import users
from ciranda.access.roles import ALL, ROLES, Grant, Role, User, require
from ciranda.kernel import clock, digest, errors, events, files, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.failpoints import failpoint

__all__ = ["ROLES", "Role", "User", "require"]
DAY = 86_400 * 1_000_000

sql = statements.load("ciranda.access")
_TOKEN = re.compile(r"cir_([0-9a-f]{16})_[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Token:
    """A token as a list shows it: never itself. `until_us` None: until it is revoked."""

    id: str
    user: str
    label: str
    actor: str
    at_us: int
    until_us: int | None


def create(tx: Transaction, *, user: str, role: Role) -> str:
    """Make a token for a user, who is made, or given this role everywhere, with it. The plain token is kept nowhere."""
    token = _new()
    _insert(tx, token, user, role)
    return token


def make(tx: Transaction, user: str, *, label: str = "", days: int = 0, actor: str) -> tuple[str, Token]:
    """Another token of a user that is there, good for so many days (0: until it is revoked); shown this once.

    Raises errors.NotFound, errors.Invalid.
    """
    users.get(tx, user)
    if not 0 <= days <= 3650:
        raise errors.Invalid(f"a token for {days} days", hint="between 1 and 3650, or 0: until it is revoked")
    if len(label) > 80 or not label.isprintable():
        raise errors.Invalid("a label is one line of at most 80 characters")
    token, now_us = _new(), clock.now_us()
    made = Token(identity(token) or "", user, label, actor, now_us, now_us + days * DAY if days else None)
    _keep(tx, token, made)
    body = {"user": user, "token": made.id, "label": label, "until_us": made.until_us}
    events.append(tx, chain=users.CHAIN, kind="token.created", subject=user, actor=actor, body=body)
    return token, made


def listing(database: Database | Transaction, user: str | None = None) -> list[Token]:
    """The tokens that are good now, of one user or of all."""
    rows = database.query(sql.tokens, now_us=clock.now_us())
    return [
        Token(row["id"], row["user_name"], row["label"], row["actor"], row["at_us"], row["until_us"])
        for row in rows
        if user in (None, row["user_name"])
    ]


def owner(database: Database | Transaction, id: str) -> str:
    """Whose token this is, by its name in the ledger. Raises errors.NotFound."""
    row = database.one(sql.token_owner, id=id)
    if row is None:
        raise errors.NotFound(f"there is no token {id[:40]}", hint="what there is: ciranda token list")
    return str(row["user_name"])


def revoke(tx: Transaction, id: str, *, actor: str) -> str:
    """Let a token be nobody's from now on, and the sessions that it began end; whose it was.

    Raises errors.NotFound, errors.Refused for the last one by which somebody may do everything.
    """
    user, now_us = owner(tx, id), clock.now_us()
    alone = tx.one(sql.other_admin, user=user, now_us=now_us) is None
    if (
        alone
        and users.get(tx, user).role == "admin"
        and tx.one(sql.other_token, user=user, id=id, now_us=now_us) is None
    ):
        raise errors.Refused(
            "this is the last token by which an admin of everything is known",
            hint=f"make another one first: ciranda token create --user {user}",
        )
    tx.execute(sql.revoke_token, id=id, now_us=now_us)
    events.append(
        tx, chain=users.CHAIN, kind="token.revoked", subject=user, actor=actor, body={"user": user, "token": id}
    )
    return user


def find(database: Database, token: str) -> User | None:
    """Whose token this is; None: nobody's."""
    name = identity(token)
    row = database.one(sql.token, id=name, now_us=clock.now_us()) if name else None
    if row is None or not compare_digest(row["digest"], digest.digest("token", token.encode())):
        return None
    return users.with_grants(database, row["name"])


def identity(token: str) -> str | None:
    """The name of a token in the ledger; None: it is none."""
    parts = _TOKEN.fullmatch(token)
    return parts.group(1) if parts else None


def user(database: Database, name: str) -> User | None:
    """The user of this name; None: nobody is called so."""
    return users.find(database, name)


def first_token(database: Database, path: Path, *, user: str = "admin") -> None:
    """If the ledger knows no admin's token that is good, give it one and leave that in a file (0600).

    So whoever may write the home always finds a way back in. The file is written first: after a crash between the two, the
    token of the file is the one that is taken.
    """
    if database.one(sql.usable_admin, now_us=clock.now_us()):
        return

    def work(tx: Transaction) -> None:
        if tx.one(sql.usable_admin, now_us=clock.now_us()):
            return
        token = _read(path)
        if token is None or tx.one(sql.token_known, id=identity(token)):
            token = _new()
            files.write_atomic(path, token.encode() + b"\n", mode=0o600)
        failpoint("access.token.written")
        there = tx.one(sql.admins)
        _insert(tx, token, there["name"] if there else user, "admin")

    database.write(work)


def _new() -> str:
    return f"cir_{os.urandom(8).hex()}_{os.urandom(32).hex()}"


def _read(path: Path) -> str | None:
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return None
    return text if _TOKEN.fullmatch(text) else None


def _insert(tx: Transaction, token: str, user: str, role: Role) -> None:
    now_us = clock.now_us()
    tx.execute(sql.put_user, name=user, at_us=now_us)
    everywhere = Grant(ALL, ALL, role)
    tx.execute(
        sql.put_grant, user=user, project=everywhere.project, environment=everywhere.environment, role=role, actor="",
        at_us=now_us,
    )  # fmt: skip
    _keep(tx, token, Token(identity(token) or "", user, "", "", now_us, None))


def _keep(tx: Transaction, token: str, made: Token) -> None:
    tx.execute(
        sql.insert_token, id=made.id, digest=digest.digest("token", token.encode()), user=made.user, at_us=made.at_us,
        label=made.label, actor=made.actor, until_us=made.until_us,
    )  # fmt: skip
