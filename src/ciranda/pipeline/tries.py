"""How often a check failed and passed on the very same inputs and code: one that did both is flaky.

A pass is kept and the check is not run again for its key, so what is counted here are failures: they are found again each
time, never taken from memory.
"""

from dataclasses import replace

from ciranda.kernel import clock, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.pipeline.records import Outcome

sql = statements.load("ciranda.pipeline", "tries.sql")


def counted(database: Database, key: str, outcome: Outcome) -> Outcome:
    """An outcome that was just found, with how often the check failed and how often it was run for this key."""
    row = database.one(sql.failures, key=key)
    assert row is not None
    failed = row["failed"] + (0 if outcome.passed else 1)
    passed = row["passed"] + (1 if outcome.passed else 0)
    return replace(outcome, failed=failed, tried=failed + passed)


def keep(tx: Transaction, key: str) -> None:
    """Count a failure."""
    tx.execute(sql.count_failure, key=key, last_us=clock.now_us())


def told(failed: int, tried: int) -> str:
    """`flaky: failed 2 of 3 times on the same inputs`, or nothing for a check that is not."""
    return f"flaky: failed {failed:,} of {tried:,} times on the same inputs" if 0 < failed < tried else ""
