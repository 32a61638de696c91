"""Steady traffic from outside: ordinary keep-alive clients of the gateway, every failure kept with its reason."""

import contextlib
import http.client
import select
import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from ciranda.demo.judge import Answer

PATIENCE = 10.0  # seconds for one answer
JSON = {"Content-Type": "application/json"}


class Client:
    """One keep-alive connection. Like any client it looks whether the server has closed an idle connection before it uses it."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=PATIENCE)

    def ask(self, body: bytes) -> Answer:
        """One request; what goes wrong is an answer of status 0."""
        self._drop_if_closed()
        began = time.monotonic()
        try:
            self._connection.request("POST", self._path, body, JSON)
            reply = self._connection.getresponse()
            said = reply.read()
        except (OSError, http.client.HTTPException) as problem:
            self._connection.close()
            return Answer(began, time.monotonic(), 0, problem=f"{type(problem).__name__}: {problem}".rstrip(": "))
        release, request = reply.getheader("X-Ciranda-Release", ""), reply.getheader("X-Request-Id", "")
        return Answer(began, time.monotonic(), reply.status, release, request, said)

    def close(self) -> None:
        self._connection.close()

    def _drop_if_closed(self) -> None:
        connected = self._connection.sock
        if connected is not None:
            with contextlib.suppress(OSError):
                if select.select([connected], [], [], 0)[0]:
                    self._connection.close()


class Traffic:
    """A number of clients that together send a steady number of requests a second until they are stopped."""

    def __init__(self, address: str, bodies: Sequence[bytes], *, rate: float, clients: int) -> None:
        self._address, self._bodies = address, bodies
        self._period = clients / rate
        self._stopping = threading.Event()
        self._came = threading.Condition()
        self._answers: list[Answer] = []
        self._threads = [
            threading.Thread(target=self._send, args=(place, clients), name=f"traffic-{place}")
            for place in range(clients)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the requests under way; safe to repeat, and before `start`."""
        self._stopping.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    @property
    def mark(self) -> int:
        """Where the record of answers ends now; `since` takes it."""
        return len(self._answers)

    def since(self, mark: int) -> list[Answer]:
        """The answers that came after the mark."""
        return self._answers[mark:]

    def wait(self, wanted: Callable[[Answer], bool], *, after: int, timeout: float) -> Answer | None:
        """The first answer after a mark that is wanted, None when none came in `timeout` seconds."""
        deadline = time.monotonic() + timeout
        looked = after
        with self._came:
            while True:
                for answer in self._answers[looked:]:
                    looked += 1
                    if wanted(answer):
                        return answer
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._came.wait(left)

    def _send(self, place: int, clients: int) -> None:
        client = Client(self._address)
        due = time.monotonic() + self._period * place / clients
        turn = place
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            answer = client.ask(self._bodies[turn % len(self._bodies)])
            with self._came:
                self._answers.append(answer)
                self._came.notify_all()
            turn += clients
            due = max(
                due + self._period, time.monotonic() - self._period
            )  # what was missed is not caught up in a burst
        client.close()
