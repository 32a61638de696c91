"""A change of release as its users see it, measured through the gateway: the first answer, and requests that failed."""

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ciranda.service import counters

ASK = 5.0  # seconds for one answer
EVERY = 0.01  # seconds between requests


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests that the gateway answered, and those that failed (5xx)."""

    requests: int
    failed: int

    def since(self, before: "Tally", own: int = 0) -> "Tally":
        """What came after `before`, without `own` requests of ours, none of which counts as failed."""
        return Tally(max(0, self.requests - before.requests - own), self.failed - before.failed)


@dataclass(frozen=True, slots=True)
class First:
    """The first answer of a release: seconds since the swap was asked for, and how many requests of ours it took."""

    seconds: float
    asked: int


def tally(path: Path, project: str, environment: str) -> Tally:
    """What was counted for an environment so far. Raises errors.Corrupt."""
    prefix = f"/{project}/{environment}/"
    found = [counted for (route, _), counted in counters.read(path).items() if f"{route}/".startswith(prefix)]
    return Tally(sum(one.requests for one in found), sum(one.classes[4] for one in found))


def first_answer(
    gateway: str, path: str, release: str, *, began: float, given_up: Callable[[], bool], headers: Mapping[str, str]
) -> First | None:
    """Ask the gateway for `path` until this release answers below 500. None: `given_up` said so first.

    `began` is a time of the monotonic clock. Failures to connect are asked again: the gateway may be on its way.
    """
    address = urlsplit(gateway)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=ASK)
    asked = 0
    try:
        while True:
            try:
                connection.request("GET", path, headers=dict(headers))
                asked += 1
                answer = connection.getresponse()
                answer.read()
                if answer.getheader("X-Ciranda-Release") == release and answer.status < 500:
                    return First(time.monotonic() - began, asked)
            except (OSError, http.client.HTTPException):
                connection.close()
            if given_up():
                return None
            time.sleep(EVERY)
    finally:
        connection.close()
