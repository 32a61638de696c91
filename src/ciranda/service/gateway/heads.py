"""Heads of requests and answers: what is refused, what is taken out, what is added. Pure.

A message's framing is decided here and written anew, so what an instance reads has one meaning (RFC 9112 §6). The
parser (llhttp, strict) has refused broken lines, folded headers, and a length beside an encoding before these
functions see a head.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

LONGEST_HEAD = 64 * 1024
_PREFIX = re.compile(rb"(/[a-z][a-z0-9-]*/[a-z][a-z0-9-]*/[a-z][a-z0-9-]*)(?=[/?]|\Z)")
_HOST = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:[]-"
_ID = re.compile(rb"[A-Za-z0-9._=+/-]{1,128}")
_OUR_COOKIE = re.compile(rb"\s*(?:__Host-|__Secure-)?ciranda[A-Za-z0-9_.-]*\s*(?:=|\Z)", re.IGNORECASE)

# headers that are not simply passed on
TREATED = frozenset(
    b"host content-length transfer-encoding connection keep-alive proxy-connection te trailer upgrade expect cookie "
    b"x-request-id x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-prefix".split()
)
ANSWER_TREATED = frozenset(
    b"connection keep-alive proxy-connection te trailer upgrade transfer-encoding content-length set-cookie "
    b"x-request-id x-ciranda-release".split()
)
_USUAL = b"Host: %b\r\nX-Forwarded-For: %b\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: %b\r\n"
_NONE: frozenset[bytes] = frozenset()
STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is answered by the gateway."""

    status: int
    message: str


class Asked(NamedTuple):
    """What a request's treated headers say."""

    length: int  # of the body; 0: none
    rare: bool  # one of the next three
    chunked: bool
    continues: bool  # the client waits for `100 Continue` before it sends the body
    websocket: bool
    id: bytes | None
    dropped: frozenset[bytes]  # further headers that are for this connection only
    lines: bytes  # what is sent on of the treated headers


def passed_on(lower: bytes) -> bool:
    """Whether a request's header goes on as it is; one that could be taken for a treated one does not go at all."""
    return not lower.startswith(b"x-ciranda-") and (b"_" not in lower or not _treated(lower.replace(b"_", b"-")))


def _treated(lower: bytes) -> bool:
    return lower in TREATED or lower.startswith(b"x-ciranda-")


def asked(treated: Sequence[tuple[bytes, bytes]], version: str, peer: bytes) -> Asked | Refusal:
    """Read the treated headers (lower-case name, value) of a request of this HTTP version from this address."""
    if len(treated) < 3 and treated and treated[0][0] == b"host" and version == "1.1":  # most requests
        host = treated[0][1]
        usual = _USUAL % (host, peer, host)
        if not host or host.translate(None, _HOST):
            return Refusal(400, "the Host header is not a host")
        if len(treated) == 1:
            return Asked(0, False, False, False, False, None, _NONE, usual)
        if treated[1][0] == b"content-length":
            length = int(treated[1][1])
            usual += b"Content-Length: %d\r\n" % length
            return Asked(length, False, False, False, False, None, _NONE, usual)
    host, hosts = b"", 0
    length, measured, chunked, continues, upgrade = 0, False, False, False, b""
    connection: list[bytes] = []
    identity: bytes | None = None
    cookies, before = b"", b""
    proto, forwarded_host = b"http", b""
    for name, value in treated:
        if name == b"host":
            host = value
            hosts += 1
        elif name == b"content-length":
            length, measured = int(value), True
        elif name == b"connection":
            connection += [token.strip() for token in value.lower().split(b",")]
        elif name == b"x-request-id":
            identity = value if identity is None and _ID.fullmatch(value) else identity
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked" or chunked:
                return Refusal(501, "the only transfer encoding here is chunked")
            chunked = True
        elif name == b"expect":
            if value.lower() != b"100-continue":
                return Refusal(417, "the only expectation here is 100-continue")
            continues = True
        elif name == b"upgrade":
            upgrade = value.lower()
        elif name == b"cookie":
            kept = b";".join(part for part in value.split(b";") if not _OUR_COOKIE.match(part)).strip()
            cookies += b"Cookie: %b\r\n" % kept if kept else b""
        elif name == b"x-forwarded-for":
            before += value + b", "
        elif name == b"x-forwarded-proto":
            proto = value if value in {b"http", b"https"} else proto
        elif name == b"x-forwarded-host":
            forwarded_host = value
    if version not in {"1.1", "1.0"}:
        return Refusal(505, "this is HTTP/1.1")
    if hosts > 1 or (not hosts and version == "1.1"):
        return Refusal(400, "a request has one Host header")
    if (hosts and not host) or host.translate(None, _HOST):
        return Refusal(400, "the Host header is not a host")
    if chunked and version == "1.0":
        return Refusal(400, "HTTP/1.0 has no transfer encoding")
    websocket = upgrade == b"websocket" and b"upgrade" in connection
    if upgrade and b"upgrade" in connection and (length or chunked):
        return Refusal(400, "a request to upgrade has no body")
    host = host or b"localhost"
    lines = b"Host: %b\r\nX-Forwarded-For: %b%b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n%b" % (
        *(host, before, peer),
        *(proto, forwarded_host or host, cookies),
    )
    if chunked:
        lines += b"Transfer-Encoding: chunked\r\n"
    elif measured:
        lines += b"Content-Length: %d\r\n" % length
    if websocket:
        lines += b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    dropped = frozenset(connection) if connection else _NONE
    rare = chunked or continues or websocket
    return Asked(length, rare, chunked, continues, websocket, identity, dropped, lines)


def routed(target: bytes) -> tuple[bytes, bytes] | None:
    """The prefix of a request's target and the target without it; None when it has none."""
    match = _PREFIX.match(target)
    if match is None:
        return None
    rest = target[match.end() :]
    return match[1], rest if rest.startswith(b"/") else b"/" + rest


def answer_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK`, with its end."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status


def our_cookie(value: bytes) -> bool:
    """Whether a Set-Cookie sets a cookie of Ciranda's own pages."""
    return _OUR_COOKIE.match(value) is not None


@dataclass(frozen=True, slots=True)
class Framing:
    """How an answer reaches the client."""

    lines: bytes  # what is sent on of the treated headers
    endless: bool  # it ends where the instance's connection ends
    rechunk: bool
    closes: bool  # the client's connection ends with it


def answer_framing(treated: Sequence[tuple[bytes, bytes]], status: int, method: bytes, version: str) -> Framing:
    """Decide from an answer's treated headers (lower-case name, value) how it goes to a client of this version."""
    lines, length, chunked = b"", False, False
    for name, value in treated:
        if name == b"content-length":
            length = True
            lines += b"Content-Length: %b\r\n" % value
        elif name == b"transfer-encoding":
            chunked = value.lower().endswith(b"chunked")
        elif name == b"set-cookie" and not our_cookie(value):
            lines += b"Set-Cookie: %b\r\n" % value
    if status == 101:
        return Framing(lines + b"Connection: Upgrade\r\nUpgrade: websocket\r\n", False, False, False)
    if method == b"HEAD" or status in {204, 304} or length:
        return Framing(lines, False, False, False)
    if version == "1.0":
        return Framing(lines, not chunked, False, True)
    return Framing(lines + b"Transfer-Encoding: chunked\r\n", not chunked, True, False)
