"""Every statement of every room is understood by SQLite and by PostgreSQL."""

from collections.abc import Iterator

import pytest

from ciranda.app import home
from ciranda.kernel import migrations, statements
from ciranda.kernel.database import Database, Transaction
from support.kernel import Ledger

ROOMS = [f"ciranda.{room}" for room in home.ROOMS]


def named() -> Iterator[tuple[str, str, str]]:
    for room in ROOMS:
        for path in sorted(statements.folder(room).glob("*.sql")):
            sql = statements.load(room, path.name)
            for name in sql:
                yield f"{room}/{path.name}", name, getattr(sql, name)


@pytest.fixture
def whole(ledger: Ledger) -> Database:
    db = ledger.open()
    migrations.migrate(db, ROOMS)
    return db


def test_every_statement_is_understood_by_both(whole: Database) -> None:
    """Each is planned, not run, against the real tables."""
    misunderstood = []
    for where, name, statement in named():
        parameters = {
            statement[begin + 1 : end]: None for kind, begin, end in statements.tokens(statement) if kind == "parameter"
        }

        def plan(tx: Transaction, statement: str = statement, parameters: dict[str, None] = parameters) -> None:
            tx.query("EXPLAIN " + statement, **parameters)

        error = whole.submit(plan).exception()
        if error is not None:
            misunderstood.append(f"{where}: {name}: {error}")
    assert misunderstood == []


def test_every_statement_says_why(whole: Database) -> None:
    assert len(list(named())) > 20
