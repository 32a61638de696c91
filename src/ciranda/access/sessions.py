"""Browsers that are signed in: a link that is good once makes a session, whose name only the browser's cookie holds.

Both are 256 bits from the system's generator. Only their digests are stored, by which they are looked up, so that
neither can be guessed from the time that an answer takes.
"""

import os
import re
from hmac import compare_digest

from ciranda.access import users
from ciranda.access.roles import User
from ciranda.kernel import clock, digest, statements
from ciranda.kernel.database import Database, Transaction

INVITED = 60  # seconds that a link is good
SIGNED_IN = 30 * 24 * 3600  # seconds that a session lasts

sql = statements.load("ciranda.access")
_NAME = re.compile(r"[0-9a-f]{64}")


def invite(tx: Transaction, user: str, *, token: str | None = None) -> str:
    """The code of a link that signs a user in, once, within `INVITED` seconds. The session ends with `token`, if one is named."""
    code = os.urandom(32).hex()
    now_us = clock.now_us()
    tx.execute(sql.drop_invitations, now_us=now_us)
    tx.execute(
        sql.insert_invitation, digest=_digest(code), user=user, until_us=now_us + INVITED * 1_000_000, token=token
    )
    return code


def begin(tx: Transaction, code: str) -> str | None:
    """The session that a link's code begins; None when it was used, is too old or never was."""
    taken = tx.one(sql.take_invitation, digest=_digest(code)) if _NAME.fullmatch(code) else None
    now_us = clock.now_us()
    if taken is None or taken["until_us"] <= now_us:
        return None
    session = os.urandom(32).hex()
    tx.execute(sql.drop_sessions, now_us=now_us)
    tx.execute(
        sql.insert_session, digest=_digest(session), user=taken["user_name"], until_us=now_us + SIGNED_IN * 1_000_000,
        token=taken["token"],
    )  # fmt: skip
    return session


def find(database: Database, session: str) -> User | None:
    """Whose session this is, with what they may do now; None: nobody's, or not any more."""
    if not _NAME.fullmatch(session):
        return None
    row = database.one(sql.session, digest=_digest(session), now_us=clock.now_us())
    return None if row is None else users.with_grants(database, row["name"])


def end(tx: Transaction, session: str) -> None:
    """Sign a browser out."""
    tx.execute(sql.end_session, digest=_digest(session))


def seal(session: str) -> str:
    """What a form of this session carries, so that no other page can send it: it cannot be known without the cookie."""
    return digest.digest("form", session.encode()).removeprefix(digest.PREFIX)


def sealed(session: str, given: str) -> bool:
    """Whether a form was made for this session."""
    return compare_digest(seal(session).encode(), given.encode())


def _digest(secret: str) -> str:
    return digest.digest("session", secret.encode())
