"""The model server: `python -I -m ciranda.runtime.server module:function`, after instance contract 1.

It binds CIRANDA_SOCKET once the function and its assets are loaded. `POST /` takes one object or an array and answers in
the same shape; `GET /` says that it is there. Requests that arrive together share one call of predict. Where the service
keeps its predictions (CIRANDA_PREDICTIONS), `POST /-/feedback` takes what was true.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Optional

import uvloop

from ciranda.runtime import assets, describe, http, output, predict, spool, traces

QUIET = 0.25  # seconds without a byte after which a connection is idle enough to be closed while the server leaves
SLOW = 5.0  # the same for a connection that has sent a part of a request
SWEEP = 0.05  # seconds between two looks at the connections while the server leaves
LONG = 0.25  # seconds that make a call of predict a slow one
BACKLOG = 1024

Batch = list[tuple[http.Exchange, predict.Rows]]


class Batcher:
    """Collects the requests of one turn of the loop and answers them from shared calls of predict.

    Predict runs in the loop's own thread, where a call costs nothing to hand over: 50,000 requests/s of a
    LogisticRegression against 34,000 through a thread. Once two calls in a row were slow it moves to one thread for
    good, so that a slow model cannot keep the service from answering that it is there.
    """

    def __init__(
        self, served: predict.Predict, loop: asyncio.AbstractEventLoop, keeps: Optional[spool.Spool] = None
    ) -> None:
        self._served = served
        self._keeps = keeps
        self._loop = loop
        self._waiting: list[tuple[http.Exchange, predict.Rows]] = []
        self._scheduled = False
        self._slow = 0  # calls in a row
        self._thread: ThreadPoolExecutor | None = None

    def add(self, exchange: http.Exchange) -> None:
        """Decode a request and let it wait for the end of this turn."""
        try:
            rows = self._served.decode(exchange.body)
        except predict.Rejected as rejected:
            exchange.reply(rejected.status, json.dumps(rejected.body).encode())
            return
        self._waiting.append((exchange, rows))
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._next_call)

    def _next_call(self) -> None:
        batch = self._next()
        if self._thread is not None:
            self._thread.submit(self._in_thread, batch)
            return
        began = time.perf_counter()
        answers = self._served.together([rows for _, rows in batch])
        self._slow = self._slow + 1 if time.perf_counter() - began > LONG else 0
        if self._slow == 2:
            self._thread = ThreadPoolExecutor(1, "predict")
        self._answered(batch, answers)

    def _in_thread(self, batch: Batch) -> None:
        answers = self._served.together([rows for _, rows in batch])
        self._loop.call_soon_threadsafe(self._answered, batch, answers)

    def _answered(self, batch: Batch, answers: list[Any]) -> None:
        self._scheduled = False
        self._schedule()
        for (exchange, rows), answer in zip(batch, answers):
            if isinstance(answer, predict.Rejected):
                exchange.reply(answer.status, json.dumps(answer.body).encode())
                continue
            try:
                body = self._served.encode(answer[0] if rows.single else answer)
            except Exception as error:  # noqa: BLE001 - the user's objects, asked for their JSON
                _say(f"{self._served.name}: {error}")
                exchange.refuse(500, "predict answered what JSON cannot say")
                continue
            exchange.reply(200, body)
            if self._keeps is not None:
                self._keeps.keep(exchange.id, exchange.body, body)

    def _next(self) -> Batch:
        """The first requests that wait, as many as share one call: at most ROWS rows, but always one request."""
        total = 0
        for place, (_, rows) in enumerate(self._waiting):
            total += len(rows.rows)
            if total > predict.ROWS and place:
                batch, self._waiting = self._waiting[:place], self._waiting[place:]
                return batch
        batch, self._waiting = self._waiting, []
        return batch


class Server:
    """A listening socket, its site, and how both end."""

    def __init__(
        self,
        served: predict.Predict,
        loop: asyncio.AbstractEventLoop,
        name: Optional[Path],
        keeps: Optional[spool.Spool] = None,
    ) -> None:
        self._loop = loop
        self._name = name
        self._keeps = keeps
        self._batcher = Batcher(served, loop, keeps)
        self._site = http.Site(self.handle, loop)
        self._listening: Any = None

    def handle(self, exchange: http.Exchange) -> None:
        """Answer a request, or let it wait for its batch."""
        path = exchange.path.split(b"?", 1)[0]
        if path == b"/-/feedback":
            self._feedback(exchange)
        elif path != b"/":
            exchange.refuse(404, "this service answers at /")
        elif exchange.method == "POST":
            self._batcher.add(exchange)
        elif exchange.method in ("GET", "HEAD"):
            exchange.reply(200, b'{"status":"ready"}')
        else:
            exchange.refuse(405, f"{exchange.method} is not answered here", b"allow: GET, HEAD, POST\r\n")

    def _feedback(self, exchange: http.Exchange) -> None:
        """Take what is said of predictions: 202 once it is on the disk."""
        if self._keeps is None:
            exchange.refuse(404, "this service keeps no predictions: predictions = {} in its section of ciranda.toml")
            return
        if exchange.method != "POST":
            exchange.refuse(405, f"{exchange.method} is not answered here", b"allow: POST\r\n")
            return
        try:
            told = spool.said(exchange.body)
        except predict.Rejected as rejected:
            exchange.reply(rejected.status, json.dumps(rejected.body).encode())
        else:
            answer = partial(self._told, exchange, len(told))
            self._keeps.tell(told, lambda kept: self._later(partial(answer, kept)))

    def _later(self, act: Callable[[], None]) -> None:
        """Do it in the loop, unless the server has left."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(act)

    def _told(self, exchange: http.Exchange, count: int, kept: bool) -> None:
        if kept:
            exchange.reply(202, b'{"taken":%d}' % count)
        else:
            exchange.refuse(503, "there is no room for feedback now; send it again", b"retry-after: 5\r\n")

    async def listen(self, listener: socket.socket) -> None:
        """Accept connections."""
        create: Any = self._loop.create_server if self._name is None else self._loop.create_unix_server
        self._listening = await create(self._site.connect, sock=listener, backlog=BACKLOG)

    def leave(self) -> None:
        """Take no new connection, finish what is in flight, then stop the loop. Safe to repeat."""
        if self._site.draining:
            return
        self._site.draining = True
        if self._name is not None:
            self._name.unlink(missing_ok=True)  # first the name: who has connected already is still accepted
        self._loop.call_later(SWEEP, self._close)

    def _close(self) -> None:
        self._listening.close()
        self._sweep()

    def _sweep(self) -> None:
        """Close what is idle; stop when nobody is connected."""
        now = self._loop.time()
        for connection in list(self._site.connections):
            quiet = now - connection.heard
            if not connection.exchanges and quiet > (SLOW if connection.partial else QUIET):
                connection.abort()
        if self._site.connections:
            self._loop.call_later(SWEEP, self._sweep)
        else:
            self._loop.stop()


def bind(path: Path) -> socket.socket:
    """A listening unix socket at `path` that only its owner reaches; a socket that was left there is replaced."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def serve(served: predict.Predict, listener: socket.socket, keeps: Optional[spool.Spool] = None) -> None:
    """Answer on a listening socket until SIGTERM or SIGINT; the name of a unix socket goes first."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    unix = listener.family == socket.AF_UNIX
    server = Server(served, loop, Path(listener.getsockname()) if unix else None, keeps)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.leave)
    loop.run_until_complete(server.listen(listener))
    gc.collect()
    gc.freeze()
    _say(f"{served.name} is ready")
    try:
        loop.run_forever()
    finally:
        if keeps is not None:
            keeps.close()
        loop.close()


def main() -> int:
    """Load, bind, answer; 0 after a clean end, 1 where the service cannot start."""
    began = time.perf_counter()
    output.by_line()
    tree = Path.cwd()
    describe.enter(describe.roots(tree))
    if len(sys.argv) != 2 or "CIRANDA_SOCKET" not in os.environ:
        _say("usage: CIRANDA_SOCKET=PATH python -I -m ciranda.runtime.server module:function")
        return 64
    name = sys.argv[1]
    try:
        served = predict.open(name, os.environ)
    except (predict.Refused, describe.Undescribable, assets.NoAsset) as error:
        _say(f"{name} cannot be served: {error}")
        return 1
    except BaseException as error:  # noqa: BLE001 - importing the user's module and its pickles
        _say(traces.shown(error, str(tree)))
        return 1
    _say(f"{name} loaded in {time.perf_counter() - began:.1f} s")
    wanted = spool.settings(os.environ)
    keeps = None if wanted is None else spool.Spool(wanted, lambda body: served.decode(body).rows)
    serve(served, bind(Path(os.environ["CIRANDA_SOCKET"])), keeps)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the service's log


if __name__ == "__main__":
    sys.exit(main())
