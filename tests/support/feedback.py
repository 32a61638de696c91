"""What the tests of feedback share: events as the ledger has them, facts and messages made of them, and who receives."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ciranda.feedback import facts
from ciranda.feedback.facts import Fact, Names
from ciranda.feedback.message import Message
from ciranda.kernel.events import Event
from ciranda.project import declaration

NOON = 1_763_899_200_000_000  # µs UTC
PROJECT = declaration.Project(
    name="flights",
    pipeline=None,
    owner="@all",
    services=(declaration.Service("delays", "command", "./x", owner="@data"),),
    jobs=(declaration.Job("nightly", ("scores",), owner="@night"),),
)
NAMES = Names(PROJECT, lambda release: release if release.startswith("r") else f"r-{release[:4]}")


def event(
    kind: str, subject: str = "flights/prod", *, seq: int = 1, at_us: int = NOON, actor: str = "ana", **body: Any
) -> Event:
    """An event of the project flights."""
    return Event(seq, f"id-{seq}", at_us, "flights", kind, 1, subject, actor, None, body, None, "b3:x")


def fact(kind: str, subject: str = "flights/prod", **body: Any) -> Fact:
    """What people are told of it."""
    found = facts.of(event(kind, subject, **body), NAMES)
    assert found is not None
    return found


def message(*told: Fact, **changes: Any) -> Message:
    """A message of the channel team."""
    given: dict[str, Any] = {"key": "k1", "project": "flights", "channel": "team", "language": "en", "told": told}
    return Message(**given | changes)


@dataclass
class Receiver:
    """Who listens on loopback and keeps what comes; `answers` are the statuses of the next ones, then 200."""

    port: int
    came: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/verysecret"


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks on a free port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.came.append({"path": self.path, "headers": headers, "raw": raw, "body": json.loads(raw)})
            status, more, body = found.answers.pop(0) if found.answers else (200, {}, b"")
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Receiver(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
