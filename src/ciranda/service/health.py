"""Whether an instance answers: asked again and again over its own address, by one light thread each."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Literal

from ciranda.service import table

State = Literal["starting", "healthy", "unhealthy"]
TIMEOUT = 2.0  # seconds for one answer
_EAGER, _PATIENT, _CALM = 0.02, 0.2, 2.0  # seconds between questions: just started, starting for a while, healthy
_FAILURES = 3  # in a row, until what was healthy is unhealthy


def ask(address: str, path: str, timeout: float = TIMEOUT) -> int | None:
    """The status of `GET path` at an address (`unix:/…` or `tcp:host:port`); None: no answer, or none in HTTP."""
    there = table.parse_address(address)
    family = socket.AF_UNIX if isinstance(there, str) else socket.AF_INET6 if ":" in there[0] else socket.AF_INET
    with contextlib.suppress(OSError, ValueError), socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(there)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        said = b""
        while b"\r\n" not in said and len(said) < 4096:
            chunk = connection.recv(4096)
            if not chunk:
                return None
            said += chunk
        protocol, status, *_ = said.split(b"\r\n", 1)[0].split(b" ", 2)
        return int(status) if protocol.startswith(b"HTTP/1.") else None
    return None


def after(state: State, failures: int, status: int | None) -> tuple[State, int]:
    """The state after an answer, and the failures in a row. Pure."""
    if status is not None and status < 500:
        return "healthy", 0
    failures += 1
    return ("unhealthy" if state == "healthy" and failures >= _FAILURES else state), failures


class Watch:
    """Asks one instance until it is told to end; `changed` is called, from its thread, when the state has changed."""

    def __init__(self, address: str, path: str, changed: Callable[[], None]) -> None:
        self.state: State = "starting"
        self.asked = threading.Event()  # set after the first question
        self._ended = threading.Event()
        self._address, self._path, self._changed = address, path, changed
        self._thread = threading.Thread(target=self._run, name=f"health {address}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Ask no more; returns at once."""
        self._ended.set()

    def join(self) -> None:
        """Wait until the last question is over."""
        self._thread.join()

    def _run(self) -> None:
        failures, questions = 0, 0
        while not self._ended.is_set():
            before = self.state
            status = ask(self._address, self._path)
            if before == "starting" and status is not None and status < 500:
                ask(self._address, self._path)  # the first answer may have been slow: this one warms it up
            questions += 1
            self.state, failures = after(before, failures, status)
            self.asked.set()
            if self.state != before and not self._ended.is_set():
                self._changed()
            starting = _EAGER if questions < 100 else _PATIENT
            self._ended.wait(starting if self.state == "starting" else _CALM if not failures else _PATIENT)
