"""The server of `swaps.py` in Python: it dies at once when it is told to leave."""

import asyncio
import os
import signal
from typing import Any

import httptools
import uvloop

RELEASE = os.environ["CIRANDA_RELEASE"].encode()
OK = b"HTTP/1.1 200 OK\r\n"
ANSWER = OK + b"Content-Length: %d\r\n\r\n%b" % (len(RELEASE), RELEASE)
UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


class Connection(asyncio.Protocol):
    """One connection: short and slow answers, an echo in chunks, an echo of WebSocket frames."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.talking = False
        self.url, self.body, self.frames = b"", b"", b""

    def data_received(self, data: bytes) -> None:
        if self.talking:
            self.talk(data)
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.talking = True
            self.transport.write(UPGRADED)

    def on_message_begin(self) -> None:
        self.url, self.body = b"", b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        path, _, query = self.url.partition(b"?")
        if path == b"/socket":
            return
        if path == b"/echo":
            half = len(self.body) // 2
            pieces = (RELEASE + b" ", self.body[:half], self.body[half:], b"")
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
            self.transport.write(OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
            return
        seconds = int(query) / 1000 if path == b"/slow" else 0.0005
        asyncio.get_running_loop().call_later(seconds, self.transport.write, ANSWER)

    def talk(self, data: bytes) -> None:
        """Frames are short and masked with zeros."""
        self.frames += data
        while len(self.frames) >= 6 and len(self.frames) >= 6 + (length := self.frames[1] & 0x7F):
            self.transport.write(self.frames[:1] + bytes([length]) + self.frames[6 : 6 + length])
            self.frames = self.frames[6 + length :]


async def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    await asyncio.get_running_loop().create_unix_server(Connection, os.environ["CIRANDA_SOCKET"])
    await asyncio.Event().wait()


uvloop.run(main())
