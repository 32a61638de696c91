"""The ledger on PostgreSQL: one writing transaction at a time by an advisory lock, waiters by LISTEN and NOTIFY."""

import select
import socket
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ciranda.kernel import errors, statements
from ciranda.kernel.group import Writer

T = TypeVar("T")
Row = dict[str, Any]
_LOCK = int.from_bytes(b"ciranda", "big")
_CHANNEL = "ciranda"
_CURSOR, _FETCHED = "ciranda_each", 1000  # rows at once


class Transaction:
    """The statements of one writing transaction."""

    def __init__(self, connection: Any, where: str) -> None:
        self._connection = connection
        self._where = where

    def query(self, statement: str, /, **parameters: Any) -> list[Row]:
        return _rows(_execute(self._connection, statement, parameters, self._where))

    def one(self, statement: str, /, **parameters: Any) -> Row | None:
        return next(iter(self.query(statement, **parameters)), None)

    def each(self, statement: str, /, **parameters: Any) -> Iterator[Row]:
        self.execute(f"DECLARE {_CURSOR} NO SCROLL CURSOR FOR {statement}", **parameters)
        try:
            while rows := self.query(f"FETCH {_FETCHED} FROM {_CURSOR}"):
                yield from rows
        finally:
            self.execute(f"CLOSE {_CURSOR}")

    def execute(self, statement: str, /, **parameters: Any) -> int:
        with _execute(self._connection, statement, parameters, self._where) as cursor:
            return int(cursor.rowcount)


class Postgres:
    """A ledger on a server. See database.Database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._where = place(url)
        self._idle: deque[Any] = deque()
        self._writer = Writer(lambda: _Session(url))

    def query(self, statement: str, /, **parameters: Any) -> list[Row]:
        for used_before in (True, False):
            connection = self._borrow() if used_before else _reader(self._url)
            try:
                return _rows(_execute(connection, statement, parameters, self._where))
            except errors.Unreachable:  # the server went away while the connection lay idle: one new one is tried
                if not used_before:
                    raise
            finally:
                if connection.closed:
                    connection.close()
                else:
                    self._idle.append(connection)
        raise AssertionError("the second try returns or raises")

    def one(self, statement: str, /, **parameters: Any) -> Row | None:
        return next(iter(self.query(statement, **parameters)), None)

    def write(self, work: Callable[[Transaction], T]) -> T:
        return self._writer.write(work)

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        return self._writer.submit(work)

    def waiter(self) -> "NotifyWaiter":
        return NotifyWaiter(self._url)

    def close(self) -> None:
        self._writer.close()
        while self._idle:
            self._idle.pop().close()

    def _borrow(self) -> Any:
        with suppress(IndexError):
            return self._idle.pop()
        return _reader(self._url)


class NotifyWaiter:
    """A connection that listens. See database.Waiter."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._end, self._start = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._connection = self._listen()
        except errors.CirandaError:
            self._end.close()
            self._start.close()
            raise

    def wait(self, timeout: float) -> bool:
        if self._connection is None:
            with suppress(errors.Unreachable):
                self._connection = self._listen()
                return True  # what was committed meanwhile was not heard
        news = bool(self._connection is not None and self._heard())
        sources = [self._end] if self._connection is None else [self._end, self._connection.pgconn.socket]
        ready, _, _ = select.select(sources, [], [], 0 if news else timeout)
        if self._end in ready:
            news = True
            with suppress(BlockingIOError):
                while self._end.recv(16):
                    pass
        return bool(self._connection is not None and self._heard()) or news

    def wake(self) -> None:
        with suppress(OSError):
            self._start.send(b"!")

    def close(self) -> None:
        self._end.close()
        self._start.close()
        if self._connection is not None:
            self._connection.close()

    def _listen(self) -> Any:
        connection = _connect(self._url)
        _execute(connection, f"LISTEN {_CHANNEL}", {}, place(self._url)).close()
        return connection

    def _heard(self) -> bool:
        """Take in every notification there is; a lost connection is given up and counts as news."""
        import psycopg

        news = False
        try:
            self._connection.pgconn.consume_input()
            while self._connection.pgconn.notifies() is not None:
                news = True
        except psycopg.OperationalError:
            self._connection.close()
            self._connection = None
            return True
        return news


class _Session:
    """The writing connection. See group.Session."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._where = place(url)
        self._connection: Any = None

    def begin(self) -> Transaction:
        try:
            self._lock()
        except errors.Unreachable:  # it may have been lost while it lay idle: one new one is tried
            self._lock()
        return Transaction(self._connection, self._where)

    def _lock(self) -> None:
        try:
            if self._connection is None:
                self._connection = _connect(self._url)
                self.run("SET synchronous_commit = on")
            self.run("BEGIN")
            self.run(f"SELECT pg_advisory_xact_lock({_LOCK})")
        except BaseException:
            self._give_up()
            raise

    def run(self, statement: str) -> None:
        _execute(self._connection, statement, {}, self._where).close()

    def intact(self) -> bool:
        return not self._connection.closed

    def commit(self) -> None:
        self.run(f"NOTIFY {_CHANNEL}")
        self.run("COMMIT")

    def end(self) -> None:
        import psycopg

        if self._connection is None:
            return
        try:
            if self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._give_up()

    def announce(self) -> None:
        """The commit itself notified."""

    def close(self) -> None:
        self._give_up()

    def _give_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def place(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


@lru_cache(maxsize=2048)
def translate(statement: str) -> str:
    """`:name` as `%(name)s` and `%` doubled; literals, quoted names, comments and casts else stay as they are."""
    parts = []
    for kind, begin, end in statements.tokens(statement):
        text = statement[begin:end]
        parts.append(f"%({text[1:]})s" if kind == "parameter" else text.replace("%", "%%"))
    return "".join(parts)


def _reader(url: str) -> Any:
    """A connection that can only read, so that a write by the wrong door fails here as it does on SQLite."""
    connection = _connect(url)
    _execute(connection, "SET default_transaction_read_only = on", {}, place(url)).close()
    return connection


def _connect(url: str) -> Any:
    """A connection that leaves transactions to us and speaks SQLite's types.

    Booleans are 0 and 1, numerics are int or float. Parameters are put into the statement by the client, so that
    their types need not be declared.
    """
    try:
        import psycopg
    except ModuleNotFoundError as error:
        raise errors.Refused(
            "a ledger on PostgreSQL needs the package psycopg", hint="pip install 'ciranda[postgres]'"
        ) from error
    from psycopg.types.bool import BoolDumper
    from psycopg.types.numeric import FloatLoader

    class _Flag(BoolDumper):  # type: ignore[misc]
        def dump(self, obj: bool) -> bytes:
            return b"1" if obj else b"0"

        def quote(self, obj: bool) -> bytes:
            return self.dump(obj)

    class _Number(FloatLoader):  # type: ignore[misc]
        def load(self, data: Any) -> Any:
            text = bytes(data).decode()
            return float(text) if "." in text or not text.lstrip("-").isdigit() else int(text)

    try:
        connection = psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise errors.Unreachable(
            f"the ledger's server does not let us in: {_first_line(error)}",
            where=place(url),
            hint="is it running? see ledger.url in the home",
        ) from error
    connection.adapters.register_dumper(bool, _Flag)
    connection.adapters.register_loader("numeric", _Number)
    return connection


def copy(url: str, schema: str) -> str:
    """See database.copy."""
    said = place(url)
    connection = _connect(url)
    try:
        _execute(connection, "BEGIN", {}, said).close()
        found = _rows(
            _execute(
                connection,
                "SELECT 1 FROM information_schema.schemata WHERE schema_name = :name",
                {"name": schema},
                said,
            )
        )
        if not found:
            tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
            names = [row["table_name"] for row in _rows(_execute(connection, tables, {}, said))]
            _execute(connection, f"CREATE SCHEMA {schema}", {}, said).close()
            for name in names:
                _execute(connection, f"CREATE TABLE {schema}.{name} AS TABLE {name}", {}, said).close()
        _execute(connection, "COMMIT", {}, said).close()
    finally:
        connection.close()
    return f"schema {schema} of {said}"


def _execute(connection: Any, statement: str, parameters: Row, where: str) -> Any:
    import psycopg

    try:
        return connection.execute(translate(statement), parameters)
    except (psycopg.DataError, UnicodeEncodeError) as error:
        raise statements.unfit(parameters, error) from error
    except psycopg.errors.DiskFull as error:
        raise errors.StorageFull(
            "there is no room left on the disk of the ledger's server",
            where=where,
            hint="make room there and do it again",
        ) from error
    except psycopg.OperationalError as error:
        if connection.closed:
            raise errors.Unreachable(
                f"the ledger's server went away: {_first_line(error)}",
                where=where,
                hint="is it running? see ledger.url in the home",
            ) from error
        raise


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _rows(cursor: Any) -> list[Row]:
    with cursor:
        if cursor.description is None:
            return []
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
