"""Python files as far as they mean anything: run as a script by the project's own interpreter, never imported there.

`python -I normalise.py` reads a JSON object {name: the file's bytes, each as a character} and writes
{name: [piece, ...]}, or {name: null} for what is not Python to this interpreter. A piece is a top-level statement:
[kind, name, line, text, shell, names]: kind "def", "code" or "schema" (the statement `check(asset, schema=…)`);
`text` the normalised statement, without comments, formatting and docstrings; `shell` what is left of a function
without its body, its signature and Ciranda's decorators; `names` the identifiers that it uses, attributes with a dot
before them. Python 3.9 and later, standard library only.
"""

from __future__ import annotations

import ast
import json
import sys
from typing import Any

DECORATORS = frozenset({"dataset", "model", "step", "check"})
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def normalise(text: bytes) -> list[list[Any]]:
    """The pieces of a module's text. Raises SyntaxError, ValueError or RecursionError for what is not one."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        _without_docstring(node)
    return [_piece(node) for node in tree.body]


def _without_docstring(node: ast.AST) -> None:
    if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)):
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            del node.body[0]


def _piece(node: ast.stmt) -> list[Any]:
    names = sorted(_names(node))
    if isinstance(node, FUNCTIONS):
        line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        return ["def", node.name, line, ast.dump(node), _shell(node), names]
    if _is_schema(node):
        return ["schema", "", node.lineno, ast.dump(node), "", sorted(_names(_without_asset(node)))]
    return ["code", _title(node), node.lineno, ast.dump(node), "", names]


def _is_schema(node: ast.stmt) -> bool:
    """Whether a statement is `check(asset, schema=…)`; whether that `check` is Ciranda's is known to who ran it."""
    called = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(called, ast.Call) or not _ours(called) or len(called.args) != 1:
        return False
    return isinstance(called.args[0], (ast.Name, ast.Constant)) and any(
        each.arg == "schema" for each in called.keywords
    )


def _without_asset(node: Any) -> ast.AST:
    """Such a statement without the step that it names, which a declaration does not call."""
    return ast.Module([ast.Expr(keyword.value) for keyword in node.value.keywords], [])


def _shell(node: Any) -> str:
    """A function without its body: what its definition does to the module beside defining it."""
    kept = [ast.dump(item) for item in node.decorator_list if not _ours(item)]
    defaults = [item for item in [*node.args.defaults, *node.args.kw_defaults] if item is not None]
    kept += [ast.dump(item) for item in defaults if not _plain(item)]
    return json.dumps([node.name, kept])


def _ours(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(called, ast.Attribute):
        return called.attr in DECORATORS and isinstance(called.value, ast.Name) and called.value.id == "ciranda"
    return isinstance(called, ast.Name) and called.id in DECORATORS


def _plain(default: ast.expr) -> bool:
    """Whether a default is a literal or a marker: evaluating it does nothing."""
    if isinstance(default, ast.Call):
        called = default.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        return name in ("live", "run") and all(isinstance(argument, ast.Constant) for argument in default.args)
    try:
        ast.literal_eval(default)
    except ValueError:
        return False
    return True


def _names(node: ast.AST) -> set[str]:
    """The identifiers that a statement uses, but for a function's own parameters and what only its Ciranda decorators name."""
    found: set[str] = set()
    own: set[str] = set()
    parts: list[ast.AST] = [node]
    if isinstance(node, FUNCTIONS):
        arguments = node.args
        own = {item.arg for item in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
        others = [item for item in node.decorator_list if not _ours(item)]
        parts = [*node.body, *others, *arguments.defaults, *(item for item in arguments.kw_defaults if item)]
    for part in parts:
        for inner in ast.walk(part):
            if isinstance(inner, ast.Name):
                found.add(inner.id)
            elif isinstance(inner, ast.Attribute):
                found.add("." + inner.attr)
            elif isinstance(inner, ast.Import):
                found.update(alias.name for alias in inner.names)
            elif isinstance(inner, ast.ImportFrom):
                found.update([inner.module or "", *("." + alias.name for alias in inner.names)])
    return found - own


def _title(node: ast.stmt) -> str:
    if isinstance(node, ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    return ""


def main() -> None:
    """Read files from the standard input, write their pieces to the standard output."""
    result: dict[str, Any] = {}
    for name, text in json.load(sys.stdin).items():
        try:
            result[name] = normalise(text.encode("latin-1"))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            result[name] = None
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
