"""Worker protocol 1: frames on two descriptors.

A frame is 4 bytes big-endian length of the header, 4 bytes length of the payload, a JSON header (UTF-8) with `type`,
and the payload. Inputs that are handed over inline follow one another in the payload, each `size` bytes long, in the
order of the header; an only one may leave `size` out.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any, Optional

PROTOCOL = 1
INLINE = 64 * 1024  # bytes up to which a value travels as payload
LIMIT = 64 * 1024 * 1024  # bytes of a header or a payload; more is not a frame
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
LENGTHS = struct.Struct(">II")

Header = dict[str, Any]


class ProtocolError(Exception):
    """The other side sent what is no frame of this protocol."""


def encode(header: Header, payload: bytes = b"") -> bytes:
    """The bytes of one frame."""
    text = ENCODER.encode(header).encode("utf-8", "surrogatepass")
    if len(text) > LIMIT or len(payload) > LIMIT:
        raise ProtocolError(f"a frame of {len(text):,} + {len(payload):,} bytes is above {LIMIT:,}")
    return LENGTHS.pack(len(text), len(payload)) + text + payload


def send(descriptor: int, header: Header, payload: bytes = b"") -> None:
    """Write one frame whole. Raises OSError where the other side is gone."""
    rest = memoryview(encode(header, payload))
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(descriptor: int) -> Optional[tuple[Header, bytes]]:
    """Read one frame; None at the end of the stream. Raises ProtocolError for a torn or malformed one."""
    start = _exactly(descriptor, LENGTHS.size)
    if start is None:
        return None
    of_header, of_payload = LENGTHS.unpack(start)
    if of_header > LIMIT or of_payload > LIMIT:
        raise ProtocolError(f"a frame of {of_header:,} + {of_payload:,} bytes is above {LIMIT:,}")
    text = _exactly(descriptor, of_header)
    payload = _exactly(descriptor, of_payload)
    if text is None or payload is None:
        raise ProtocolError("the stream ended inside a frame")
    return header(text), payload


def header(text: bytes) -> Header:
    """The header of a frame. Raises ProtocolError."""
    try:
        value = json.loads(text.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise ProtocolError(f"a header is not JSON: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise ProtocolError("a header is not an object with a `type`")
    return value


def _exactly(descriptor: int, count: int) -> Optional[bytes]:
    """`count` bytes; None where the stream ended before the first of them."""
    data = os.read(descriptor, count) if count else b""
    if len(data) == count:
        return data
    if not data:
        return None
    parts = bytearray(data)
    while len(parts) < count:
        more = os.read(descriptor, count - len(parts))
        if not more:
            raise ProtocolError("the stream ended inside a frame")
        parts += more
    return bytes(parts)
