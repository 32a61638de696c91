"""Who is sent the metrics, and when: looked at by the clock. Nothing waits for those who are sent something.

A look gathers and hands over; what is sent over HTTP is sent by a thread of its own, from a queue that has an end.
"""

import gzip
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from ciranda.app import home as homes
from ciranda.app.exports import dogstatsd, otlp, points, settings
from ciranda.app.metrics import Family
from ciranda.kernel import clock, errors, log, outbound
from ciranda.version import __version__

EVERY = 1.0  # seconds between looks whether somebody is due
MOST, LARGEST = 240, 16 << 20  # what waits for a collector that does not answer: requests, bytes
FIRST, LONGEST = 1.0, 60.0  # seconds between tries: twice as long each time
_PATIENCE = 300.0  # seconds that a collector may ask for
_AGAIN = (429, 502, 503, 504)  # as the specification has it


class Said:
    """Says what is wrong when it changes, not at every look."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last = ""

    def wrong(self, text: str) -> None:
        if text != self._last:
            self._last = text
            log.say(f"{self._name}: {text}")

    def well(self) -> None:
        if self._last:
            self._last = ""
            log.say(f"{self._name}: it is taken again")


class Due:
    """Whether it is time again."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._at = 0.0

    def passed(self, every: float) -> bool:
        now = self._now()
        if now < self._at:
            return False
        self._at = now + every
        return True


class OtlpPush:
    """Sends the metrics of a home to the collector that its settings name."""

    def __init__(
        self, home: homes.Home, gather: Callable[[], Sequence[Family]], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._home, self._gather, self._now = home, gather, now
        self._due = Due(now)
        self._starts = otlp.Starts()
        self._said = Said("export.otlp")
        self._queue: deque[bytes] = deque()
        self._stirred = threading.Condition()
        self._sender: threading.Thread | None = None
        self._closed = False
        self._resource = {
            "service.name": "ciranda",
            "service.version": __version__,
            "service.instance.id": home.sockets.name,
            "host.name": socket.gethostname(),
        }

    def look(self) -> None:
        """Hand over what is told now, if it is time. Nothing is raised for settings: they are said to be wrong once."""
        try:
            wanted = settings.of_otlp(self._home.root)
        except errors.Invalid as error:
            self._said.wrong(f"{error}   {error.hint}")
            return
        if wanted is None or not self._due.passed(wanted.every):
            return
        metrics = points.of(self._gather())
        now_us = clock.now_us()
        starts = self._starts.of(metrics, now_us)
        body = otlp.request(metrics, starts, now_us, resource=self._resource, version=__version__)
        with self._stirred:
            self._queue.append(gzip.compress(body, 6, mtime=0))
            self._shorten()
            self._stirred.notify()
        if self._sender is None:
            self._sender = threading.Thread(target=self._send, name="export otlp", daemon=True)
            self._sender.start()

    def close(self) -> None:
        """Send nothing more. What is on its way is not waited for."""
        with self._stirred:
            self._closed = True
            self._stirred.notify()

    def _shorten(self) -> None:
        """The oldest go when too much waits: what is newest is worth most."""
        lost = 0
        while len(self._queue) > MOST or sum(map(len, self._queue)) > LARGEST:
            self._queue.popleft()
            lost += 1
        if lost:
            self._said.wrong("it has not been taken for so long that the oldest is lost")

    def _send(self) -> None:
        """One after another, until each is taken, refused for good, or lost for want of room."""
        delay = FIRST
        while True:
            with self._stirred:
                self._stirred.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
                first = self._queue[0]
            again = self._try(first)
            with self._stirred:
                if again is None:
                    delay = FIRST
                    if self._queue and self._queue[0] is first:
                        self._queue.popleft()
                else:
                    self._stirred.wait_for(lambda: self._closed, again or delay)
                    delay = min(delay * 2, LONGEST)

    def _try(self, body: bytes) -> float | None:
        """Send once. None: done with; 0: again soon; else again after so many seconds."""
        try:
            wanted = settings.of_otlp(self._home.root)
            if wanted is None:
                return None  # nobody is named any more
            given = {**wanted.given(), "Content-Type": otlp.CONTENT_TYPE, "Content-Encoding": "gzip"}
            reply = outbound.post(wanted.url, outbound.EVERYWHERE, body, given)
        except (errors.Refused, errors.Unreachable) as error:
            self._said.wrong(str(error))
            return 0.0
        if reply.status in _AGAIN:
            self._said.wrong(f"the collector answers {reply.status}")
            asked = reply.headers.get("retry-after", "")
            return min(float(asked), _PATIENCE) if asked.isdigit() else 0.0
        if not 200 <= reply.status < 300:
            self._said.wrong(
                f"the collector refuses it: {reply.status} {reply.body[:200].decode('utf-8', 'replace')!r}"
            )
            return None
        lost, why = otlp.rejected(reply.body)
        if lost:
            self._said.wrong(f"the collector did not take all: {why[:200]!r}")
        else:
            self._said.well()
        return None


class DogstatsdPush:
    """Sends the metrics of a home to the agent that its settings name, as datagrams: what nobody hears is lost."""

    def __init__(
        self, home: homes.Home, gather: Callable[[], Sequence[Family]], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._home, self._gather = home, gather
        self._due = Due(now)
        self._said = Said("export.dogstatsd")
        self._before: dogstatsd.Seen | None = None

    def look(self) -> None:
        """Send what is told now, if it is time. Nothing is raised for settings: they are said to be wrong once."""
        try:
            wanted = settings.of_dogstatsd(self._home.root)
        except errors.Invalid as error:
            self._said.wrong(f"{error}   {error.hint}")
            return
        if wanted is None:
            self._before = None
            return
        if not self._due.passed(wanted.every):
            return
        metrics = points.of(self._gather())
        told = dogstatsd.lines(metrics, self._before, wanted.tags)
        self._before = dogstatsd.seen(metrics)
        try:
            _send(wanted, told_in(wanted, list(told)))
        except OSError as error:
            self._said.wrong(error.strerror or str(error))
        else:
            self._said.well()


def told_in(wanted: settings.Dogstatsd, lines: Sequence[str]) -> list[bytes]:
    """The datagrams, as large as they may be on the way there."""
    near = wanted.path or wanted.host in ("localhost", "::1") or wanted.host.startswith("127.")
    return list(dogstatsd.datagrams(lines, dogstatsd.LARGE if near else dogstatsd.SMALL))


def _send(wanted: settings.Dogstatsd, datagrams: Sequence[bytes]) -> None:
    """Without waiting for anybody. Raises OSError, as when nobody listens on this machine."""
    if wanted.path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.connect(wanted.path)
            for data in datagrams:
                out.send(data)
        return
    family, kind, protocol, _, address = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as out:
        out.setblocking(False)
        out.connect(address)
        for data in datagrams:
            out.send(data)
