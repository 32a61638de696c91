"""A connection of a client."""

import asyncio
from collections import deque
from typing import cast

import httptools

from ciranda.service.gateway import heads
from ciranda.service.gateway.exchange import Exchange, Gateway

HEAD_TIME = 30.0  # seconds for a head to come in
IDLE = 75.0  # seconds for which a connection is kept without a request
LINGER = 5.0  # seconds for which the rest of a request that is already answered is read and thrown away


class ClientConnection(asyncio.Protocol):
    """Reads requests, one after the other, and writes answers in the same order."""

    transport: asyncio.Transport

    def __init__(self, gateway: Gateway, clients: "set[ClientConnection]") -> None:
        self.gateway = gateway
        self.clients = clients
        self.parser = httptools.HttpRequestParser(self)
        self.exchange: Exchange | None = None  # the one that is being answered
        self.reading: Exchange | None = None  # the one whose body is being read
        self.latest: Exchange | None = None
        self.waiting: deque[Exchange] = deque()
        self.rest: bytes | None = None  # what came behind a request to upgrade
        self.tunnel = False
        self.ending = False  # nothing more is read
        self.paused = False
        self.peer = b"unknown"
        self.deadline = 0.0
        self.head_size = 0
        self.in_head = False
        self.on_message_begin()
        self.in_head = False

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.peer = str(peer[0]).encode()
        self.deadline = self.gateway.loop.time() + HEAD_TIME
        self.clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.clients.discard(self)
        self.ending = True
        exchange, self.exchange = self.exchange, None
        self.waiting.clear()
        if exchange is not None:
            exchange.cancel()

    def data_received(self, data: bytes) -> None:
        if self.ending:
            return
        if self.tunnel:
            if self.exchange is not None and self.exchange.connection is not None:
                self.exchange.connection.write(data)
            return
        if self.rest is not None:
            self.rest += data
            self.regulate()
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.parser = httptools.HttpRequestParser(self)
            rest = data[upgrade.args[0] :]
            if self.latest is not None and self.latest.websocket:
                self.rest = rest
            elif rest:
                self.data_received(rest)
                return
        except httptools.HttpParserError as error:
            self._broken(400, str(error))
        if self.in_head:
            self.head_size += len(data)
            if self.head_size > heads.LONGEST_HEAD:
                self._broken(431, f"the head of a request may have {heads.LONGEST_HEAD} bytes")
        exchange = self.exchange
        if exchange is not None and exchange.pieces:
            exchange.flush()
            if exchange.pending or self.waiting:
                self.regulate()

    def eof_received(self) -> bool:
        """The client sends no more; an answer that is under way still goes to it."""
        if self.exchange is None or self.tunnel or not self.exchange.complete:
            return False
        self.exchange.keep_alive = False
        self.waiting.clear()
        return True

    def pause_writing(self) -> None:
        if self.exchange is not None and self.exchange.connection is not None:
            self.exchange.connection.pause(True)

    def resume_writing(self) -> None:
        if self.exchange is not None and self.exchange.connection is not None:
            self.exchange.connection.pause(False)

    # -- the parser's side

    def on_message_begin(self) -> None:
        self.target = b""
        self.lines: list[bytes] = []
        self.treated: list[tuple[bytes, bytes]] = []
        self.size = 0
        self.head_size = 0
        self.in_head = True

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:
            return  # a trailer
        self.size += len(name) + len(value) + 4
        lower = name.lower()
        if lower in heads.TREATED:
            self.treated.append((lower, value))
        elif heads.passed_on(lower):
            self.lines.append(b"%b: %b\r\n" % (name, value))

    def on_headers_complete(self) -> None:
        self.in_head = False
        parser, gateway = self.parser, self.gateway
        version = parser.get_http_version()
        path, _, _ = self.target.partition(b"?")
        exchange = Exchange(
            gateway,
            self,
            method=parser.get_method(),
            version=version,
            path=path,
            keep_alive=parser.should_keep_alive(),
        )
        self.reading = self.latest = exchange
        self._understand(exchange)
        if self.exchange is None:
            self.exchange = exchange
            exchange.start()
        else:
            self.waiting.append(exchange)

    def _understand(self, exchange: Exchange) -> None:
        asked = heads.asked(self.treated, exchange.version, self.peer)
        if self.size + len(self.target) > heads.LONGEST_HEAD:
            asked = heads.Refusal(431, f"the head of a request may have {heads.LONGEST_HEAD} bytes")
        if isinstance(asked, heads.Refusal):
            exchange.refusal = asked
            exchange.keep_alive = False
            return
        exchange.id = asked.id or self.gateway.identity()
        exchange.websocket, exchange.chunked, exchange.continues = asked.websocket, asked.chunked, asked.continues
        exchange.awaited = asked.length
        routed = heads.routed(self.target)
        if routed is None:
            return
        entry = exchange.entry = self.gateway.force.entries.get(routed[0])
        if entry is None:
            return
        if asked.length > entry.body:
            exchange.refusal = heads.Refusal(413, f"a body may have {entry.body} bytes here")
            return
        lines = self.lines
        if asked.dropped:
            lines = [line for line in lines if line.partition(b":")[0].lower() not in asked.dropped]
        exchange.pieces.append(
            b"".join(
                (
                    *(exchange.method, b" ", routed[1], b" HTTP/1.1\r\n", asked.lines, *lines),
                    *(entry.header, b"X-Request-Id: ", exchange.id, b"\r\n\r\n"),
                )
            )
        )

    def on_body(self, body: bytes) -> None:
        if self.reading is not None:
            self.reading.body(body)

    def on_message_complete(self) -> None:
        reading, self.reading = self.reading, None
        if reading is not None:
            reading.ended()

    # -- the exchange's side

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def abort(self) -> None:
        self.ending = True
        self.transport.abort()

    def regulate(self) -> None:
        """Read on, or wait until what was read has gone on."""
        exchange = self.exchange
        held = self.rest is not None and len(self.rest) > heads.LONGEST_HEAD
        paused = bool(self.waiting) or held or (exchange is not None and exchange.congested())
        if paused is not self.paused and not self.transport.is_closing():
            self.paused = paused
            (self.transport.pause_reading if paused else self.transport.resume_reading)()

    def done(self, exchange: Exchange) -> None:
        """An exchange is over: the next one, or the end."""
        if self.exchange is not exchange:
            return
        self.exchange = None
        if not exchange.keep_alive:
            self._end(exchange.complete)
            return
        self.deadline = self.gateway.loop.time() + IDLE
        if self.waiting:
            self.gateway.loop.call_soon(self._next)
        elif self.rest is not None:
            rest, self.rest = self.rest, None
            self.gateway.loop.call_soon(self.data_received, rest)
        if self.paused:
            self.regulate()

    def upgraded(self) -> None:
        """The instance took the upgrade: from here on bytes pass as they are."""
        self.tunnel = True
        rest, self.rest = self.rest, None
        if rest:
            self.data_received(rest)

    def _next(self) -> None:
        if self.waiting and self.exchange is None and not self.ending:
            self.exchange = self.waiting.popleft()
            self.exchange.start()
            self.regulate()

    # -- ends

    def sweep(self, now: float) -> None:
        """Enforce the times of this connection."""
        exchange = self.exchange
        if self.ending:
            if now > self.deadline:
                self.transport.abort()
        elif exchange is not None:
            if now > exchange.deadline:
                exchange.lost(504, "the instance took too long")
        elif now > self.deadline:
            if self.in_head:
                self._broken(408, "the request took too long")
            else:
                self._end(True)

    def drain(self) -> None:
        """Leave as soon as nothing is under way."""
        if self.exchange is None and not self.in_head:
            self._end(True)

    def _broken(self, status: int, message: str) -> None:
        """What comes next cannot be told apart from what came: answer if the turn is ours, and end."""
        current = self.exchange
        if current is not None and current is self.reading:
            current.keep_alive = False
            current.refuse(status, message)
        elif current is None:
            exchange = self.exchange = Exchange(
                self.gateway, self, method=b"GET", version="1.1", path=self.target, keep_alive=False
            )
            exchange.refuse(status, message)
        else:
            self.waiting.clear()
            current.keep_alive = False  # its answer is the last one

    def _end(self, whole: bool) -> None:
        self.ending = True
        self.deadline = self.gateway.loop.time() + LINGER
        if whole:
            self.transport.close()
            return
        # closed with unread bytes, the kernel would reset the connection and the answer with it
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
