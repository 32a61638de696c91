"""Who a client is, as far as a route asks: by a header's or a cookie's value, by its address, by its connection. Pure."""

import re
from hashlib import blake2b

_FORWARDED = re.compile(rb"(?:\A|\r\n)X-Forwarded-For: ([^\r\n]*)")
_HERE = (b"127.", b"::1", b"unknown")


class Sticky:
    """Tells clients by a header ("header:X-User") or a cookie ("cookie:session"), and places each one on a scale from 0 to 1.

    The scale is another one for each `salt`, so that it is not always the same clients whose requests are tried first.
    """

    def __init__(self, by: str, salt: str) -> None:
        kind, _, name = by.partition(":")
        named = re.escape(name.encode())
        if kind == "cookie":
            self._value = re.compile(rb"(?:\A|\r\n)Cookie: (?:[^\r\n]*;)?[ \t]*%b=([^;\r\n]+)" % named)
        else:
            self._value = re.compile(rb"(?:\A|\r\n)%b:[ \t]*([^\r\n]*[^\r\n\t ])" % named, re.IGNORECASE)
        self._key = salt.encode()[:64]

    def of(self, lines: bytes) -> bytes | None:
        """The value in the header lines of a request; None where it has none."""
        found = self._value.search(lines)
        return None if found is None else found[1]

    def place(self, value: bytes) -> float:
        """Where on the scale a client stands, always at the same place."""
        return int.from_bytes(blake2b(value, digest_size=8, key=self._key).digest(), "big") / 2**64


def origin(lines: bytes) -> bytes | None:
    """The address that a request came from, by the lines that go on to the instance: the last one that is not this machine's.

    None where all of them are, so that its clients cannot be told apart by it.
    """
    found = _FORWARDED.search(lines)
    for address in reversed(found[1].split(b",") if found else []):
        if not address.strip().startswith(_HERE):
            return address.strip()
    return None
