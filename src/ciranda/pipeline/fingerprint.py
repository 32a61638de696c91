"""Fingerprint 1: what of the code decides what a step makes. Pure.

A step's function and every project module in its import closure count, whole, as `normalise` gives them; of other steps and
checks only what their definition does to the module. A step or check that this code names all the same counts whole, and so
does every file of the tree that could be read by path. When in doubt, it is another fingerprint.
"""

import fnmatch
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ciranda.kernel import digest
from ciranda.pipeline.records import Check, Description, Step

FORMAT = 1
# Names with which code reaches modules that no import statement names.
_DYNAMIC = frozenset(
    {
        "importlib",
        "__import__",
        "exec",
        "eval",
        "runpy",
        "subprocess",
        ".import_module",
        ".run_path",
        ".system",
        ".Popen",
    }
)


@dataclass(frozen=True, slots=True)
class Piece:
    """One top-level statement of a module; `text` and `shell` are digests."""

    kind: str  # "def", "code" or "schema"
    name: str
    line: int
    text: str
    shell: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Module:
    """A project file: its digest, and its pieces, or None if it is not Python to the interpreter."""

    digest: str
    pieces: tuple[Piece, ...] | None


@dataclass(frozen=True, slots=True)
class Code:
    """The fingerprint of one step or check and what it is made of, so that a difference can be explained."""

    fingerprint: str
    function: str  # digest of its own definition
    base: str  # digest of everything else in its import closure
    files: str  # digest of the listing of the files that could be read by path
    modules: tuple[str, ...]  # the files of its import closure


def split(paths: Iterable[str], sources: Collection[str], lock: str | None) -> tuple[list[str], list[str]]:
    """The files of a tree that could be read by path, and its Python files; `lock` is the lock's name.

    Neither are declared sources, the lock, `ciranda.toml`, docs and tests.
    """
    left_out = {"ciranda.toml", lock, *sources}
    readable: list[str] = []
    python: list[str] = []
    for path in paths:
        if path in left_out or path.startswith(("docs/", "tests/")) or path.endswith(".md"):
            continue
        (python if path.endswith(".py") else readable).append(path)
    return readable, python


def matching(paths: Iterable[str], pattern: str) -> list[str]:
    """The paths that a source's pattern names, in name order: `*` and `?` stay inside a folder, `**` does not."""
    parts = PurePosixPath(pattern).parts
    if not any(character in pattern for character in "*?["):
        return sorted(path for path in paths if path == pattern or path.startswith(f"{pattern}/"))
    return sorted(path for path in paths if _matches(path.split("/"), parts))


def _matches(path: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        rest = pattern[1:]
        return any(_matches(path[at:], rest) for at in range(len(path))) if rest else bool(path)
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])


@dataclass
class Fingerprints:
    """The fingerprints of one pipeline: what it declares, its modules, and the files of the tree beside them.

    `listing(paths)` gives the digest of files by their paths; `readable` are those that could be read by path, `python` the
    Python files of the tree, which code that loads modules by itself might reach.
    """

    description: Description
    modules: Mapping[str, Module]
    readable: Sequence[str]
    python: Sequence[str]
    listing: Callable[[Sequence[str]], str]
    _nodes: dict[str, set[str]] = field(init=False)
    _schemas: set[tuple[str, int]] = field(init=False)
    _bases: dict[tuple[str, ...], "_Base"] = field(init=False, default_factory=dict)
    _closures: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)
    _files: dict[tuple[str, ...], str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._nodes = {}
        self._schemas = {(check.file, check.line) for check in self.description.checks if _is_schema(check)}
        nodes: tuple[Step | Check, ...] = (*self.description.steps, *self.description.checks)
        for node in nodes:
            self._nodes.setdefault(node.file, set()).add(_function(node))

    def of(self, node: Step | Check) -> Code:
        """The fingerprint of a step or check."""
        closure = self._closure(node.file)
        base = self._base(closure)
        own = base.nodes.get((node.file, _function(node)), ())
        names = base.names.union(*(piece.names for piece in own))
        others = self._called(base, (node.file, _function(node)), names)
        dynamic = base.dynamic or any(not piece.names.isdisjoint(_DYNAMIC) for piece in (*own, *others))
        function = own[0].text if len(own) == 1 else digest.of("code", [piece.text for piece in own])
        rest = digest.of("code", [base.digest, [piece.text for piece in others]]) if others else base.digest
        files = self._listed(closure if dynamic else ())
        return Code(digest.of("code", [FORMAT, node.name, function, rest, files]), function, rest, files, closure)

    def _closure(self, start: str) -> tuple[str, ...]:
        if start not in self._closures:
            found: set[str] = set()
            waiting = [start]
            while waiting:
                path = waiting.pop()
                if path not in found:
                    found.add(path)
                    waiting += self.description.modules.get(path, ())
                    waiting += [package for package in _packages(path) if package in self.modules]
            self._closures[start] = tuple(sorted(found))
        return self._closures[start]

    def _listed(self, closure: tuple[str, ...]) -> str:
        """The digest of the readable files; with a closure, also of the Python files outside of it."""
        if closure not in self._files:
            others = [path for path in self.python if path not in closure] if closure else []
            self._files[closure] = self.listing([*self.readable, *others])
        return self._files[closure]

    def _base(self, closure: tuple[str, ...]) -> "_Base":
        if closure not in self._bases:
            self._bases[closure] = _Base.of(closure, self.modules, self._nodes, self._schemas)
        return self._bases[closure]

    def _called(self, base: "_Base", own: tuple[str, str], names: frozenset[str]) -> list[Piece]:
        """Other steps and checks that the code names: they may be called as the plain functions they are."""
        used = names
        found: dict[tuple[str, str], Sequence[Piece]] = {}
        waiting = True
        while waiting:
            waiting = False
            for name in used & base.callable:
                for place in base.called[name]:
                    if place != own and place not in found:
                        found[place] = base.nodes[place]
                        used = used.union(*(piece.names for piece in found[place]))
                        waiting = True
        return [piece for place in sorted(found) for piece in found[place]]


@dataclass(frozen=True)
class _Base:
    """What the steps of one import closure share."""

    digest: str
    names: frozenset[str]  # used outside of steps and checks
    dynamic: bool
    nodes: Mapping[tuple[str, str], Sequence[Piece]]  # (file, function) of steps and checks
    called: Mapping[str, Sequence[tuple[str, str]]]  # how code may name a step or check → where it is
    callable: frozenset[str]

    @staticmethod
    def of(
        closure: Sequence[str],
        modules: Mapping[str, Module],
        functions: Mapping[str, set[str]],
        schemas: Collection[tuple[str, int]],
    ) -> "_Base":
        told: list[tuple[str, object]] = []
        names: set[str] = set()
        nodes: dict[tuple[str, str], list[Piece]] = {}
        called: dict[str, list[tuple[str, str]]] = {}
        foreign = (
            False  # a statement that looks like the declaration of a schema and is none: it may call what it names
        )
        for path in closure:
            module = modules[path]
            if module.pieces is None:
                told.append((path, module.digest))
                continue
            mine = functions.get(path, set())
            parts = []
            for piece in module.pieces:
                if piece.kind == "def" and piece.name in mine:
                    place = (path, piece.name)
                    if place not in nodes:
                        called.setdefault(piece.name, []).append(place)
                        called.setdefault(f".{piece.name}", []).append(place)
                    nodes.setdefault(place, []).append(piece)
                    parts.append(piece.shell)
                else:
                    parts.append(piece.text)
                    names |= piece.names
                    foreign |= piece.kind == "schema" and (path, piece.line) not in schemas
            told.append((path, parts))
        named = frozenset(names.union(called) if foreign else names)
        return _Base(digest.of("code", told), named, not named.isdisjoint(_DYNAMIC), nodes, called, frozenset(called))


def _packages(path: str) -> list[str]:
    """The `__init__.py` of every folder on the way to a file."""
    folders = path.split("/")[:-1]
    return ["/".join([*folders[:n], "__init__.py"]) for n in range(1, len(folders) + 1)]


def _function(node: Step | Check) -> str:
    return node.function.partition(":")[2]


def _is_schema(check: Check) -> bool:
    return _function(check).startswith("<")
