"""The ids that the gateway gives to requests: from one alone follow when, where and which release answered. Pure.

    01966a1e5c3b 9f03a1 7be2d40000002a - r42
    when         where  which            the release that answered

Milliseconds since 1970, the tag of the route (project, environment and service), a number that the gateway gave to no
other one: 32 hexadecimal digits that sort by time. Nothing of a request is stored for that. An id without a release
is one of a request that nothing answered; one that a client sent is its own, and passed on as it is.
"""

import re
from dataclasses import dataclass

from ciranda.kernel import digest

NOWHERE = b"000000"  # the tag of what no route answers
_ID = re.compile(r"([0-9a-f]{12})([0-9a-f]{6})([0-9a-f]{14})(?:-(r[1-9][0-9]*))?\Z")


@dataclass(frozen=True, slots=True)
class Identity:
    """What an id says: µs UTC (exact to 1 ms), the route's tag, the release (`r42`) or None where nothing answered."""

    text: str
    at_us: int
    tag: str
    release: str | None


def tag(prefix: str) -> bytes:
    """The tag of a route by its prefix, `/flights/prod/delays`: 24 bits of its digest."""
    return digest.of("route", prefix)[3:9].encode()


def identity(number: int, now_ns: int, tag: bytes) -> bytes:
    """The first 32 digits of an id. `number` has 56 bits: 24 of the process, 32 of its count."""
    return b"%012x%b%014x" % (now_ns // 1_000_000, tag, number)


def read(text: str) -> Identity | None:
    """What an id says; None for one that no gateway made."""
    found = _ID.match(text)
    return None if found is None else Identity(text, int(found[1], 16) * 1000, found[2], found[4])
