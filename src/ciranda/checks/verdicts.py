"""The verdicts of a change in the ledger."""

import json
from collections.abc import Sequence
from typing import Any

from ciranda.checks import gate
from ciranda.kernel import digest, statements
from ciranda.kernel.database import Database, Transaction

sql = statements.load("ciranda.checks")


def keep(tx: Transaction, change: str, verdicts: Sequence[gate.Verdict]) -> None:
    """Write the verdicts of a change; what an earlier, interrupted judgement left is replaced."""
    tx.execute(sql.forget_verdicts, change=change)
    for place, verdict in enumerate(verdicts):
        tx.execute(
            sql.keep_verdict, change=change, place=place, name=verdict.check, subject=verdict.subject,
            judgement=verdict.judgement, body=digest.canonical(gate.as_mapping(verdict)).decode(),
        )  # fmt: skip


def of(database: Database | Transaction, change: str) -> list[dict[str, Any]]:
    """The verdicts of a change as JSON values, in order."""
    return [json.loads(row["body"]) for row in database.query(sql.verdicts_of, change=change)]
