"""One writer thread with group commit: what is submitted while a transaction waits for its turn joins it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from ciranda.kernel.failpoints import failpoint

T = TypeVar("T")
Tx = TypeVar("Tx")
Tx_co = TypeVar("Tx_co", covariant=True)

_MOST = 500  # members of one transaction


class Session(Protocol[Tx_co]):
    """The one connection that writes, used by the writer thread alone."""

    def begin(self) -> Tx_co:
        """Wait for the turn of this process and start a transaction; on failure, give the turn back and raise."""
        ...

    def run(self, statement: str) -> None:
        """SAVEPOINT, RELEASE, ROLLBACK TO."""
        ...

    def commit(self) -> None:
        """Make it durable."""
        ...

    def intact(self) -> bool:
        """Whether the transaction still stands after an error: a full disk, for one, ends it as a whole."""
        ...

    def end(self) -> None:
        """Give the turn back; undo a transaction that is still open. Never raises."""
        ...

    def announce(self) -> None:
        """Wake those who wait. Never raises."""
        ...

    def close(self) -> None: ...


class _Member(Generic[Tx]):
    """One caller's work and the future that it waits for."""

    __slots__ = ("future", "work")

    def __init__(self, work: Callable[[Tx], Any]) -> None:
        self.work = work
        self.future: Future[Any] = Future()


class Writer(Generic[Tx]):
    """Runs works in transactions of a session that its own thread opens, when there is a first work."""

    def __init__(self, session: Callable[[], Session[Tx]]) -> None:
        self._session = session
        self._queue: SimpleQueue[_Member[Tx] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, work: Callable[[Tx], T]) -> Future[T]:
        member = _Member(work)
        with self._lock:
            if self._closed:
                raise RuntimeError("the database is closed")
            self._queue.put(member)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="ledger-writer", daemon=True)
                self._thread.start()
        return member.future

    def write(self, work: Callable[[Tx], T]) -> T:
        if threading.current_thread() is self._thread:
            raise RuntimeError("a write inside a write would wait for itself: use the transaction that you were given")
        return self.submit(work).result()

    def close(self) -> None:
        """Finish what was submitted, then end the thread."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
            thread = self._thread
        if thread is not None:
            thread.join()

    def _loop(self) -> None:
        session = self._session()
        while (first := self._queue.get()) is not None:
            members = [first]
            try:
                self._transaction(session, members)
            except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
                for member in members:
                    if not member.future.done():
                        member.future.set_exception(error)
            finally:
                session.end()
        session.close()

    def _transaction(self, session: Session[Tx], members: list[_Member[Tx]]) -> None:
        """Run the works of `members`, and of whoever else is waiting by then, in one transaction, and answer each."""
        transaction = session.begin()
        failpoint("ledger.locked")
        members += self._waiting()
        answers: list[tuple[_Member[Tx], Any]] = []
        for member in members:
            if not member.future.set_running_or_notify_cancel():
                continue
            session.run("SAVEPOINT member")
            try:
                answers.append((member, member.work(transaction)))
            except BaseException as error:  # its caller's alone, whatever it is
                if not session.intact():
                    raise
                session.run("ROLLBACK TO SAVEPOINT member")
                member.future.set_exception(error)
            session.run("RELEASE SAVEPOINT member")
        if not answers:
            return
        failpoint("ledger.worked")
        session.commit()
        failpoint("ledger.committed")
        session.end()
        session.announce()
        for member, answer in answers:
            member.future.set_result(answer)
        failpoint("ledger.acknowledged")

    def _waiting(self) -> list["_Member[Tx]"]:
        found: list[_Member[Tx]] = []
        while len(found) < _MOST:
            try:
                member = self._queue.get_nowait()
            except Empty:
                break
            if member is None:  # the end, which the loop must see
                self._queue.put(None)
                break
            found.append(member)
        return found
