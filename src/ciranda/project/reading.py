"""A TOML table that is read key by key: each value with its type; what is wrong is collected with its line."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ciranda.project import names, positions, problems, schema
from ciranda.project.values import Scalar


class Reading:
    """One text that is being read, and what was found wrong with it so far."""

    def __init__(self, text: str, where: str) -> None:
        self._positions = positions.Positions(text)
        self._where = where
        self.problems: list[problems.Problem] = []

    def line(self, *path: str) -> int:
        return self._positions.line(path)

    def wrong(self, path: Sequence[str], what: str, hint: str = "", *, value: str | None = None) -> None:
        """Note a mistake at a key (with `value`: at that string inside its value)."""
        self._note(path, what, hint, value, not_yet=False)

    def later(self, path: Sequence[str], what: str, hint: str = "") -> None:
        """Note something that is designed but not built yet."""
        self._note(path, what, hint, None, not_yet=True)

    def _note(self, path: Sequence[str], what: str, hint: str, value: str | None, *, not_yet: bool) -> None:
        where = f"{self._where}:{self._positions.line(path, value)}"
        self.problems.append(problems.Problem(what, where, hint, not_yet))

    def section(self, document: Mapping[str, Any], name: str) -> "Table":
        """A section without names; empty when it is missing."""
        return self._table(document.get(name, {}), (name,), schema.SECTIONS[name])

    def sections(self, document: Mapping[str, Any], name: str) -> "list[tuple[str, Table]]":
        """The named tables of a section, in the order of the text."""
        found = document.get(name, {})
        if not isinstance(found, dict):
            self.wrong((name,), f"{name} is {_kind(found)}, not tables with names", f"write [{name}.NAME]")
            return []
        return [(key, self._table(value, (name, key), schema.SECTIONS[name])) for key, value in found.items()]

    def _table(self, value: Any, path: tuple[str, ...], section: schema.Section) -> "Table":
        if not isinstance(value, dict):
            hint = f"write [{'.'.join(path)}] with the keys {', '.join(section.keys)}"
            self.wrong(path, f"{'.'.join(path)} is {_kind(value)}, not a table", hint)
            return Table(self, path, {})
        for key in value:
            full = (*path, key)
            if key in section.keys:
                continue
            if key in section.later:
                self.later(full, f"{'.'.join(full)} is designed, but not built yet", "take the key out")
                continue
            hint = names.suggestion(key, section.keys)
            self.wrong(full, f"{'.'.join(full)} is not a key", _join(hint, f"known: {', '.join(section.keys)}"))
        for key in section.required:
            if key not in value:
                self.wrong(path, f"{'.'.join(path)} has no {key}", f"write {key} = …")
        return Table(self, path, value)


class Table:
    """One table: `text("name", default)` and its like return the value, or the default after noting what is wrong."""

    def __init__(self, reading: Reading, path: tuple[str, ...], values: Mapping[str, Any]) -> None:
        self._reading = reading
        self._values = values
        self.path = path

    def __contains__(self, key: str) -> bool:
        return key in self._values

    @property
    def line(self) -> int:
        return self._reading.line(*self.path)

    def wrong(self, key: str, what: str, hint: str = "", *, value: str | None = None) -> None:
        """Note a mistake at one of its keys, or, with an empty `key`, at the table itself."""
        path = (*self.path, key) if key else self.path
        self._reading.wrong(path, f"{'.'.join(path)} {what}", hint, value=value)

    def later(self, key: str, what: str, hint: str = "") -> None:
        path = (*self.path, key) if key else self.path
        self._reading.later(path, f"{'.'.join(path)} {what}", hint)

    def text(self, key: str, default: str = "") -> str:
        value = self._values.get(key, default)
        if isinstance(value, str) and (value.strip() or key not in self._values):
            return value
        self._mistyped(key, value, schema.TEXT)
        return default

    def optional(self, key: str) -> str | None:
        return self.text(key) if key in self._values else None

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._values.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self._mistyped(key, value, schema.TEXTS)
        return ()

    def commands(self, key: str) -> tuple[str, ...]:
        """One command or several; each must be words that a shell would understand."""
        value = self._values.get(key, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            self._mistyped(key, value, schema.COMMANDS)
            return ()
        return tuple(item for item in listed if self.command(key, item))

    def command(self, key: str, text: str) -> bool:
        """Whether a text is a command: at least one word, quotes closed."""
        try:
            if shlex.split(text):
                return True
            self.wrong(key, "is an empty command", value=text)
        except ValueError as error:
            self.wrong(
                key,
                f"is not a command: {str(error).lower()}",
                "a command is split into words as a shell does",
                value=text,
            )
        return False

    def seconds(self, key: str, default: float) -> float:
        value = self._values.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"):
            return float(value)
        self._mistyped(key, value, schema.NUMBER)
        return default

    def count(self, key: str, default: int) -> int:
        value = self._values.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        self._mistyped(key, value, schema.COUNT)
        return default

    def whole(self, key: str, default: int) -> int:
        value = self._values.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self._mistyped(key, value, schema.WHOLE)
        return default

    def flag(self, key: str) -> bool:
        value = self._values.get(key, False)
        if isinstance(value, bool):
            return value
        self._mistyped(key, value, schema.FLAG)
        return False

    def table(self, key: str) -> dict[str, Any]:
        value = self._values.get(key, {})
        if isinstance(value, dict):
            return value
        self._mistyped(key, value, schema.TABLE)
        return {}

    def scalar(self, key: str) -> Scalar | None:
        value = self._values.get(key)
        if value is None or isinstance(value, str | int | float | bool):
            return value
        self._mistyped(key, value, schema.SCALAR)
        return None

    def _mistyped(self, key: str, value: Any, wanted: str) -> None:
        self.wrong(key, f"is {_kind(value)}, not {wanted}")


def _join(*hints: str) -> str:
    return "        ".join(hint for hint in hints if hint)


def _kind(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'the text "{value}"' if value.strip() else "an empty text"
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return f"a {type(value).__name__}"
