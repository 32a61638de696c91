"""What is remembered of code checks, by key: passes, and how many failures there were, never what failed."""

from ciranda.kernel import statements
from ciranda.kernel.database import Database

sql = statements.load("ciranda.checks")


def find(database: Database, key: str) -> str | None:
    """The summary of an earlier pass under this key."""
    row = database.one(sql.find_pass, key=key)
    return None if row is None else str(row["summary"])


def keep(database: Database, key: str, summary: str, at_us: int) -> None:
    """Remember a pass; an equal one stays as it is."""
    database.write(lambda tx: tx.execute(sql.keep_pass, key=key, summary=summary, at_us=at_us))


def failures(database: Database, key: str) -> int:
    """How often the check failed under this key."""
    row = database.one(sql.failures, key=key)
    return 0 if row is None else int(row["failures"])


def count_failure(database: Database, key: str, at_us: int) -> None:
    """Remember that it failed once more."""
    database.write(lambda tx: tx.execute(sql.count_failure, key=key, last_us=at_us))
