"""Digests with a type, and the one canonical form of JSON (ARCHITECTURE.md §5)."""

import json
from pathlib import Path
from typing import Any, NoReturn

import blake3

from ciranda.kernel import errors

PREFIX = "b3:"
LENGTH = len(PREFIX) + 64
_LARGE = 1 << 20  # bytes; above it a file is mapped and hashed on every core


def digest(type: str, data: bytes, version: int = 1) -> str:
    """BLAKE3-256 over `ciranda:<type>:<version>\\n` + data, as `b3:` + 64 hex."""
    return PREFIX + blake3.blake3(b"ciranda:%s:%d\n" % (type.encode(), version) + data).hexdigest()


def of(type: str, value: Any) -> str:
    """The digest of a value's canonical form. Raises errors.Invalid as `canonical` does."""
    return digest(type, canonical(value))


def of_file(path: Path) -> str:
    """The digest, of type `object`, of what a file holds."""
    with open(path, "rb") as file:
        data = file.read(_LARGE)
        if len(data) < _LARGE:
            return digest("object", data)
    whole = hasher("object", threads=blake3.blake3.AUTO)
    whole.update_mmap(path)
    return PREFIX + whole.hexdigest()


def hasher(type: str, version: int = 1, *, threads: int = 1) -> blake3.blake3:
    """A BLAKE3 state that has taken the type in; what it yields after the data is `digest` without the prefix."""
    return blake3.blake3(b"ciranda:%s:%d\n" % (type.encode(), version), max_threads=threads)


def is_digest(text: object) -> bool:
    """Whether this is written as a digest."""
    return (
        isinstance(text, str)
        and len(text) == LENGTH
        and text.startswith(PREFIX)
        and not text[3:].strip("0123456789abcdef")
    )


def canonical(value: Any) -> bytes:
    """JSON as UTF-8, keys sorted by code point, no spaces, no duplicate keys, no NaN.

    Takes None, bool, int, float, str, list, tuple and dict with str keys. Raises errors.Invalid for anything else.
    """
    try:
        _only_text_keys(value)
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise errors.Invalid(f"this value has no canonical form: {error}") from error


def parse(data: bytes) -> Any:
    """The value of a JSON text. Raises errors.Invalid for what is not JSON, for duplicate keys, NaN and infinities."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise errors.Invalid(f"this is not JSON as it is kept here: {error}") from error


def _only_text_keys(value: Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is not text")
            _only_text_keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _only_text_keys(inner)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return result


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0.0:
        raise ValueError(f"{text} is too large")
    return number
