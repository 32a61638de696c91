"""What lies outside of a project, for tests: a real HTTP server on loopback whose files a test changes while it runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """One path: its bytes, and what the server says of them."""

    body: bytes = b""
    etag: str = ""
    modified: float = 0.0  # seconds since 1970; 0: not said
    length: bool = True
    location: str = ""  # it redirects there
    status: int = 200
    said_length: int | None = None  # a lie


@dataclass
class Site:
    """A server's files by path, and which of them were read to the end."""

    url: str = ""
    files: dict[str, Served] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)


@contextmanager
def site(**files: Served) -> Iterator[Site]:
    """A server; `sales_csv` is served as `/sales.csv`."""
    made = Site(files={"/" + name.replace("_", "."): served for name, served in files.items()})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            found = made.files.get(self.path.partition("?")[0])
            if found is None:
                self.send_error(404)
                return
            self.send_response(302 if found.location else found.status)
            if found.location:
                self.send_header("Location", found.location)
            if found.etag:
                self.send_header("ETag", found.etag)
            if found.modified:
                self.send_header("Last-Modified", formatdate(found.modified, usegmt=True))
            if found.length:
                self.send_header("Content-Length", str(found.said_length or len(found.body)))
            self.end_headers()
            try:
                self.wfile.write(found.body)
                made.sent.append(self.path)
            except (BrokenPipeError, ConnectionResetError):
                pass

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
