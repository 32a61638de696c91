"""Requirements of distributions (PEP 508) and versions (PEP 440), as far as one interpreter has to judge them."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Optional

NAMED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
TOKEN = re.compile(r"""\s*(?:(\(|\))|('[^']*'|"[^"]*")|(===|~=|==|!=|<=|>=|<|>)|([A-Za-z_][A-Za-z0-9_.]*))""")
VERSION = re.compile(
    r"\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d*))?"
    r"(?:[-_.]?(?:post|rev|r)[-_.]?(\d*)|-(\d+))?(?:[-_.]?dev[-_.]?(\d*))?(?:\+([a-z0-9._-]+))?\s*\Z",
    re.IGNORECASE,
)
CLAUSE = re.compile(r"\s*(===|~=|==|!=|<=|>=|<|>)\s*([^\s,]+)\s*\Z")

Key = tuple[int, tuple[int, ...], tuple[int, int], int, int]


@dataclass(frozen=True)
class Requirement:
    """One requirement: the distribution's normalised name, its extras, and the marker that says when it holds."""

    name: str
    extras: tuple[str, ...] = ()
    marker: str = ""


def normal(name: str) -> str:
    """A distribution's name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse(text: str) -> Optional[Requirement]:
    """A requirement; None where the text begins with no name."""
    body, _, marker = text.partition(";")
    found = NAMED.match(body)
    if found is None:
        return None
    extras = tuple(normal(extra.strip()) for extra in (found[2] or "").split(",") if extra.strip())
    return Requirement(normal(found[1]), extras, marker.strip())


def environment() -> dict[str, str]:
    """The values that markers compare with, of this interpreter."""
    info = sys.implementation.version
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": f"{info.major}.{info.minor}.{info.micro}",
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def holds(marker: str, values: Mapping[str, str]) -> bool:
    """Whether a marker holds; one that cannot be read holds, since to require too much is the safe side."""
    if not marker:
        return True
    try:
        tokens = list(_tokens(marker))
        result, rest = _either(tokens, values)
    except (ValueError, IndexError):
        return True
    return result if not rest else True


def satisfies(version: str, specifier: str) -> bool:
    """Whether a version lies in a specifier such as ">=3.9,<3.13". Raises ValueError for what is neither."""
    return all(_clause(version, clause) for clause in specifier.split(",") if clause.strip())


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while place < len(text.rstrip()):
        found = TOKEN.match(text, place)
        if found is None:
            raise ValueError(text)
        yield next(group for group in found.groups() if group)
        place = found.end()


def _either(tokens: list[str], values: Mapping[str, str]) -> tuple[bool, list[str]]:
    result, tokens = _both(tokens, values)
    while tokens and tokens[0] == "or":
        other, tokens = _both(tokens[1:], values)
        result = result or other
    return result, tokens


def _both(tokens: list[str], values: Mapping[str, str]) -> tuple[bool, list[str]]:
    result, tokens = _one(tokens, values)
    while tokens and tokens[0] == "and":
        other, tokens = _one(tokens[1:], values)
        result = result and other
    return result, tokens


def _one(tokens: list[str], values: Mapping[str, str]) -> tuple[bool, list[str]]:
    if tokens[0] == "(":
        result, tokens = _either(tokens[1:], values)
        if tokens[0] != ")":
            raise ValueError("a parenthesis is open")
        return result, tokens[1:]
    left, operator, tokens = tokens[0], tokens[1], tokens[2:]
    if operator == "not":
        operator, tokens = "not in", tokens[1:]
    right, tokens = tokens[0], tokens[1:]
    return _compare(left, operator, right, values), tokens


def _compare(left: str, operator: str, right: str, values: Mapping[str, str]) -> bool:
    if "extra" in (left, right):
        wanted = normal(values.get("extra", ""))
        given = normal((right if left == "extra" else left).strip("'\""))
        return (wanted == given) == (operator != "!=")
    a, b = (
        text[1:-1] if text[0] in "'\"" else values[text] if text in values else _unknown(text) for text in (left, right)
    )
    if operator == "in":
        return a in b
    if operator == "not in":
        return a not in b
    try:
        return _clause(a, f"{operator}{b}")
    except ValueError:
        return {"==": a == b, "===": a == b, "!=": a != b, "<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}.get(
            operator, True
        )


def _unknown(name: str) -> str:
    raise ValueError(f"no marker variable is named {name}")


def _clause(version: str, clause: str) -> bool:
    found = CLAUSE.match(clause)
    if found is None:
        raise ValueError(f"{clause!r} is no version specifier")
    operator, wanted = found[1], found[2]
    if operator == "===":
        return version == wanted
    if wanted.endswith(".*"):
        parts = _key(wanted[:-2])[1]
        same = _padded(_key(version)[1], len(parts))[: len(parts)] == parts
        if operator not in ("==", "!="):
            raise ValueError(f"{clause!r} is no version specifier")
        return same == (operator == "==")
    if operator == "~=":
        parts = _key(wanted)[1]
        prefix = ".".join(str(part) for part in parts[:-1])
        return _clause(version, f">={wanted}") and _clause(version, f"=={prefix}.*")
    a, b = _aligned(_key(version), _key(wanted))
    return {"==": a == b, "!=": a != b, "<=": a <= b, ">=": a >= b, "<": a < b, ">": a > b}[operator]


def _key(version: str) -> Key:
    """What versions are ordered by: epoch, release, pre-release, post-release, development release."""
    found = VERSION.match(version)
    if found is None:
        raise ValueError(f"{version!r} is no version")
    release = tuple(int(part) for part in found[2].split("."))
    stage = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}
    final = 3 if found[7] is None or found[5] is not None or found[6] is not None else -1
    pre = (final, 0) if found[3] is None else (stage[found[3].lower()], int(found[4] or 0))
    post = -1 if found[5] is None and found[6] is None else int(found[5] or found[6] or 0)
    dev = sys.maxsize if found[7] is None else int(found[7] or 0)
    return int(found[1] or 0), release, pre, post, dev


def _aligned(a: Key, b: Key) -> tuple[Key, Key]:
    length = max(len(a[1]), len(b[1]))
    return (a[0], _padded(a[1], length), *a[2:]), (b[0], _padded(b[1], length), *b[2:])


def _padded(release: tuple[int, ...], length: int) -> tuple[int, ...]:
    return release + (0,) * (length - len(release))
