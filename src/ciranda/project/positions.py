"""On which line of a TOML text each key stands: the standard parser does not say."""

import re
from collections.abc import Sequence

_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=""")
_HEADER = re.compile(
    r"""\s*\[\[?\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*\]"""
)
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+)""")
# What ends or spans lines inside a value: strings and comments are skipped, brackets counted.
_TOKEN = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|#.*|[\[\]]')


class Positions:
    """Line numbers (from 1) of sections and keys, by their path."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._found = dict(_scan(self._lines))

    def line(self, path: Sequence[str], value: str | None = None) -> int:
        """The line of the key, else of the section around it; with `value`, of that string in the key's value."""
        at = next((self._found[tuple(path[:n])] for n in range(len(path), 0, -1) if tuple(path[:n]) in self._found), 1)
        if value is not None:
            ends = min((n for n in self._found.values() if n > at), default=len(self._lines) + 1)
            for number in range(at, ends):
                if f'"{value}"' in self._lines[number - 1] or f"'{value}'" in self._lines[number - 1]:
                    return number
        return at


def _scan(lines: Sequence[str]) -> list[tuple[tuple[str, ...], int]]:
    found: list[tuple[tuple[str, ...], int]] = []
    section: tuple[str, ...] = ()
    depth, quote = 0, ""
    for number, line in enumerate(lines, 1):
        start = 0
        if not depth and not quote:
            if header := _HEADER.match(line):
                section = _parts(header[1])
                found.extend((section[:n], number) for n in range(1, len(section) + 1))
                continue
            if key := _KEY.match(line):
                path = _parts(key[1])
                found.extend(((*section, *path[:n]), number) for n in range(1, len(path) + 1))
                start = key.end()
        depth, quote = _balance(line, start, depth, quote)
    first: dict[tuple[str, ...], int] = {}
    for path, number in found:
        first.setdefault(path, number)
    return list(first.items())


def _balance(line: str, start: int, depth: int, quote: str) -> tuple[int, str]:
    """How many brackets are open, and which long string, at the end of the line."""
    at = start
    while at < len(line):
        if quote:
            end = line.find(quote, at)
            if end < 0:
                return depth, quote
            at, quote = end + 3, ""
            continue
        token = _TOKEN.search(line, at)
        if token is None:
            break
        at = token.end()
        match token[0]:
            case '"""' | "'''":
                quote = token[0]
            case "[":
                depth += 1
            case "]":
                depth -= 1
            case _:
                pass
    return max(depth, 0), quote


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(a or b or c for a, b, c in _PART.findall(dotted))
