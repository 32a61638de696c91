"""The programs that services name, held against the tree: a module or a name that is not there is told before anything starts."""

import ast
from collections.abc import Callable, Collection, Iterator
from pathlib import PurePosixPath

from ciranda.project import names, positions, problems
from ciranda.project.declaration import Project, Service


def missing(
    project: Project,
    paths: Collection[str],
    read: Callable[[str], str],
    importable: Callable[[str], bool],
    declared: str = "",
) -> list[problems.Problem]:
    """What `predict` and `app` name and the tree does not have.

    `paths` are the tree's files, `read` gives the text of one, `importable` says whether a module that is not the tree's
    can be imported by its first name; `declared` is the text of the declaration.
    """
    lines = positions.Positions(declared)
    found = []
    for service in project.services:
        if service.form == "command":
            continue
        told = _missing(service, paths, read, importable)
        if told is not None:
            what, hint = told
            where = f"ciranda.toml:{lines.line(('services', service.name, service.form))}"
            found.append(
                problems.Problem(f'services.{service.name}.{service.form} names "{service.run}", {what}', where, hint)
            )
    return found


def _missing(
    service: Service, paths: Collection[str], read: Callable[[str], str], importable: Callable[[str], bool]
) -> tuple[str, str] | None:
    """What is not there, and a hint; None: all is, or nobody can tell without importing it."""
    module, _, name = service.run.partition(":")
    file = _file(module, paths)
    if file is None:
        top = module.partition(".")[0]
        ours = any(path.startswith((f"{root}{top}/", f"{root}{top}.py")) for root in _roots(paths) for path in paths)
        if not ours and importable(top):
            return None
        modules = {one for path in paths if (one := module_name(path, paths)) is not None}
        return f"and there is no module {module}", names.suggestion(module, modules) or "does Git track it?"
    try:
        bound = _bound(read(file))
    except (SyntaxError, ValueError, UnicodeDecodeError):
        return None  # Python of another version, perhaps: who imports it says what is wrong
    if bound is None or name in bound:
        return None
    return f"and {file} has no {name}", names.suggestion(name, bound)


def _roots(paths: Collection[str]) -> list[str]:
    """Where modules are imported from, as the runtime has it."""
    src = any(path.startswith("src/") for path in paths) and "src/__init__.py" not in paths
    return ["src/", ""] if src else [""]


def _file(module: str, paths: Collection[str]) -> str | None:
    place = module.replace(".", "/")
    candidates = [f"{root}{place}{end}" for root in _roots(paths) for end in ("/__init__.py", ".py")]
    return next((path for path in candidates if path in paths), None)


def module_name(path: str, paths: Collection[str]) -> str | None:
    """The name under which a file of the tree is imported."""
    for root in _roots(paths):
        if path.startswith(root) and path.endswith(".py"):
            parts = PurePosixPath(path[len(root) :]).with_suffix("").parts
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or None
    return None


def _bound(text: str) -> set[str] | None:
    """The names that a module's text binds at its top level; None where only running it can tell."""
    found: set[str] = set()
    for node in _top(ast.parse(text).body):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if name == "__getattr__":
                    return None
                found.add(name)
            case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                if any(one.name == "*" for one in imported):
                    return None
                found |= {one.asname or one.name.partition(".")[0] for one in imported}
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Call(func=ast.Name(id="globals" | "exec" | "setattr" | "vars")):
                return None
    return found


def _top(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Every node that runs when the module is imported: what functions and classes hold is left out."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
