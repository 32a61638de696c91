"""The ledger on SQLite: WAL, full synchronisation, and an exclusive flock before each writing transaction.

SQLite's own busy handler starves writers; whoever holds the flock never meets another writer.
"""

import fcntl
import os
import select
import socket
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from ciranda.kernel import errors, files, statements
from ciranda.kernel.group import Writer

T = TypeVar("T")
Row = dict[str, Any]
_BUSY = 30.0  # seconds to wait for another process that opens, recovers or closes the file
_PAGE, _MAPPED = 4096, 32 << 10  # bytes: of the page that SQLite takes for granted, and of the file that it maps
_NO_ROOM = {
    sqlite3.SQLITE_FULL: None,
    sqlite3.SQLITE_IOERR_SHMSIZE: None,
    sqlite3.SQLITE_READONLY: "the ledger can only be read",
}


class Transaction:
    """The statements of one writing transaction."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    def query(self, statement: str, /, **parameters: Any) -> list[Row]:
        return _rows(_execute(self._connection, statement, parameters, self._folder))

    def one(self, statement: str, /, **parameters: Any) -> Row | None:
        return next(iter(self.query(statement, **parameters)), None)

    def each(self, statement: str, /, **parameters: Any) -> Iterator[Row]:
        with closing(_execute(self._connection, statement, parameters, self._folder)) as cursor:
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))

    def execute(self, statement: str, /, **parameters: Any) -> int:
        with closing(_execute(self._connection, statement, parameters, self._folder)) as cursor:
            cursor.fetchall()
            return cursor.rowcount


class Sqlite:
    """A ledger in a file. See database.Database."""

    def __init__(self, path: Path, sockets: Path) -> None:
        self._path = path
        self._sockets = sockets
        self._idle: deque[sqlite3.Connection] = deque()
        self._writer = Writer(lambda: _Session(path, sockets))

    def query(self, statement: str, /, **parameters: Any) -> list[Row]:
        connection = self._borrow()
        try:
            return _rows(_execute(connection, statement, parameters, self._path.parent))
        finally:
            self._idle.append(connection)

    def one(self, statement: str, /, **parameters: Any) -> Row | None:
        return next(iter(self.query(statement, **parameters)), None)

    def write(self, work: Callable[[Transaction], T]) -> T:
        return self._writer.write(work)

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        return self._writer.submit(work)

    def waiter(self) -> "SocketWaiter":
        return SocketWaiter(self._sockets)

    def close(self) -> None:
        self._writer.close()
        while self._idle:
            self._idle.pop().close()

    def _borrow(self) -> sqlite3.Connection:
        """A connection that only reads and that nobody else uses just now; there are as many as ever read at once."""
        with suppress(IndexError):
            return self._idle.pop()
        if not self._path.exists():
            raise errors.NotFound(
                "there is no ledger here", where=str(self._path), hint="start one: ciranda up   or: ciranda run"
            )
        return _connect(self._path, "ro")


class SocketWaiter:
    """A datagram socket in the folder, to which each commit sends a byte. See database.Waiter."""

    def __init__(self, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._path = folder / f"w-{os.getpid()}-{os.urandom(3).hex()}"
        self._end, self._start = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            folder.mkdir(mode=0o700, exist_ok=True)  # a cleaner of temporary files may have taken it
            self._socket.bind(os.fspath(self._path))
        except OSError:
            self.close()
            raise

    def wait(self, timeout: float) -> bool:
        ready, _, _ = select.select([self._socket, self._end], [], [], timeout)
        for source in ready:
            with suppress(BlockingIOError):
                while source.recv(16):
                    pass
        return bool(ready)

    def wake(self) -> None:
        with suppress(OSError):
            self._start.send(b"!")

    def close(self) -> None:
        for part in (self._socket, self._end, self._start):
            part.close()
        with suppress(FileNotFoundError):
            os.unlink(self._path)


def announce(folder: Path) -> None:
    """Send a byte to every waiter of the folder; remove the sockets of waiters that have died."""
    # Whatever is wrong with the folder, the commit stands, and waiters look for themselves.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        for name in os.listdir(folder):
            if not name.startswith("w-"):
                continue
            try:
                sender.sendto(b"!", os.fspath(folder / name))
            except ConnectionRefusedError:
                with suppress(FileNotFoundError):
                    os.unlink(folder / name)
            except OSError:  # it is full, so it will wake anyway; or it has just gone
                continue


class _Session:
    """The writing connection and the lock file. See group.Session."""

    def __init__(self, path: Path, sockets: Path) -> None:
        self._path = path
        self._sockets = sockets
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None

    def begin(self) -> Transaction:
        folder = self._path.parent
        with files.room(folder):
            if self._lock is None:
                self._lock = os.open(self._path.with_name(f"{self._path.stem}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            if self._connection is None:
                self._connection = _connect(self._path, "rwc")
            _execute(self._connection, "BEGIN IMMEDIATE", {}, folder).close()
        except BaseException:
            self.end()
            raise
        return Transaction(self._connection, folder)

    def run(self, statement: str) -> None:
        assert self._connection is not None
        _execute(self._connection, statement, {}, self._path.parent).close()

    def intact(self) -> bool:
        return self._connection is not None and self._connection.in_transaction

    def commit(self) -> None:
        self.run("COMMIT")

    def end(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:  # a connection that cannot even go back is given up
                self._connection.close()
                self._connection = None
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def announce(self) -> None:
        announce(self._sockets)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._lock is not None:
            os.close(self._lock)


def copy(path: Path, destination: Path) -> str:
    """See database.copy."""
    if not destination.exists():
        temporary = destination.with_name(f".{destination.name}.tmp")
        with files.room(destination.parent), suppress(FileNotFoundError):
            temporary.unlink()
        with closing(_connect(path, "rw")) as connection:
            _execute(connection, "VACUUM INTO :path", {"path": str(temporary)}, path.parent).close()
        os.rename(temporary, destination)
        files.sync_folder(destination.parent)
    return str(destination)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection that leaves transactions to us; `mode` is SQLite's: ro, or rwc."""
    mapped = path.with_name(f"{path.name}-shm")
    holes = _may_have_holes(mapped)
    address = f"file:{str(path).replace('%', '%25').replace('?', '%3f').replace('#', '%23')}?mode={mode}"
    try:
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, timeout=_BUSY, check_same_thread=False, cached_statements=256
        )
    except sqlite3.OperationalError as error:
        raise _meaning(error, path.parent) from error
    try:
        _execute(connection, "PRAGMA synchronous = FULL", {}, path.parent).close()
        _execute(connection, "PRAGMA foreign_keys = ON", {}, path.parent).close()
        if mode == "rwc":
            _execute(connection, "PRAGMA journal_mode = WAL", {}, path.parent).close()
        if holes:
            _execute(connection, "SELECT name FROM sqlite_master LIMIT 1", {}, path.parent).close()
            with files.room(path.parent), open(mapped, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, _MAPPED)
    except BaseException:
        connection.close()
        raise
    return connection


def _may_have_holes(mapped: Path) -> bool:
    """Whether the file that SQLite maps may have holes. Raises errors.StorageFull if they could not be filled.

    SQLite writes a byte to each 4 KiB of the file before it maps it. Where blocks are smaller the rest are holes, and to
    write to a hole on a full disk is a SIGBUS.
    """
    disk = os.statvfs(mapped.parent)
    if disk.f_frsize >= _PAGE:
        return False
    whole = mapped.exists() and mapped.stat().st_blocks * 512 >= _MAPPED
    if not whole and disk.f_bavail * disk.f_frsize < 2 * _MAPPED:
        raise files.full(mapped.parent)
    return True


def _execute(connection: sqlite3.Connection, statement: str, parameters: Row, folder: Path) -> sqlite3.Cursor:
    try:
        return connection.execute(statement, parameters)
    except (OverflowError, UnicodeEncodeError) as error:
        raise statements.unfit(parameters, error) from error
    except sqlite3.OperationalError as error:
        raise _meaning(error, folder) from error
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise errors.Corrupt(
                "the ledger is not a database any more", where=str(folder), hint="put the folder back from a backup"
            ) from error
        raise


def _meaning(error: sqlite3.OperationalError, folder: Path) -> Exception:
    """The error for the user if the disk is full or cannot be written; else the error itself."""
    if os.access(folder, os.W_OK) and error.sqlite_errorcode == sqlite3.SQLITE_READONLY:
        return error  # a statement that writes was given to `query`
    if error.sqlite_errorcode in _NO_ROOM:
        said = _NO_ROOM[error.sqlite_errorcode]
        return files.full(folder, said) if said else files.full(folder)
    left = os.statvfs(folder)
    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and (
        left.f_bavail < 16 or left.f_favail < 2
    ):
        return files.full(folder)
    if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        said = f"the ledger cannot be read or written: {error}"
        return errors.Refused(said, where=str(folder), hint=f"look whose it is: ls -la {folder}")
    return error


def _rows(cursor: sqlite3.Cursor) -> list[Row]:
    with closing(cursor):
        found = cursor.fetchall()
        if not found:
            return []
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in found]
