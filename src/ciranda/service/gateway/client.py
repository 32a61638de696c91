"""A connection of a client."""

import asyncio
from collections import deque
from typing import cast

import httptools

from ciranda.service import request_ids
from ciranda.service.gateway import heads, plain
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
        self.exchange: Exchange | None = None  # the one that is being answered
        self.reading: Exchange | None = None  # the one whose body is being read
        self.waiting: deque[Exchange] = deque()
        self.buffer = b""  # the beginning of a head
        self.left = 0  # bytes of a plain request's body that are still to come
        self.parser: httptools.HttpRequestParser | None = None  # once there was a request that is not plain
        self.parsing = False  # one is being read
        self.in_head = False
        self.rest: bytes | None = None  # what came behind a request to upgrade
        self.tunnel = False
        self.deaf = False  # what still comes is not understood
        self.ending = False  # nothing more is answered
        self.paused = False  # reading
        self.stuck = False  # the client does not read
        self.peer = b"unknown"
        self.name = b""
        self.deadline = 0.0

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.peer = str(peer[0]).encode()
            self.name = b"%b %d" % (self.peer, peer[1])
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
        if self.ending or self.deaf:
            return
        if self.tunnel:
            if self.exchange is not None and self.exchange.connection is not None:
                self.exchange.connection.write(data)
            return
        if self.rest is not None:
            self.rest += data
            self.regulate()
            return
        if self.parsing:
            self._parse(data)
        else:
            self._read(data)
        exchange = self.exchange
        if exchange is not None:
            exchange.flush()
            if self.waiting or self.paused or exchange.pending:
                self.regulate()

    def eof_received(self) -> bool:
        """The client sends no more; an answer that is under way still goes to it."""
        if self.exchange is None or self.tunnel or not self.exchange.complete:
            return False
        self.exchange.keep_alive = False
        self.waiting.clear()
        return True

    def pause_writing(self) -> None:
        self.stuck = True
        if self.exchange is not None and self.exchange.connection is not None:
            self.exchange.connection.pause(True)

    def resume_writing(self) -> None:
        self.stuck = False
        if self.exchange is not None and self.exchange.connection is not None:
            self.exchange.connection.pause(False)
        self._next()

    # -- plain requests

    def _read(self, data: bytes) -> None:
        if self.buffer:
            data, self.buffer = self.buffer + data, b""
        while data and not self.ending and not self.deaf:
            if self.left:
                data = self._body(data)
                continue
            end = data.find(b"\r\n\r\n") + 4
            if end < 4 and data[:1].isupper() and data.count(b"\n") == data.count(b"\r\n"):
                self.buffer = data
                self.in_head = True
                if len(data) > heads.LONGEST_HEAD:
                    self._broken(431, f"the head of a request may have {heads.LONGEST_HEAD} bytes")
                return
            head = data[:end]
            known = plain.request(head, self.gateway.names)
            if known is None:
                self.parsing = True
                self._parse(data)
                return
            data = data[end:]
            self.in_head = False
            exchange = Exchange(
                self.gateway,
                self,
                method=known.method,
                version="1.1",
                target=known.target,
                keep_alive=known.keep_alive,
            )
            self._understand(exchange, known.treated, known.lines, len(head))
            self.left = known.length
            self._take(exchange)
            if not self.left:
                self._ended()

    def _body(self, data: bytes) -> bytes:
        """Take what belongs to the body; returns the rest."""
        piece, rest = data[: self.left], data[self.left :]
        self.left -= len(piece)
        if self.reading is not None:
            self.reading.body(piece)
        if not self.left:
            self._ended()
        return rest

    def _take(self, exchange: Exchange) -> None:
        """A head is there: it is its turn, or it waits for it."""
        if self.ending:
            return  # an earlier one was the last
        self.reading = exchange
        if self.exchange is None and not self.stuck:
            self.exchange = exchange
            exchange.start()
        else:
            self.waiting.append(exchange)

    def _ended(self) -> None:
        reading, self.reading = self.reading, None
        if reading is not None:
            reading.ended()

    def _understand(
        self, exchange: Exchange, treated: list[tuple[bytes, bytes]], passed: bytes | list[bytes], size: int
    ) -> None:
        """Decide what goes to the instance, or why nothing does."""
        asked = heads.asked(treated, exchange.version, self.peer)
        if size > heads.LONGEST_HEAD:
            asked = heads.Refusal(431, f"the head of a request may have {heads.LONGEST_HEAD} bytes")
        if isinstance(asked, heads.Refusal):
            exchange.refusal = asked
            exchange.keep_alive = False
            return
        if asked.rare:
            exchange.websocket, exchange.chunked, exchange.continues = asked.websocket, asked.chunked, asked.continues
        exchange.awaited = asked.length
        routed = heads.routed(exchange.target)
        entry = exchange.entry = None if routed is None else self.gateway.force.entries.get(routed[0])
        if asked.id is None:
            exchange.id = exchange.given = self.gateway.identity(request_ids.NOWHERE if entry is None else entry.tag)
        else:
            exchange.id = asked.id
        if routed is None or entry is None:
            return
        if asked.length > entry.body:
            exchange.refusal = heads.Refusal(413, f"a body may have {entry.body} bytes here")
            return
        if isinstance(passed, list):
            passed = b"".join(line for line in passed if line.partition(b":")[0].lower() not in asked.dropped)
        exchange.head = (exchange.method, routed[1], asked.lines, passed, entry.header)

    # -- requests that are not plain

    def _parse(self, data: bytes) -> None:
        if self.parser is None:
            self.parser = httptools.HttpRequestParser(self)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.parser, self.parsing = None, False
            rest = data[upgrade.args[0] :]
            last = self.waiting[-1] if self.waiting else self.exchange
            if last is not None and last.websocket:
                self.rest = rest
            elif rest:
                self._read(rest)
            return
        except httptools.HttpParserError as error:
            self._broken(400, str(error))
            return
        if self.in_head:
            self.size += len(data)
            if self.size > heads.LONGEST_HEAD:
                self._broken(431, f"the head of a request may have {heads.LONGEST_HEAD} bytes")
        elif self.reading is None:
            self.parsing = False

    def on_message_begin(self) -> None:
        self.target = b""
        self.lines: list[bytes] = []
        self.treated: list[tuple[bytes, bytes]] = []
        self.size = 0
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
        parser = cast(httptools.HttpRequestParser, self.parser)
        exchange = Exchange(
            self.gateway,
            self,
            method=parser.get_method(),
            version=parser.get_http_version(),
            target=self.target,
            keep_alive=parser.should_keep_alive(),
        )
        self._understand(exchange, self.treated, self.lines, self.size + len(self.target))
        self._take(exchange)

    def on_body(self, body: bytes) -> None:
        if self.reading is not None:
            self.reading.body(body)

    def on_message_complete(self) -> None:
        self._ended()

    # -- the exchange's side

    def write(self, data: bytes) -> None:
        self.gateway.post(self.transport, data)

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
            if not self.stuck:
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
        if self.waiting and self.exchange is None and not self.ending and not self.stuck:
            exchange = self.exchange = self.waiting.popleft()
            exchange.start()
            exchange.flush()
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
        """What comes next cannot be told apart: what came before is answered, then this, and that is the end."""
        self.deaf = True
        reading, self.reading = self.reading, None
        if reading is None:
            reading = Exchange(self.gateway, self, method=b"GET", version="1.1", target=b"", keep_alive=False)
            reading.refusal = heads.Refusal(status, message)
            self._take(reading)
            return
        reading.keep_alive = False
        if reading is self.exchange:
            reading.refuse(status, message)
        else:
            reading.refusal = heads.Refusal(status, message)

    def _end(self, whole: bool) -> None:
        self.ending = True
        self.deadline = self.gateway.loop.time() + LINGER
        self.gateway.push()
        if whole:
            self.transport.close()
            return
        # closed with unread bytes, the kernel would reset the connection and the answer with it
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
