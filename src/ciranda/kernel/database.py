"""The ledger's database: SQLite or PostgreSQL behind one face, one writer at a time, waiters woken by commits."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ciranda.kernel import errors, postgres, sqlite

T = TypeVar("T")
Row = dict[str, Any]


class Transaction(Protocol):
    """What the work of a write may do. It ends with the work: nothing of it may be kept."""

    def query(self, statement: str, /, **parameters: Any) -> list[Row]: ...

    def one(self, statement: str, /, **parameters: Any) -> Row | None: ...

    def each(self, statement: str, /, **parameters: Any) -> Iterator[Row]:
        """The rows of a statement that only reads, one after the other, never all in memory."""
        ...

    def execute(self, statement: str, /, **parameters: Any) -> int:
        """Run a statement and return how many rows it touched."""
        ...


class Waiter(Protocol):
    """Waits for commits, of this process and of others. For one thread; another may only call `wake`."""

    def wait(self, timeout: float) -> bool:
        """Whether something was committed since the last wait, or is within `timeout` seconds.

        News can be lost: look for yourself every two seconds.
        """
        ...

    def wake(self) -> None:
        """End a wait, or the next one, as if something had been committed."""
        ...

    def close(self) -> None: ...


class Database(Protocol):
    """A database that any thread may use."""

    def query(self, statement: str, /, **parameters: Any) -> list[Row]:
        """The rows of a statement that only reads, as committed now."""
        ...

    def one(self, statement: str, /, **parameters: Any) -> Row | None:
        """The first row, or None."""
        ...

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run the work in a transaction and return its result when it is durable.

        What the work raises undoes this work alone and is raised here. Raises errors.StorageFull, errors.Unreachable.
        """
        ...

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        """`write` without waiting. Works of one thread run in the order in which they were submitted."""
        ...

    def waiter(self) -> Waiter: ...

    def close(self) -> None:
        """Finish what was submitted and let go of everything."""
        ...


def open(url: str, sockets: Path) -> Database:
    """Open `sqlite:////absolute/ledger.db` or `postgresql://…`; nothing is created or connected before it is used.

    `sockets` is the private folder in which waiters of an SQLite database are found.
    Raises errors.Invalid for another kind of address.
    """
    kind, _, rest = url.partition("://")
    if kind == "sqlite" and rest.startswith("/"):
        return sqlite.Sqlite(Path(rest[1:] if rest.startswith("//") else rest), sockets)
    if kind in ("postgresql", "postgres"):
        return postgres.Postgres(url)
    raise errors.Invalid(
        f"{kind}: is not a kind of ledger", hint="a ledger is sqlite:////path/ledger.db or postgresql://user@host/name"
    )


def copy(url: str, path: Path) -> str:
    """Keep what a database holds now beside it, and say where: SQLite's in the file `path`, PostgreSQL's in a schema of its name.

    A copy of that name that is there already is kept as it is. Raises errors.StorageFull, errors.Unreachable.
    """
    kind, _, rest = url.partition("://")
    if kind == "sqlite":
        return sqlite.copy(Path(rest[1:] if rest.startswith("//") else rest), path)
    return postgres.copy(url, path.stem.replace("-", "_"))
