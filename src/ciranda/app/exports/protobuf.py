"""The wire format of Protocol Buffers, as far as it is written here. Pure. https://protobuf.dev/programming-guides/encoding/"""

import struct
from collections.abc import Iterable, Iterator

_VARINT, _FIXED64, _LENGTH = 0, 1, 2


def varint(value: int) -> bytes:
    """A number from 0, seven bits a byte."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def number(field: int, value: int) -> bytes:
    """An integer, an enumeration or a truth value."""
    return varint(field << 3 | _VARINT) + varint(value)


def fixed(field: int, value: int) -> bytes:
    """A fixed64."""
    return varint(field << 3 | _FIXED64) + struct.pack("<Q", value)


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | _FIXED64) + struct.pack("<d", value)


def message(field: int, *parts: bytes) -> bytes:
    """A message whose fields are the parts."""
    data = b"".join(parts)
    return varint(field << 3 | _LENGTH) + varint(len(data)) + data


def text(field: int, value: str) -> bytes:
    return message(field, value.encode("utf-8", "replace"))


def packed_fixed(field: int, values: Iterable[int]) -> bytes:
    """Several fixed64."""
    return message(field, b"".join(struct.pack("<Q", value) for value in values))


def packed_doubles(field: int, values: Iterable[float]) -> bytes:
    return message(field, b"".join(struct.pack("<d", value) for value in values))


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """What a message holds: numbers of fields, and a number or bytes. Raises ValueError for what is none."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        value: int | bytes
        if kind == _VARINT:
            value, at = _varint(data, at)
        elif kind in (_FIXED64, 5):
            size = 8 if kind == _FIXED64 else 4
            value, at = data[at : at + size], at + size
        elif kind == _LENGTH:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"there is no wire type {kind}")
        if at > len(data):
            raise ValueError("it ends within a field")
        yield tag >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at
    raise ValueError("it ends within a number")
