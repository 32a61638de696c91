"""Plain messages: heads that are whole, and whose body has a length or is not there, read without the parser. Pure.

Most heads are plain, and reading them takes a third of the time that the parser's callbacks do. What is accepted here is
a strict part of what the parser accepts, with the same meaning; everything else is None, and the parser's to judge.
"""

import re
from typing import NamedTuple

from ciranda.service.gateway import heads

_LINES = rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)+\r\n"
_REQUEST = re.compile(
    rb"(GET|POST|HEAD|PUT|PATCH|DELETE|OPTIONS) (/[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*) HTTP/1\.1\r\n" + _LINES
)
_ANSWER = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*\r\n" + _LINES)
_LENGTH = re.compile(rb"[0-9]{1,15}")
_MOST_NAMES, _LONGEST_NAME = 4096, 64  # names, bytes
_MOST_KNOWN, _LONGEST_KNOWN = 1024, 2048  # heads, bytes

PASSED, DROPPED = b"", b"-"


class Request(NamedTuple):
    """A plain request."""

    method: bytes
    target: bytes
    treated: list[tuple[bytes, bytes]]
    lines: bytes  # the headers that go on as they are
    length: int
    keep_alive: bool


class Answer(NamedTuple):
    """A plain answer: its body has `length` bytes."""

    status: int
    lines: bytes
    length: int
    kept: bool


class Names:
    """What becomes of each header name, remembered as it is spelled."""

    def __init__(self) -> None:
        self.requests: dict[bytes, bytes] = {}
        self.answers: dict[bytes, bytes] = {}

    def of_request(self, name: bytes) -> bytes:
        """The name in lower case when it is treated, else PASSED or DROPPED."""
        lower = name.lower()
        kind = lower if lower in heads.TREATED else PASSED if heads.passed_on(lower) else DROPPED
        if len(self.requests) < _MOST_NAMES and len(name) <= _LONGEST_NAME:
            self.requests[name] = kind
        return kind

    def of_answer(self, name: bytes) -> bytes:
        """The name in lower case when it is treated, else PASSED."""
        lower = name.lower()
        kind = lower if lower in heads.ANSWER_TREATED else PASSED
        if len(self.answers) < _MOST_NAMES and len(name) <= _LONGEST_NAME:
            self.answers[name] = kind
        return kind


def request(head: bytes, names: Names) -> Request | None:
    """A request's head, up to and with the empty line; None when it is not plain."""
    match = _REQUEST.fullmatch(head)
    if match is None:
        return None
    treated: list[tuple[bytes, bytes]] = []
    passed: list[bytes] = []
    length, keep_alive = -1, True
    known = names.requests
    for line in head[match.end(2) + 11 : -4].split(b"\r\n"):
        name, _, value = line.partition(b":")
        kind = known.get(name)
        if kind is None:
            kind = names.of_request(name)
        if kind == PASSED:
            passed.append(line)
        elif kind != DROPPED:
            value = value.strip(b" \t")
            if kind == b"content-length":
                if length >= 0 or not _LENGTH.fullmatch(value):
                    return None
                length = int(value)
            elif kind == b"connection":
                lower = value.lower()
                if lower not in {b"close", b"keep-alive"}:
                    return None
                keep_alive = keep_alive and lower != b"close"
            elif kind in {b"transfer-encoding", b"upgrade", b"trailer", b"te"}:
                return None
            treated.append((kind, value))
    passed.append(b"")
    return Request(match[1], match[2], treated, b"\r\n".join(passed), max(length, 0), keep_alive)


class Answers:
    """Reads answers' heads. Those of one service repeat, so what was found for a short one is remembered."""

    def __init__(self) -> None:
        self._names = Names()
        self._known: dict[bytes, Answer | None] = {}

    def read(self, head: bytes) -> Answer | None:
        """An answer's head, up to and with the empty line; None when it is not plain."""
        try:
            return self._known[head]
        except KeyError:
            found = answer(head, self._names)
            if len(head) <= _LONGEST_KNOWN:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[head] = found
            return found


def answer(head: bytes, names: Names) -> Answer | None:
    """An answer's head, up to and with the empty line; None when it is not plain."""
    match = _ANSWER.fullmatch(head)
    if match is None:
        return None
    status = int(match[1])
    if status in {204, 304}:
        return None
    passed: list[bytes] = []
    length, kept = -1, True
    known = names.answers
    for line in head[:-4].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        kind = known.get(name)
        if kind is None:
            kind = names.of_answer(name)
        if kind == PASSED:
            passed.append(line)
        elif kind == b"content-length":
            value = value.strip(b" \t")
            if length >= 0 or not _LENGTH.fullmatch(value):
                return None
            length = int(value)
            passed.append(line)
        elif kind == b"connection":
            lower = value.strip(b" \t").lower()
            if lower not in {b"close", b"keep-alive"}:
                return None
            kept = kept and lower != b"close"
        elif kind == b"set-cookie":
            if not heads.our_cookie(value):
                passed.append(line)
        elif kind in {b"transfer-encoding", b"upgrade", b"trailer"}:
            return None
    if length < 0:
        return None
    passed.append(b"")
    return Answer(status, b"\r\n".join(passed), length, kept)
