"""HTTP/1.1 for the model server: strict framing (llhttp), keep-alive, pipelining, answers in the order of the requests.

RFC 9112. What frames a message in two ways is refused, a body is at most 16 MiB, a head at most 64 KiB.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Optional

import httptools

BODY = 16 * 1024 * 1024  # bytes
HEAD = 64 * 1024  # bytes
DEEP = 128  # pipelined requests of one connection that wait before more are read
LINGER = 2.0  # seconds to read what a refused client still sends, so that it sees the answer

LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
JSON = b"content-type: application/json\r\ncontent-length: %d\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """One request and, once it is there, its answer."""

    __slots__ = ("answer", "body", "close", "connection", "head_only", "id", "method", "path")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.method = ""
        self.path = b""
        self.id = b""
        self.body = b""
        self.close = False
        self.head_only = False
        self.answer: Optional[bytes] = None

    def reply(self, status: int, body: bytes, extra: bytes = b"") -> None:
        """Answer with JSON; it is sent when all earlier requests of the connection are answered."""
        connection = self.connection
        head = LINES[status] + (JSON % len(body)) + extra
        if self.id:
            head += b"x-request-id: " + self.id + b"\r\n"
        if connection.site.draining and connection.exchanges and connection.exchanges[-1] is self:
            self.close = True
        if self.close:
            head += b"connection: close\r\n"
        self.answer = head + b"\r\n" if self.head_only else head + b"\r\n" + body
        connection.send()

    def refuse(self, status: int, error: str, extra: bytes = b"") -> None:
        """Answer with `{"error": …}`."""
        self.reply(status, json.dumps({"error": error}).encode(), extra)


class Site:
    """Who answers, and the connections that are open."""

    def __init__(self, handle: Callable[[Exchange], None], loop: asyncio.AbstractEventLoop) -> None:
        self.handle = handle
        self.loop = loop
        self.draining = False
        self.connections: set[Connection] = set()

    def connect(self) -> Connection:
        """A protocol for one more connection."""
        return Connection(self)


class Connection(asyncio.Protocol):
    """One client. Requests enter `exchanges`; answers leave in the same order."""

    __slots__ = (
        "_body",
        "_current",
        "_expects",
        "_head",
        "_hosts",
        "_parser",
        "_size",
        "_transport",
        "exchanges",
        "heard",
        "partial",
        "refused",
        "site",
    )

    def __init__(self, site: Site) -> None:
        self.site = site
        self.exchanges: deque[Exchange] = deque()
        self.heard = site.loop.time()
        self.partial = False  # a request has begun and is not complete
        self.refused = False  # nothing more is read; the client is left
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._current: Any = None
        self._body: list[bytes] = []
        self._size = self._head = self._hosts = 0
        self._expects = False

    def connection_made(self, transport: Any) -> None:
        """A client connected."""
        self._transport = transport
        self.site.connections.add(self)

    def connection_lost(self, _why: Optional[Exception]) -> None:
        """The client went; what is still computed for it is thrown away."""
        self.site.connections.discard(self)
        self.refused = True
        self.exchanges.clear()

    def eof_received(self) -> bool:
        """The client will send no more; it still gets the answers to what it asked."""
        if self.exchanges and not self.refused:
            self.exchanges[-1].close = True
            return True
        return False

    def data_received(self, data: bytes) -> None:
        """Bytes of a client."""
        if self.refused:
            return
        self.heard = self.site.loop.time()
        self.partial = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.refused = True  # the request is answered as the HTTP/1.1 that it is, and the connection ends
        except httptools.HttpParserError as error:
            if not self.refused:
                self._stop(400, f"the request is not HTTP/1.1: {error}")
        if len(self.exchanges) >= DEEP and not self.refused:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The client does not read its answers: read no more of its requests."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._transport.resume_reading()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._current = Exchange(self)
        self._body = []
        self._size = self._head = self._hosts = 0
        self._expects = False
        self.partial = True

    def on_url(self, url: bytes) -> None:
        """The request's target, in pieces."""
        self._current.path += url
        self._grow(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of the head."""
        self._grow(len(name) + len(value) + 4)
        field = name.lower()
        if field == b"host":
            self._hosts += 1
        elif field == b"x-request-id":
            self._current.id = value[:200]
        elif field == b"transfer-encoding" and value.strip().lower() != b"chunked":
            self._stop(501, "the only transfer encoding is chunked")
        elif field in (b"transfer-encoding", b"content-length"):
            if self._current.body:
                self._stop(400, "the length of the body is said twice")
            self._current.body = field
            if field == b"content-length" and len(value) < 20 and value.strip().isdigit() and int(value) > BODY:
                self._stop(413, f"a body has at most {BODY:,} bytes")
        elif field == b"upgrade":
            self._current.close = True
        elif field == b"expect":
            self._expects = True

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self.refused:
            return
        parser, exchange = self._parser, self._current
        exchange.method = parser.get_method().decode("ascii", "replace")
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._stop(505, "this service speaks HTTP/1.1")
        elif self._hosts != 1 and (version == "1.1" or self._hosts):
            self._stop(400, "a request has exactly one Host")
        elif version == "1.0" and exchange.body == b"transfer-encoding":
            self._stop(400, "HTTP/1.0 has no transfer encoding")
        elif self._expects and not self.exchanges:
            self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self.refused:
            return
        self._size += len(body)
        if self._size > BODY:
            self._stop(413, f"a body has at most {BODY:,} bytes")
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self.refused:
            return
        exchange = self._current
        if exchange.method == "POST" and not exchange.body:
            self._stop(411, "a POST says how long its body is: Content-Length, or chunked")
            return
        exchange.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        exchange.close = exchange.close or not self._parser.should_keep_alive()
        exchange.head_only = exchange.method == "HEAD"
        self.partial = False
        self.exchanges.append(exchange)
        self.site.handle(exchange)

    def send(self) -> None:
        """Send the answers that are ready and whose turn it is."""
        exchanges = self.exchanges
        parts: list[bytes] = []
        deep = len(exchanges) >= DEEP
        while exchanges:
            exchange = exchanges[0]
            if exchange.answer is None:
                break
            exchanges.popleft()
            parts.append(exchange.answer)
            if exchange.close:
                self._transport.write(b"".join(parts))
                self._leave()
                return
        if parts:
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))
        if deep and len(exchanges) < DEEP and not self.refused:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close without waiting for anything more."""
        self.refused = True
        self._transport.close()

    def _grow(self, size: int) -> None:
        self._head += size
        if self._head > HEAD and not self.refused:
            self._stop(431, f"the head of a request has at most {HEAD:,} bytes")

    def _stop(self, status: int, error: str) -> None:
        """Refuse the request and what follows it; the connection closes after the answer."""
        if self.refused:
            return
        self.refused = True
        exchange = Exchange(self)
        exchange.close = True
        exchange.id = self._current.id if self._current else b""
        self.exchanges.append(exchange)
        exchange.refuse(status, error)

    def _leave(self) -> None:
        """Close after the last answer; a client that still sends is read for a while, so that it sees the answer."""
        self.exchanges.clear()
        if not self.refused:
            self.refused = True
            self._transport.close()
            return
        self._transport.write_eof()
        self.site.loop.call_later(LINGER, self._transport.close)
