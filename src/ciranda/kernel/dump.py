"""The rows of all tables as JSON lines, out of one transaction of any database and into another's.

One line a row: a JSON object of its columns in the order of their names; bytes are `{"bytes": base64}`. Equal tables give equal lines but
for their order, so a table's digest adds up the digests of its rows.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import blake3

from ciranda.kernel import errors, statements
from ciranda.kernel.database import Row, Transaction

_CREATE = re.compile(r"CREATE TABLE (\w+)")
_COLUMN = re.compile(r"[a-z_][a-z0-9_]*\Z")
_WORDS = 1 << 256


@dataclass(frozen=True, slots=True)
class Table:
    """How many rows a table has, and a digest of them that does not depend on their order."""

    rows: int
    digest: str


def tables(packages: Sequence[str]) -> list[str]:
    """The tables that the migrations of these packages make, each after those that it refers to."""
    scripts = [
        path for package in packages for path in sorted((statements.folder(package) / "migrations").glob("*.sql"))
    ]
    return [name for path in scripts for name in _CREATE.findall(path.read_text())]


def lines(tx: Transaction, table: str) -> Iterator[bytes]:
    """Every row of a table, as a line each."""
    for row in tx.each(f"SELECT * FROM {table}"):
        yield json.dumps(_plain(row), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def insert(tx: Transaction, table: str, found: Iterable[bytes]) -> None:
    """Put rows into a table. Raises errors.Corrupt for a line that is no row."""
    for line in found:
        row = _row(line, table)
        names = list(row)
        values = ", ".join(f":{name}" for name in names)
        tx.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})", **row)


class Sum:
    """Adds up the lines of a table."""

    def __init__(self) -> None:
        self._rows, self._sum = 0, 0

    def add(self, line: bytes) -> bytes:
        """Count a line, and give it back."""
        self._rows += 1
        self._sum = (self._sum + int.from_bytes(blake3.blake3(line).digest(), "big")) % _WORDS
        return line

    @property
    def table(self) -> Table:
        return Table(self._rows, f"{self._sum:064x}")


def _plain(row: Row) -> dict[str, Any]:
    return {
        name: {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes | memoryview) else value
        for name, value in row.items()
    }


def _row(line: bytes, table: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(_COLUMN.match(name) for name in found):
        raise errors.Corrupt(f"a line of the table {table} is no row", where=table)
    return {
        name: base64.b64decode(value["bytes"]) if isinstance(value, dict) else value for name, value in found.items()
    }
