"""The files of a repository as detection sees them: bounded, and read only when asked."""

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

MOST = 5_000  # files that are looked at
LARGEST = 1_000_000  # bytes of a file that is read
_ELSEWHERE = frozenset(
    {
        "node_modules", "site-packages", "venv", "env", "build", "dist", "target", "vendor", "third_party", "__pycache__",
        "htmlcov", "migrations",
    }
)  # fmt: skip
TESTS = frozenset({"tests", "test", "testing", "fixtures", "conftest.py"})
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_LOCKED = re.compile(r'^name = "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Listing:
    """`paths` are relative and sorted; `read` gives the bytes of one, at most LARGEST + 1, and raises OSError."""

    paths: tuple[str, ...]
    read: Callable[[str], bytes]
    left_out: int = 0  # files that were not looked at
    _parsed: dict[str, ast.Module | None] = field(default_factory=dict)

    @cached_property
    def there(self) -> frozenset[str]:
        """The same paths, to be asked."""
        return frozenset(self.paths)

    def text(self, path: str) -> str:
        """The text of a small file; empty for one that is not listed, large, or no text."""
        if path not in self.there:
            return ""
        try:
            data = self.read(path)
            return data.decode() if len(data) <= LARGEST else ""
        except (OSError, UnicodeDecodeError):
            return ""

    def module(self, path: str) -> ast.Module | None:
        """A Python file, parsed once; None where this Python cannot."""
        if path not in self._parsed:
            try:
                self._parsed[path] = ast.parse(self.text(path))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self._parsed[path] = None
        return self._parsed[path]

    def toml(self, path: str) -> dict[str, Any]:
        """A TOML file; empty where there is none or it cannot be read."""
        try:
            return tomllib.loads(self.text(path))
        except tomllib.TOMLDecodeError:
            return {}

    @property
    def code(self) -> list[str]:
        """The Python files that are neither tests nor somebody else's."""
        return [path for path in self.paths if path.endswith(".py") and not tested(path) and not hidden(path)]


def bounded(paths: Iterable[str], read: Callable[[str], bytes]) -> Listing:
    """A listing of at most MOST files, those nearest to the root first; names that no declaration can hold are left out."""
    plain = [path for path in paths if path.isprintable() and '"' not in path and "\\" not in path]
    ordered = sorted(plain, key=lambda path: (path.count("/"), path))
    return Listing(tuple(sorted(ordered[:MOST])), read, max(0, len(ordered) - MOST))


def hidden(path: str) -> bool:
    """Whether it lies where other people's code and what is built lie."""
    return any(part in _ELSEWHERE or part.startswith(".") for part in PurePosixPath(path).parts[:-1])


def tested(path: str) -> bool:
    """Whether it belongs to the tests."""
    parts = PurePosixPath(path).parts
    return any(part in TESTS for part in parts) or parts[-1].startswith("test_") or parts[-1].endswith("_test.py")


@dataclass(frozen=True, slots=True)
class Needs:
    """What the repository says that it needs: the file that says so ("" for none), and the names, normalised."""

    file: str
    names: frozenset[str]

    def lack(self, name: str) -> str:
        """Why something that needs a distribution cannot be had; empty where it can."""
        if name in self.names:
            return ""
        return (
            f"{self.file} does not name {name}" if self.file else f"nothing says that {name} is needed: no lock is here"
        )


def needs(listing: Listing) -> Needs:
    """From the first of uv.lock, requirements.txt, pyproject.toml: what an interpreter of Ciranda's is built from."""
    if "uv.lock" in listing.paths:
        return Needs("uv.lock", frozenset(normal(name) for name in _LOCKED.findall(listing.text("uv.lock"))))
    if "requirements.txt" in listing.paths:
        return Needs("requirements.txt", frozenset(_requirements(listing, "requirements.txt", set())))
    declared = listing.toml("pyproject.toml")
    wanted = declared.get("project", {}).get("dependencies")
    if isinstance(wanted, list):
        groups = declared.get("dependency-groups", {}).get("dev", [])
        lines = [line for line in [*wanted, *groups] if isinstance(line, str)]
        return Needs("pyproject.toml", frozenset(normal(found[1]) for line in lines if (found := _NAME.match(line))))
    return Needs("", frozenset())


def normal(name: str) -> str:
    """A distribution's name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def quoted(text: str) -> str:
    """A text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False)


def _requirements(listing: Listing, path: str, seen: set[str]) -> set[str]:
    found: set[str] = set()
    if path in seen:
        return found
    seen.add(path)
    for line in listing.text(path).splitlines():
        other = re.match(r"\s*(?:-r|--requirement)[\s=]+(\S+)", line)
        if other:
            found |= _requirements(listing, str(PurePosixPath(path).parent / other[1]).removeprefix("./"), seen)
        elif (name := _NAME.match(line)) and not line.lstrip().startswith("#"):
            found.add(normal(name[1]))
    return found
