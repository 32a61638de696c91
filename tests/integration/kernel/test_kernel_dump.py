"""The rows of a ledger go through lines into another ledger, of either kind."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ciranda.kernel import database, dump, errors, migrations
from ciranda.kernel.database import Database, Transaction


def dumped(ledger: Database, tables: list[str]) -> tuple[dict[str, list[bytes]], dict[str, dump.Table]]:
    """The lines and the sums of all tables."""

    def work(tx: Transaction) -> tuple[dict[str, list[bytes]], dict[str, dump.Table]]:
        lines, sums = {}, {}
        for table in tables:
            each = dump.Sum()
            lines[table] = [each.add(line) for line in dump.lines(tx, table)]
            sums[table] = each.table
        return lines, sums

    return ledger.write(work)


@pytest.fixture
def other(tmp_path: Path) -> Database:
    return database.open(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "sockets")


def test_what_is_dumped_is_the_same_in_another_ledger(db: Database, other: Database) -> None:
    migrations.migrate(db, ["ciranda.kernel", "ciranda.release"])
    migrations.migrate(other, ["ciranda.kernel", "ciranda.release"])
    tables = dump.tables(["ciranda.release"])
    assert tables == ["release", "statement"]

    def fill(tx: Transaction) -> None:
        for number in range(2500):
            tx.execute(
                "INSERT INTO release (id, project, number, digest, manifest, commit_sha, change, created_us)"
                " VALUES (:id, 'flüge', :number, :id, :text, 'c', :change, 1)",
                id=f"i{number}", number=number, text='quote " line \n back \\', change=None if number % 2 else "x",
            )  # fmt: skip

    db.write(fill)
    lines, sums = dumped(db, tables)
    assert sums["release"].rows == 2500
    assert sums["statement"] == dump.Table(0, "0" * 64)
    with closing(other):
        other.write(lambda tx: [dump.insert(tx, table, lines[table]) for table in tables])
        assert dumped(other, tables)[1] == sums
        assert other.one("SELECT change, manifest FROM release WHERE number = 3") == {
            "change": None, "manifest": 'quote " line \n back \\',
        }  # fmt: skip


def test_sums_do_not_depend_on_the_order_of_rows_but_on_each_of_them() -> None:
    def of(*found: bytes) -> dump.Table:
        each = dump.Sum()
        for line in found:
            each.add(line)
        return each.table

    assert of(b"a", b"b") == of(b"b", b"a")
    assert of(b"a", b"b") != of(b"a", b"c")
    assert of(b"a", b"a") != of(b"b", b"b")


@pytest.mark.parametrize("line", [b"{", b"[1]", b'{"a; DROP TABLE release": 1}'])
def test_a_line_that_is_no_row_is_refused(other: Database, line: bytes) -> None:
    migrations.migrate(other, ["ciranda.kernel", "ciranda.release"])
    insert: Callable[[Transaction], None] = lambda tx: dump.insert(tx, "release", [line])  # noqa: E731
    with closing(other), pytest.raises(errors.Corrupt, match="no row"):
        other.write(insert)
