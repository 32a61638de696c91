"""What a project's code declares and imports, as the JSON of `pipeline.records.Description`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Optional

from ciranda.runtime import imports, rule
from ciranda.runtime.declare import REGISTER, SCHEMA, Declaration


class Undescribable(Exception):
    """A pipeline that declares what cannot be run; the message names file, line and function."""


def roots(tree: Path, pipeline: Optional[str] = None) -> imports.Roots:
    """Where a project's modules are imported from: the tree, its `src` folder, and the folder of the pipeline file."""
    folders = [tree]
    if (tree / "src").is_dir() and not (tree / "src" / "__init__.py").exists():
        folders.insert(0, tree / "src")
    beside: tuple[Path, ...] = ()
    if pipeline is not None:
        place = (tree / pipeline).parent
        beside = () if place in folders or (place / "__init__.py").exists() else (place,)
    return imports.Roots(tree, tuple(folders), beside)


def enter(where: imports.Roots) -> None:
    """Make the project's modules importable, before all others."""
    added = [str(folder) for folder in (*where.folders, *where.beside)]
    sys.path[:] = [*added, *(entry for entry in sys.path if entry not in added)]


def load(tree: Path, pipeline: str) -> ModuleType:
    """Import the pipeline file by its name below the tree. Raises whatever it raises, or Undescribable."""
    file = tree / pipeline
    if not file.is_file():
        raise Undescribable(f"there is no {pipeline} in the tree")
    name = roots(tree, pipeline).name(file)
    module = importlib.import_module(name)
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != file.resolve():
        raise Undescribable(f"{pipeline} cannot be imported as {name}: {found or 'another module'} has that name")
    return module


def describe(tree: Path, pipeline: str) -> dict[str, Any]:
    """Import the pipeline file and say what it declares. Raises Undescribable, or whatever the file raises."""
    where = roots(tree, pipeline)
    load(tree, pipeline)
    steps: dict[str, dict[str, Any]] = {}
    checks: dict[str, dict[str, Any]] = {}
    for declaration in declared(where):
        told = tell(declaration, tree)
        known = checks if declaration.kind == "check" else steps
        other = known.get(declaration.name)
        again = other is not None and (other["file"], other["line"]) == (told["file"], told["line"])
        if other is not None and (not again or declaration.place is not None):
            what = "two checks are named" if declaration.kind == "check" else "two steps make the asset"
            raise Undescribable(
                f"{what} {declaration.name}: {other['file']}:{other['line']} and {told['file']}:{told['line']}"
            )
        known.setdefault(declaration.name, told)
    graph = imports.graph(tree / pipeline, where, imports.loaded_files(where, sys.modules))
    named = sorted({name for names in graph.imports.values() for name in names})
    return {
        "steps": list(steps.values()),
        "checks": list(checks.values()),
        "modules": graph.modules,
        "imports": graph.imports,
        "distributions": imports.distributions(named),
        "python": python(),
        "platform": machine(),
    }


def declared(where: imports.Roots) -> list[Declaration]:
    """What the loaded modules of the project declare, in the order of files and lines."""
    found = []
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if isinstance(name, str) and imports.inside(name, where.tree):
            found.extend(vars(module).get(REGISTER, ()))
    return sorted(found, key=lambda declaration: _place(declaration, where.tree))


def tell(declaration: Declaration, tree: Path) -> dict[str, Any]:
    """One declaration as `pipeline.records.Step` or `Check` has it. Raises Undescribable."""
    function = declaration.function
    file, line = _place(declaration, tree)
    if "." in function.__qualname__:
        raise Undescribable(
            f"{file}:{line}  {function.__qualname__}: a {declaration.kind} is a function at the top level of its module"
        )
    try:
        taken = rule.taken(function, declaration.kind)
    except rule.Mistake as mistake:
        raise Undescribable(f"{file}:{line}  {declaration.kind} {declaration.name}: {mistake}") from mistake
    told: dict[str, Any] = {
        "name": declaration.name,
        "function": f"{function.__module__}:{function.__qualname__}",
        "file": file,
        "line": line,
        "inputs": [asdict(item) for item in taken.inputs],
        "parameters": taken.parameters,
        "timeout": declaration.timeout,
    }
    if declaration.kind == "check":
        told.update(
            asset=declaration.asset,
            at_least=declaration.at_least,
            at_most=declaration.at_most,
            severity=declaration.severity,
        )
    else:
        told.update(kind=declaration.kind, returns=taken.returns, retries=declaration.retries)
    return told


def place(function: Callable[..., Any], tree: Path) -> tuple[str, int]:
    """The file, relative to the tree, and the line of a function's first line or decorator."""
    code = inspect.unwrap(function).__code__
    return _inside(code.co_filename, tree), code.co_firstlineno


def _place(declaration: Declaration, tree: Path) -> tuple[str, int]:
    if declaration.place is None:
        return place(declaration.function, tree)
    file, line = declaration.place
    return _inside(file, tree), line


def _inside(name: str, tree: Path) -> str:
    file = Path(name)
    return file.relative_to(tree).as_posix() if tree in file.parents else name


def resolve(name: str) -> Callable[..., Any]:
    """The function that "module:qualname" names, or the one that tests by a schema. Raises Undescribable, or whatever the module raises."""
    module, _, qualname = name.partition(":")
    value: Any = importlib.import_module(module)
    if qualname.startswith(SCHEMA):
        for declaration in vars(value).get(REGISTER, ()):
            if declaration.function.__qualname__ == qualname:
                return declaration.function  # type: ignore[no-any-return]
    for part in qualname.split("."):
        value = getattr(value, part, None)
    if not callable(value):
        raise Undescribable(f"{module} has no function {qualname}")
    return value  # type: ignore[no-any-return]


def python() -> str:
    """The interpreter's minor version, "3.11"."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def machine() -> str:
    """The platform that wheels are for, "linux-x86_64"."""
    return f"{sys.platform}-{platform.machine()}"
