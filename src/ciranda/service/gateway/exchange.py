"""One request and its answer, from the choice of an instance to the count of how it ended."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from time import perf_counter, time_ns
from typing import Protocol

from ciranda.service import request_ids
from ciranda.service.gateway import heads
from ciranda.service.gateway.force import REST, Connection, Entry, Force, Release, Upstream
from ciranda.service.gateway.plain import Answers, Names
from ciranda.service.gateway.sticky import origin

HELD = 64 * 1024  # bytes of a body kept until the answer begins, so that the request can be sent again
PENDING = 256 * 1024  # bytes of a body that wait for a connection before reading from the client pauses
CONNECT = 5.0  # seconds to connect to an instance
QUIET = 300.0  # seconds for which an answer that has begun may say nothing
_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS"})


class Link(Connection, Protocol):
    """A connection to an instance, as an exchange uses it."""

    reused: bool

    def begin(self, exchange: "Exchange") -> None: ...

    def write(self, data: bytes) -> None: ...

    def pause(self, paused: bool) -> None: ...

    def release(self, kept: bool) -> None: ...

    def abort(self) -> None: ...


class Caller(Protocol):
    """The client's side of an exchange."""

    name: bytes  # tells its connection from others

    def write(self, data: bytes) -> None: ...

    def regulate(self) -> None: ...

    def done(self, exchange: "Exchange") -> None: ...

    def upgraded(self) -> None: ...

    def abort(self) -> None: ...


class Gateway:
    """What all connections of the process share."""

    def __init__(self, loop: asyncio.AbstractEventLoop, force: Force, connect: "Connect") -> None:
        self.loop = loop
        self.force = force
        self.connect = connect
        self.names = Names()
        self.answers = Answers()
        self.closing = False
        self.tasks: set[asyncio.Task[None]] = set()
        self._out: list[tuple[asyncio.WriteTransport, bytes]] = []
        self._given = int.from_bytes(os.urandom(3), "big") << 32  # a restarted gateway counts on from elsewhere

    def identity(self, tag: bytes = request_ids.NOWHERE) -> bytes:
        """A new request id, without the release."""
        self._given += 1
        return request_ids.identity(self._given, time_ns(), tag)

    def post(self, transport: asyncio.WriteTransport, data: bytes) -> None:
        """Write after everything that has come in was read.

        A write wakes its reader. Woken for each message by itself, the readers take the processor away between any two.
        """
        if not self._out:
            self.loop.call_soon(self.push)
        self._out.append((transport, data))

    def push(self) -> None:
        """Write what was posted."""
        out, self._out = self._out, []
        for transport, data in out:
            if not transport.is_closing():
                transport.write(data)

    def spawn(self, exchange: "Exchange") -> None:
        """Connect an exchange beside everything else."""
        task = self.loop.create_task(exchange.reach())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


Connect = Callable[[Gateway, Upstream], Awaitable[Link]]


class Exchange:
    """A request on its way to an instance, and the answer on its way back."""

    # what most exchanges never change
    entry: Entry | None = None
    head: tuple[bytes, ...] = ()  # what the instance gets but for the id: method, target, lines, more lines, prefix
    given = b""  # the id that the gateway gave, without the release; empty where the client sent one
    refusal: heads.Refusal | None = None
    websocket = False
    chunked = False
    continues = False
    awaited = 0  # bytes of body announced
    release: Release | None = None
    upstream: Upstream | None = None
    connection: Link | None = None
    pending = 0  # bytes of body that wait for the instance
    held: tuple[bytes, ...] = ()  # what was sent, as long as it may be sent again
    repeatable = True  # it may: it is short, and nothing of the answer came
    again = False  # it was
    body_size = 0
    complete = False  # the client sent all of it
    answered = False  # the client has got bytes of the answer
    over = False
    full = False  # the instance takes no more for now
    late: bytes | None = None  # an answer of the gateway that waits for the end of the request
    tried: tuple[Upstream, ...] = ()
    status = 0
    deadline = 0.0

    def __init__(
        self, gateway: Gateway, client: Caller, *, method: bytes, version: str, target: bytes, keep_alive: bool
    ) -> None:
        self.gateway = gateway
        self.client = client
        self.method = method
        self.version = version
        self.target = target
        self.keep_alive = keep_alive
        self.id = b""
        self.pieces: list[bytes] = []  # what is to be sent to the instance
        self.started = perf_counter()

    # -- towards the instance

    def start(self) -> None:
        """Choose an instance and count the request there, in one go; or refuse. Nothing is sent before `flush`."""
        entry = self.entry
        if self.refusal is not None or entry is None:
            refusal = self.refusal or heads.Refusal(404, "nothing is routed there")
            self.refuse(refusal.status, refusal.message)
            return
        now = self.gateway.loop.time()
        self.deadline = now + entry.timeout
        if not self._choose(now):
            return
        self.pieces.insert(0, b"%b %b HTTP/1.1\r\n%b%b%bX-Request-Id: %b\r\n\r\n" % (*self.head, self.id))
        if self.continues:
            self.client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection: Link | None = self.upstream.take() if self.upstream else None
        if connection is None:
            self.gateway.spawn(self)
        else:
            self.connection = connection
            connection.begin(self)

    def _choose(self, now: float) -> bool:
        if self.over or self.entry is None:
            return False
        entry = self.entry
        chosen = entry.choose(now, self.tried, None if entry.sticky is None else entry.sticky.of(self._lines()))
        if chosen is None:
            self.refuse(503, "no instance answers there now")
            return False
        before = self.release
        self.release, self.upstream = chosen
        self.upstream.in_flight += 1
        if self.given and self.release is not before:
            self._name(self.release, again=before is not None)
        return True

    def _name(self, release: Release, *, again: bool) -> None:
        """Let the id end in the release that answers; `again`: a head with another one's is among the pieces."""
        name = self.given + release.suffix
        if again:
            self.pieces[0] = self.pieces[0].replace(b"X-Request-Id: " + self.id, b"X-Request-Id: " + name, 1)
        self.id = name

    async def reach(self) -> None:
        """Open a connection to the instance, or to another one when it refuses."""
        while not self.over and self.upstream is not None:
            upstream = self.upstream
            try:
                async with asyncio.timeout(CONNECT):
                    connection = await self.gateway.connect(self.gateway, upstream)
            except OSError:
                if not self._elsewhere(upstream, REST):
                    return
            else:
                self._reached(connection)
                return

    def _reached(self, connection: Link) -> None:
        if self.over:  # the client went meanwhile
            connection.abort()
            return
        self.connection = connection
        connection.begin(self)
        self.flush()
        self.client.regulate()

    def _elsewhere(self, upstream: Upstream, rest: float) -> bool:
        """Leave an instance that does not answer, to rest, and choose another one."""
        self._missed()
        self._leave()
        now = self.gateway.loop.time()
        upstream.rests_until = now + rest
        self.tried = (*self.tried, upstream)
        release = self.release
        if not self._choose(now):
            return False
        if release is not None:
            self.gateway.force.counters.passed_on(release.slot)
        return True

    def body(self, data: bytes) -> None:
        """Another piece of the request's body."""
        entry = self.entry
        if self.over or self.late is not None or entry is None:
            return
        self.body_size += len(data)
        if self.body_size > entry.body:
            self.refuse(413, f"a body may have {entry.body} bytes here")
            return
        self.pieces.append(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)
        self.pending += len(data)
        self.deadline = self.gateway.loop.time() + (QUIET if self.answered else entry.timeout)

    def ended(self) -> None:
        """The request is whole."""
        self.complete = True
        if self.late is not None:
            self._answer(self.late)
        elif self.chunked and not self.over:
            self.pieces.append(b"0\r\n\r\n")

    def flush(self) -> None:
        """Send what is there, if there is a connection."""
        pieces = self.pieces
        if self.connection is None or not pieces:
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.pieces = []
        self.pending = 0
        if self.repeatable:
            if self.body_size > HELD:
                self.repeatable, self.held = False, ()
            else:
                self.held = (*self.held, data)
        self.connection.write(data)

    def congested(self) -> bool:
        """Whether the client had better pause."""
        return self.full or self.pending > PENDING

    # -- towards the client

    def began(self, status: int) -> None:
        """The head of the answer is there."""
        self.status = status
        self.answered = True
        self.keep_alive = self.keep_alive and self.complete and not self.gateway.closing

    def finish(self, kept: bool) -> None:
        """The answer is whole; `kept`: the connection may serve another request."""
        self._count(self.status)
        if self.status >= 500:
            self._erred()
        self._leave(kept and self.complete)
        self.over = True
        self.client.done(self)

    def lost(self, status: int = 502, message: str = "the instance did not answer") -> None:
        """The connection to the instance is gone, or of no use, before the answer was whole."""
        if self.over:
            return
        if self.repeatable and not self.again and status == 502 and self._repeat():
            return
        self._missed()
        if self.answered:
            self._count(self.status)
            self._break()
        else:
            self.refuse(status, message)

    def _repeat(self) -> bool:
        """Send the request once more: on a new connection if this one had been used before, else elsewhere if it is safe."""
        upstream, reused = self.upstream, self.connection is not None and self.connection.reused
        if upstream is None or not (reused or self.method in _REPEATABLE):
            return False
        self.again = True
        self.connection = None
        self.full = False
        self.pieces = [*self.held, *self.pieces]
        self.held = ()
        if reused or self._elsewhere(upstream, REST / 10):
            self.gateway.spawn(self)
        return True

    def cancel(self) -> None:
        """The client is gone."""
        if not self.over:
            self.over = True
            self._leave()

    def refuse(self, status: int, message: str) -> None:
        """Answer in place of an instance."""
        if self.over:
            return
        if self.answered:
            self._break()
            return
        self._leave()
        self.status = status
        path = self.target.partition(b"?")[0].decode("ascii", "replace")
        content = json.dumps({"error": message, "path": path}).encode() + b"\n"
        small = self.awaited <= HELD and not self.chunked and not self.continues and status != 413
        if not self.complete and self.keep_alive and small:
            self.late = content
        else:
            self._answer(content)

    def _answer(self, content: bytes) -> None:
        self.late = None
        self.keep_alive = self.keep_alive and self.complete and not self.gateway.closing
        parts = [
            heads.answer_line(self.status),
            b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(content),
            b"Retry-After: 1\r\n" if self.status in {502, 503, 504} else b"",
            self.closing_lines(),
            b"" if self.method == b"HEAD" else content,
        ]
        self.client.write(b"".join(parts))
        self._count(self.status)
        self.over = True
        self.client.done(self)

    def closing_lines(self) -> bytes:
        """The lines that the gateway adds to each answer's head, and its end."""
        keep = b""
        if not self.keep_alive:
            keep = b"Connection: close\r\n"
        elif self.version == "1.0":
            keep = b"Connection: keep-alive\r\n"
        header = b"" if self.release is None else self.release.header
        return b"%b%bX-Request-Id: %b\r\n\r\n" % (keep, header, self.id or self.gateway.identity())

    def _break(self) -> None:
        self.over = True
        self._leave()
        self.client.abort()

    # -- the books

    def _leave(self, kept: bool = False) -> None:
        """The instance has one request less in flight."""
        if self.upstream is not None:
            self.upstream.in_flight -= 1
            self.upstream = None
        if self.connection is not None:
            connection, self.connection = self.connection, None
            connection.release(kept)

    def _missed(self) -> None:
        if self.release is not None:
            self.gateway.force.counters.missed(self.release.slot)
            self._erred()

    def _erred(self) -> None:
        """An error of the release, as a judge counts them."""
        release, sticky = self.release, None if self.entry is None else self.entry.sticky
        if release is None:
            return
        lines = self._lines()
        who = (sticky.of(lines) if sticky is not None else None) or origin(lines) or self.client.name
        if release.errs(who, self.gateway.loop.time()):
            self.gateway.force.counters.erred(release.slot)

    def _lines(self) -> bytes:
        """The header lines of the request, as far as they go on."""
        return self.head[2] + self.head[3] if self.head else b""

    def _count(self, status: int) -> None:
        force = self.gateway.force
        slot = force.nowhere if self.release is None else self.release.slot
        force.counters.count(slot, status, int((perf_counter() - self.started) * 1e6))
