"""What is remembered of code checks: passes alone, by key."""

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
