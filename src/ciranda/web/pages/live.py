"""The event streams of open pages: "look again", at a bounded pace. One thread waits for commits, however many pages are open."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ciranda.kernel.database import Waiter

LOOK = 2.0  # seconds between looks for a commit whose waking was lost
PACE = 0.5  # seconds between two calls to look again
QUIET = 15.0  # seconds after which a silent stream says that it is there
GROWING = 0.25  # seconds between looks at a file that is followed
MOST = 200  # streams at once
AGAIN = b"data: look\n\n"
RETRY = b"retry: 2000\n\n"


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """An open page: what wakes it, and the loop that it lives in."""

    loop: asyncio.AbstractEventLoop
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        """Wake it, from another thread; a loop that has ended needs nothing."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.news.set)


class Hub:
    """Wakes every open page when the ledger has changed."""

    def __init__(self, waiter: Callable[[], Waiter]) -> None:
        self._make = waiter
        self._waiter: Waiter | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._stopping = self._left = False

    @property
    def full(self) -> bool:
        """Whether no more pages can be kept live."""
        return len(self._listeners) >= MOST

    def leave(self) -> None:
        """End every stream: the server goes away."""
        self._left = True
        with self._lock:
            listening = tuple(self._listeners)
        for listener in listening:
            listener.tell()

    def close(self) -> None:
        """Stop waiting for commits."""
        with self._lock:
            self._stopping = True
            thread, waiter = self._thread, self._waiter
        if thread is not None and waiter is not None:
            waiter.wake()
            thread.join()

    async def stream(
        self, *, every: float = 0.0, grows: Path | None = None, there: Callable[[], Awaitable[bool]] | None = None
    ) -> AsyncIterator[bytes]:
        """Call to look again whenever the ledger has changed, every so many seconds, and when a file has grown.

        `there`: whether whoever listens is signed in still; asked after each commit and every `QUIET` seconds, and the stream
        ends when they are not.
        """
        self._begin()
        listener = Listener(asyncio.get_running_loop())
        with self._lock:
            self._listeners.add(listener)
        try:
            yield RETRY
            size, quiet, due, asked = _size(grows), 0.0, every, 0.0
            while True:
                waited = min(GROWING if grows else QUIET, due or QUIET)
                news = await _woken(listener.news, waited)
                if self._left:
                    return
                quiet, due, asked = quiet + waited, due - waited if every else 0.0, asked + waited
                if there is not None and (news or asked >= QUIET):
                    asked = 0.0
                    if not await there():
                        return
                grown = _size(grows)
                if news or grown != size or (every and due <= 0):
                    size, quiet, due = grown, 0.0, every
                    yield AGAIN
                    await _paced(lambda: self._left)
                elif quiet >= QUIET:
                    quiet = 0.0
                    yield b":\n\n"
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None and not self._stopping:
                self._waiter = self._make()
                self._thread = threading.Thread(target=self._watch, args=(self._waiter,), name="pages", daemon=True)
                self._thread.start()

    def _watch(self, waiter: Waiter) -> None:
        while not self._stopping:
            if waiter.wait(LOOK):
                with self._lock:
                    listening = tuple(self._listeners)
                for listener in listening:
                    listener.tell()
        waiter.close()


async def _paced(left: Callable[[], bool]) -> None:
    """The time between two calls, cut short when the server leaves."""
    until = asyncio.get_running_loop().time() + PACE
    while not left() and (rest := until - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(min(rest, PACE / 5))


async def _woken(news: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()
    told = news.is_set()
    news.clear()
    return told


def _size(path: Path | None) -> int:
    if path is None:
        return 0
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
