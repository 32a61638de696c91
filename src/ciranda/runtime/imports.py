"""Which project files a project file imports, and which distributions: read from the source, never from what ran.

Imports inside functions count, and so do modules that are found in the tree but not loaded. A project module that was
loaded and that no import statement names (`importlib.import_module`) counts as imported by every file: to compute
once too often is the safe side.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.runtime import requirements

OURS = ("ciranda", "ciranda-runtime")
SUFFIXES = (".so", ".pyd", ".dylib", ".py")


@dataclass(frozen=True)
class Graph:
    """What the project's files import: other project files, and distributions by name; paths relative to the tree."""

    modules: dict[str, tuple[str, ...]]
    imports: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Roots:
    """The folders of the tree that Python imports from, most specific first."""

    tree: Path
    folders: tuple[Path, ...]  # the tree and its src/, from which modules have their names
    beside: tuple[Path, ...] = ()  # the pipeline file's folder, where it is another

    def files(self, module: str) -> list[Path]:
        """The project files that importing a dotted name runs: the packages on the way, and the module itself."""
        parts = module.split(".")
        for folder in (*self.folders, *self.beside):
            found: list[Path] = []
            place = folder
            for depth, part in enumerate(parts):
                file, package = place / f"{part}.py", place / part / "__init__.py"
                if package.is_file():
                    found.append(package)
                elif file.is_file():
                    found.append(file)
                    break
                elif not (place / part).is_dir() or depth == len(parts) - 1:
                    break
                place = place / part
            if found:
                return found
        return []

    def name(self, file: Path) -> str:
        """The dotted name of a project file below the most specific folder that has it."""
        folder = min(
            (root for root in self.folders if root in file.parents), key=lambda root: len(file.relative_to(root).parts)
        )
        relative = file.relative_to(folder).with_suffix("")
        parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
        return ".".join(parts)


def graph(start: Path, roots: Roots, loaded: Iterable[Path]) -> Graph:
    """The import graph of the project files that are reached from `start`, and of those that are loaded."""
    edges: dict[Path, set[Path]] = {}
    outside: dict[Path, set[str]] = {}
    waiting = [start]
    _walk(waiting, roots, edges, outside)
    unseen = sorted(file for file in set(loaded) if file not in edges)
    _walk(list(unseen), roots, edges, outside)
    for file, targets in edges.items():
        targets.update(other for other in unseen if other != file)
    owners = owners_of(set().union(*outside.values()))
    return Graph(
        modules={
            _said(file, roots): tuple(sorted(_said(other, roots) for other in edges[file])) for file in sorted(edges)
        },
        imports={
            _said(file, roots): tuple(sorted({owner for name in outside[file] for owner in owners.get(name, ())}))
            for file in sorted(edges)
        },
    )


def _walk(waiting: list[Path], roots: Roots, edges: dict[Path, set[Path]], outside: dict[Path, set[str]]) -> None:
    while waiting:
        file = waiting.pop()
        if file in edges:
            continue
        edges[file], outside[file] = set(), set()
        for name in imported(file, roots.name(file)):
            found = roots.files(name)
            if found:
                edges[file].update(other for other in found if other != file)
                waiting.extend(found)
            else:
                outside[file].add(name)


def imported(file: Path, name: str) -> Iterator[str]:
    """The dotted names that a file's import statements may load, relative ones resolved against `name`."""
    try:
        parsed = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            outer = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*outer, *([node.module] if node.module else [])])
            if base:
                yield base
            for alias in node.names:
                yield f"{base}.{alias.name}" if base else alias.name


def owners_of(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The distributions that provide the modules of these dotted names; standard library and our own are left out.

    A namespace package (`google.cloud`) belongs to several distributions; the ones that have the name's files count.
    """
    tops: dict[str, set[str]] = {}
    for name in names:
        tops.setdefault(name.split(".")[0], set()).add(name)
    tops = {top: found for top, found in tops.items() if top not in getattr(sys, "stdlib_module_names", ())}
    owned: dict[str, set[str]] = {}
    if not tops:
        return {}
    for distribution in _metadata():
        said = requirements.normal(distribution.metadata["Name"] or "")
        if not said or said in OURS:
            continue
        for top in tops.keys() & provided(distribution):
            owned.setdefault(top, set()).add(said)
    return {name: tuple(sorted(owned[top])) for top, found in tops.items() if top in owned for name in found}


def _metadata() -> Iterator[Any]:
    from importlib.metadata import distributions as found

    return iter(found())


def provided(distribution: Any) -> set[str]:
    """The top modules that a distribution installs."""
    listed = distribution.read_text("top_level.txt")
    if listed:
        return {line.strip().split("/")[0] for line in listed.splitlines() if line.strip()}
    found: set[str] = set()
    record = distribution.read_text("RECORD") or ""
    for line in record.splitlines():
        path = line.split(",", 1)[0].strip('"')
        top, _, rest = path.partition("/")
        if rest:
            found.add(top)
        elif top.endswith(SUFFIXES):
            found.add(top.split(".")[0])
    return {name for name in found if name.isidentifier()}


def distributions(names: Iterable[str]) -> dict[str, str]:
    """The versions of the named distributions and, transitively, of every installed one that they require here."""
    installed = {requirements.normal(found.metadata["Name"] or ""): found for found in _metadata()}
    values = requirements.environment()
    versions: dict[str, str] = {}
    waiting = [(requirements.normal(name), "") for name in names]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = pair = waiting.pop()
        found = installed.get(name)
        if pair in seen or found is None or name in OURS:
            continue
        seen.add(pair)
        versions[name] = found.version
        for text in found.requires or ():
            needed = requirements.parse(text)
            if needed is not None and requirements.holds(needed.marker, {**values, "extra": extra}):
                waiting.extend((needed.name, wanted) for wanted in ("", *needed.extras))
    return dict(sorted(versions.items()))


def loaded_files(roots: Roots, modules: Mapping[str, object]) -> list[Path]:
    """The source files of the modules that are loaded from the tree."""
    found = []
    for module in list(modules.values()):
        name = getattr(module, "__file__", None)
        if isinstance(name, str) and name.endswith(".py") and inside(name, roots.tree):
            found.append(Path(name))
    return found


def inside(name: str, tree: Path) -> bool:
    """Whether a file lies in the tree and is not part of an interpreter that lies there too."""
    return name.startswith(os.path.join(str(tree), "")) and "site-packages" not in Path(name).parts


def _said(file: Path, roots: Roots) -> str:
    return file.relative_to(roots.tree).as_posix()
