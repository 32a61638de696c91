"""A connection to an instance."""

import asyncio
from typing import cast

import httptools

from ciranda.service.gateway import heads
from ciranda.service.gateway.exchange import QUIET, Exchange, Gateway, Link
from ciranda.service.gateway.force import Upstream

_IDLE_MOST = 256  # idle connections that are kept to one instance


async def connect(gateway: Gateway, upstream: Upstream) -> Link:
    """A new connection. Raises OSError (TimeoutError is one)."""
    address = upstream.address
    if isinstance(address, str):
        _, made = await gateway.loop.create_unix_connection(lambda: InstanceConnection(gateway, upstream), address)
    else:
        _, made = await gateway.loop.create_connection(lambda: InstanceConnection(gateway, upstream), *address)
    return made


class InstanceConnection(asyncio.Protocol):
    """Sends requests, one after the other, and turns answers into what the client gets."""

    transport: asyncio.Transport

    def __init__(self, gateway: Gateway, upstream: Upstream) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.exchange: Exchange | None = None
        self.parser: httptools.HttpResponseParser | None = None  # of an answer that is not plain
        self.buffer = b""  # the beginning of a head
        self.left = 0  # bytes of a plain answer's body that are still to come
        self.idle_since = 0.0
        self.reused = False
        self.gone = False
        self.paused = False
        self.tunnel = False
        self.kept = False

    # -- the pool's side

    def usable(self) -> bool:
        return not self.gone and not self.transport.is_closing()

    def close(self) -> None:
        self.transport.close()

    # -- the exchange's side

    def begin(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def write(self, data: bytes) -> None:
        self.gateway.post(self.transport, data)

    def pause(self, paused: bool) -> None:
        if not self.gone and paused is not self.paused:
            self.paused = paused
            (self.transport.pause_reading if paused else self.transport.resume_reading)()

    def release(self, kept: bool) -> None:
        self.exchange = None
        upstream = self.upstream
        if kept and self.kept and not self.gone and upstream.routed and len(upstream.idle) < _IDLE_MOST:
            self.parser = None
            if self.paused:
                self.pause(False)
            self.reused = True
            self.idle_since = self.gateway.loop.time()
            upstream.idle.append(self)
        elif not self.gone:
            self.transport.abort()

    def abort(self) -> None:
        self.transport.abort()

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            self.transport.abort()  # nobody asked
            return
        if self.tunnel:
            exchange.client.write(data)
            return
        exchange.deadline = self.gateway.loop.time() + QUIET
        exchange.repeatable = False
        if self.parser is not None:
            self._parse(exchange, self.parser, data)
        elif self.left:
            self._more(exchange, data)
        else:
            self._head(exchange, self.buffer + data if self.buffer else data)

    def _head(self, exchange: Exchange, data: bytes) -> None:
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 and data.count(b"\n") == data.count(b"\r\n"):
            self.buffer = data
            if len(data) > heads.LONGEST_HEAD:
                exchange.lost(502, "the instance answered with too long a head")
            return
        self.buffer = b""
        known = None if exchange.method == b"HEAD" else self.gateway.answers.read(data[:end])
        if known is None:
            self._begin_parsing()
            self._parse(exchange, cast(httptools.HttpResponseParser, self.parser), data)
            return
        exchange.began(known.status)
        self.kept = known.kept
        self.left = known.length + end - len(data)
        if self.left < 0:
            self.kept, self.left, data = False, 0, data[: known.length + end]
        line = heads.answer_line(known.status)
        exchange.client.write(b"".join((line, known.lines, exchange.closing_lines(), data[end:])))
        if not self.left:
            exchange.finish(self.kept)

    def _more(self, exchange: Exchange, data: bytes) -> None:
        self.left -= len(data)
        if self.left < 0:
            data = data[: self.left]
            self.kept, self.left = False, 0
        exchange.client.write(data)
        if not self.left:
            exchange.finish(self.kept)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        if self in self.upstream.idle:
            self.upstream.idle.remove(self)
        exchange = self.exchange
        if exchange is None:
            return
        if self.tunnel:
            exchange.keep_alive = False
            exchange.finish(False)
        elif self.parser is not None and self.endless and exc is None:
            if self.rechunk:
                exchange.client.write(b"0\r\n\r\n")
            exchange.finish(False)
        else:
            exchange.lost()

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.full = True
            self.exchange.client.regulate()

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.full = False
            self.exchange.client.regulate()

    # -- answers that are not plain

    def _begin_parsing(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.lines: list[bytes] = []
        self.treated: list[tuple[bytes, bytes]] = []
        self.out: list[bytes] = []
        self.head_done = False
        self.interim = False
        self.whole = False
        self.endless = False  # the answer ends where the connection does
        self.rechunk = False
        self.kept = False

    def _parse(self, exchange: Exchange, parser: httptools.HttpResponseParser, data: bytes) -> None:
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.out.append(data[upgrade.args[0] :])
            self._flush(exchange)
            self.tunnel = True
            exchange.deadline = float("inf")
            exchange.client.upgraded()
            return
        except httptools.HttpParserError:
            self._flush(exchange)
            exchange.lost(502, "the instance answered what is not HTTP")
            return
        self._flush(exchange)
        if self.whole:
            exchange.finish(self.kept)

    def _flush(self, exchange: Exchange) -> None:
        if self.out:
            exchange.client.write(b"".join(self.out))
            self.out = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_done:
            return  # a trailer
        lower = name.lower()
        if lower in heads.ANSWER_TREATED:
            self.treated.append((lower, value))
        else:
            self.lines.append(b"%b: %b\r\n" % (name, value))

    def on_headers_complete(self) -> None:
        exchange, parser = self.exchange, self.parser
        if exchange is None or parser is None or self.whole:
            self.kept = False  # more than one answer
            return
        status = parser.get_status_code()
        if status < 200 and not (status == 101 and exchange.websocket):
            self.interim = True
            self.lines, self.treated = [], []
            return
        self.head_done = True
        self.kept = parser.should_keep_alive() and status != 101
        framing = heads.answer_framing(self.treated, status, exchange.method, exchange.version)
        self.endless, self.rechunk = framing.endless, framing.rechunk
        exchange.began(status)
        if framing.closes:
            exchange.keep_alive = False
        self.out = [heads.answer_line(status), *self.lines, framing.lines, exchange.closing_lines()]
        if exchange.method == b"HEAD":
            self.whole = True

    def on_body(self, body: bytes) -> None:
        if self.whole:
            self.kept = False  # a body where none may be
        else:
            self.out.append(b"%x\r\n%b\r\n" % (len(body), body) if self.rechunk else body)

    def on_message_complete(self) -> None:
        if self.interim:
            self.interim = False
        elif not self.whole:
            self.whole = True
            if self.rechunk:
                self.out.append(b"0\r\n\r\n")
