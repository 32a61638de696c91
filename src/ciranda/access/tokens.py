"""Users, what they may do, and the tokens by which they are known.

A token is `cir_` + 16 hex (its name in the ledger) + `_` + 64 hex (256 bits from the system's generator). Only its
digest is stored, and it is compared in constant time.
"""

import os
import re
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Literal, get_args

from ciranda.kernel import clock, digest, errors, files, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.failpoints import failpoint

Role = Literal["viewer", "developer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may

sql = statements.load("ciranda.access")
_TOKEN = re.compile(r"cir_([0-9a-f]{16})_[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is known by a token."""

    name: str
    role: Role


def create(tx: Transaction, *, user: str, role: Role) -> str:
    """Make a token for a user, who is made, or given this role, with it. The plain token is kept nowhere."""
    token = _new()
    _insert(tx, token, user, role)
    return token


def find(database: Database, token: str) -> User | None:
    """Whose token this is; None: nobody's."""
    parts = _TOKEN.fullmatch(token)
    row = database.one(sql.token, id=parts.group(1)) if parts else None
    if row is None or not compare_digest(row["digest"], digest.digest("token", token.encode())):
        return None
    return User(row["name"], row["role"])


def user(database: Database, name: str) -> User | None:
    """The user of this name; None: nobody is called so."""
    row = database.one(sql.user, name=name)
    return None if row is None else User(row["name"], row["role"])


def first_token(database: Database, path: Path, *, user: str = "admin") -> None:
    """If the ledger knows no token yet, give it one of an admin and leave that in a file (0600).

    The file is written first: after a crash between the two, the token of the file is the one that is taken.
    """
    if database.one(sql.any_token):
        return

    def work(tx: Transaction) -> None:
        if tx.one(sql.any_token):
            return
        token = _read(path)
        if token is None:
            token = _new()
            files.write_atomic(path, token.encode() + b"\n", mode=0o600)
        failpoint("access.token.written")
        _insert(tx, token, user, "admin")

    database.write(work)


def require(user: User | None, role: Role) -> User:
    """The user, who may do what this role may. Raises errors.Refused."""
    if user is None:
        raise errors.Refused("a token is needed here", hint="the first one is in the file `token` of the home")
    if ROLES.index(user.role) < ROLES.index(role):
        raise errors.Refused(f"{user.name} is {user.role}, and this needs {role}", hint=f"ask somebody who is {role}")
    return user


def _new() -> str:
    return f"cir_{os.urandom(8).hex()}_{os.urandom(32).hex()}"


def _read(path: Path) -> str | None:
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return None
    return text if _TOKEN.fullmatch(text) else None


def _insert(tx: Transaction, token: str, user: str, role: Role) -> None:
    parts = _TOKEN.fullmatch(token)
    assert parts is not None
    tx.execute(sql.put_user, name=user, role=role, at_us=clock.now_us())
    tx.execute(
        sql.insert_token,
        id=parts.group(1),
        digest=digest.digest("token", token.encode()),
        user=user,
        at_us=clock.now_us(),
    )
