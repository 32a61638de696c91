"""SQL in named, commented statements, kept in files beside the code that uses them."""

import importlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ciranda.kernel import errors


class Statements:
    """The statements of one file, as attributes: `sql.insert_run`."""

    def __init__(self, where: str, texts: dict[str, str]) -> None:
        self._where = where
        self._texts = texts

    def __getattr__(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(f"{self._where} has no statement named {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._texts)


def load(package: str, name: str = "queries.sql") -> Statements:
    """Read a package's file of statements, each after a line `-- name: insert_run`.

    Raises errors.Invalid for a name that is there twice.
    """
    path = folder(package) / name
    texts: dict[str, str] = {}
    for block in ("\n" + path.read_text()).split("\n-- name:")[1:]:
        title, _, text = block.partition("\n")
        if title.strip() in texts:
            raise errors.Invalid(f"the statement {title.strip()} is there twice", where=str(path))
        texts[title.strip()] = text.strip().rstrip(";")
    return Statements(str(path), texts)


def folder(package: str) -> Path:
    """The folder that a package lies in."""
    return Path(os.fspath(importlib.import_module(package).__path__[0]))


def split(script: str) -> list[str]:
    """The statements of a script, cut at each `;` that is not in a literal, a quoted name or a comment."""
    found: list[str] = []
    start = 0
    for kind, begin, end in tokens(script):
        if kind == ";":
            found.append(script[start:begin])
            start = end
    found.append(script[start:])
    return [text.strip() for text in found if any(kind not in ("comment", "space") for kind, _, _ in tokens(text))]


def tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Cut SQL into (kind, begin, end).

    The kind is `literal`, `name`, `comment`, `parameter` (`:word`), `cast` (`::`), `space`, or the character itself.
    """
    at = 0
    while at < len(text):
        kind, end = _token(text, at)
        yield kind, at, end
        at = end


def _token(text: str, at: int) -> tuple[str, int]:
    character = text[at]
    two = text[at : at + 2]
    if character in "'\"":
        end = at + 1
        while (close := text.find(character, end)) >= 0 and text[close + 1 : close + 2] == character:
            end = close + 2
        return ("literal" if character == "'" else "name"), (len(text) if close < 0 else close + 1)
    if two == "--":
        close = text.find("\n", at)
        return "comment", (len(text) if close < 0 else close + 1)
    if two == "/*":
        close = text.find("*/", at + 2)
        return "comment", (len(text) if close < 0 else close + 2)
    if two == "::":
        return "cast", at + 2
    if character == ":" and (text[at + 1 : at + 2].isalpha() or text[at + 1 : at + 2] == "_"):
        end = at + 1
        while end < len(text) and (text[end].isalnum() or text[end] == "_"):
            end += 1
        return "parameter", end
    if character.isspace():
        return "space", at + 1
    return character, at + 1


def unfit(parameters: Mapping[str, Any], error: Exception) -> errors.Invalid:
    """What to tell where a parameter is none that a row could hold: a number of more than 64 bits, text that is no text. Pure."""
    for value in parameters.values():
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            return errors.Invalid(f"the number {str(value)[:30]} is too large")
        if isinstance(value, str) and any(one == "\0" or "\ud800" <= one <= "\udfff" for one in value):
            return errors.Invalid(f"{value[:60]!a} is not text")
    return errors.Invalid(f"the ledger cannot hold this: {error}")
