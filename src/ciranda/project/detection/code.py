"""Programs: a pipeline that is one already, applications, prediction functions, and what other tools start."""

import ast
import json
import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ciranda.project import names, programs
from ciranda.project.detection.listing import Listing, Needs, quoted
from ciranda.project.detection.proposal import Proposed, service_name

MARKS = frozenset({"dataset", "model", "step"})
FRAMEWORKS = {  # maker of an application → its distribution, and whether it speaks ASGI
    "FastAPI": ("fastapi", True), "Starlette": ("starlette", True), "Litestar": ("litestar", True),
    "Quart": ("quart", True), "BlackSheep": ("blacksheep", True), "Flask": ("flask", False),
    "get_asgi_application": ("django", True),
}  # fmt: skip
_PLAIN = frozenset({"main", "app", "application", "server", "asgi", "wsgi", "__init__", "run", "service"})
_FACTORY = frozenset({"create_app", "make_app", "build_app", "get_app"})


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A file with functions that are marked as steps: their names, and the inputs that no step makes."""

    path: str
    steps: frozenset[str]
    inputs: frozenset[str]


@dataclass(frozen=True, slots=True)
class _App:
    path: str
    name: str  # of the variable or function
    maker: str
    factory: bool = False


def pipeline(listing: Listing) -> tuple[Pipeline | None, list[Proposed]]:
    """The pipeline if there is one, and what is to be written of it."""
    found = [one for path in listing.code if (one := _pipeline(listing, path)) is not None]
    best = max(
        found,
        key=lambda one: (PurePosixPath(one.path).name == "pipeline.py", len(one.steps), -len(one.path)),
        default=None,
    )
    if best is not None:
        why = f"{best.path} marks {', '.join(sorted(best.steps)[:5])}" + (" and more" if len(best.steps) > 5 else "")
        doubt = "a project has one pipeline"
        others = [
            Proposed("project", (f"pipeline = {quoted(one.path)}",), f"{one.path} marks steps too", doubt)
            for one in found
            if one is not best
        ]
        return best, [Proposed("project", (f"pipeline = {quoted(best.path)}",), why), *others]
    named = next(
        (
            path
            for path in ("pipeline.py", "pipelines.py", "train.py", "src/pipeline.py", "src/train.py")
            if path in listing.paths
        ),
        None,
    )
    if named is None:
        return None, []
    doubt = "no function in it is marked @dataset, @model or @step (from ciranda import dataset, model)"
    return None, [Proposed("project", (f"pipeline = {quoted(named)}",), f"{named} is there", doubt)]


def services(listing: Listing, needs: Needs, made: Collection[str]) -> list[Proposed]:
    """Applications, prediction functions and started programs; `made` are the assets that there are."""
    found: list[Proposed] = []
    taken: list[str] = []
    for path in listing.code:
        for app in _apps(listing, path):
            found.append(_served(listing, needs, app, taken))
        predict = _predict(listing, path, made, taken)
        if predict is not None:
            found.append(predict)
    served = any(one.sure for one in found)
    found += _procfile(listing, needs, taken, served=served)
    found += _dockerfile(listing, served=served)
    return found


def _pipeline(listing: Listing, path: str) -> Pipeline | None:
    module = listing.module(path)
    if module is None or "ciranda" not in listing.text(path):
        return None
    steps: dict[str, list[str]] = {}
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and any(_mark(one) in MARKS for one in node.decorator_list):
            steps[node.name] = _required(node)
    if not steps:
        return None
    return Pipeline(path, frozenset(steps), frozenset(one for takes in steps.values() for one in takes) - steps.keys())


def _mark(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""


def _required(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The parameters without a default."""
    plain = [*node.args.posonlyargs, *node.args.args]
    without = plain[: len(plain) - len(node.args.defaults)]
    keyword = [one for one, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if default is None]
    return [one.arg for one in (*without, *keyword)]


def _apps(listing: Listing, path: str) -> Iterator[_App]:
    module = listing.module(path)
    if module is None or not any(maker in listing.text(path) for maker in FRAMEWORKS):
        return
    plain = []
    for node in module.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        target = (
            node.targets[0]
            if isinstance(node, ast.Assign)
            else node.target
            if isinstance(node, ast.AnnAssign)
            else None
        )
        if isinstance(value, ast.Call) and isinstance(target, ast.Name) and _mark(value) in FRAMEWORKS:
            plain.append(_App(path, target.id, _mark(value)))
    yield from plain
    for node in [] if plain else module.body:
        if isinstance(node, ast.FunctionDef) and node.name in _FACTORY and not _required(node):
            makers = [_mark(one) for one in ast.walk(node) if isinstance(one, ast.Call) and _mark(one) in FRAMEWORKS]
            if makers:
                yield _App(path, node.name, makers[0], factory=True)


def _served(listing: Listing, needs: Needs, app: _App, taken: list[str]) -> Proposed:
    module = programs.module_name(app.path, listing.paths) or ""
    name = _called(module, taken)
    distribution, asgi = FRAMEWORKS[app.maker]
    why = f"{app.path} makes a {app.maker.removeprefix('get_').removesuffix('_application')} application"
    doubt = _unimportable(module) or needs.lack(distribution) or _unfound(listing, app.path)
    if asgi:
        line = f"app = {quoted(f'{module}:{app.name}')}"
    else:
        why, doubt = f"{why}, which is WSGI", doubt or needs.lack("gunicorn")
        target = f'"{module}:{app.name}()"' if app.factory else f"{module}:{app.name}"
        started = f"sh -c 'exec gunicorn --bind 127.0.0.1:$PORT {target}'"
        line = f"command = {quoted(started)}"
    if not doubt:
        taken.append(name)
    return Proposed("services", (f"[services.{name}]", line), why, doubt)


def _called(module: str, taken: list[str]) -> str:
    parts = [part for part in module.split(".") if part not in _PLAIN]
    return service_name(parts[-1] if parts else "web", taken, names.RESERVED)


def _unfound(listing: Listing, path: str) -> str:
    """Why its own imports would not be found from the root of the repository; empty where they would."""
    module, folder = listing.module(path), PurePosixPath(path).parent
    first = set()
    for node in module.body if module is not None else []:
        if isinstance(node, ast.Import):
            first |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            first.add(node.module.partition(".")[0])
    roots = [PurePosixPath("."), PurePosixPath("src")]
    for name in sorted(first):
        if any(_there(listing, root, name) for root in roots):
            continue
        above = next(
            (one for one in (folder, *folder.parents) if one not in roots and _there(listing, one, name)), None
        )
        if above is not None:
            return f"it imports {name}, which is found from {above}/ alone, not from the root"
    return ""


def _there(listing: Listing, folder: PurePosixPath, name: str) -> bool:
    file, inside = str(folder / f"{name}.py"), f"{folder / name}/"
    return file in listing.paths or any(path.startswith(inside) for path in listing.paths)


def _predict(listing: Listing, path: str, made: Collection[str], taken: list[str]) -> Proposed | None:
    module, name = listing.module(path), programs.module_name(path, listing.paths)
    functions = [one for one in module.body if isinstance(one, ast.FunctionDef)] if module is not None else []
    node = next((one for one in functions if one.name == "predict"), None)
    if node is None or name is None:
        return None
    first, *uses = _required(node) or [""]
    called = _called(name, taken)
    lines = [f"[services.{called}]", f"predict = {quoted(f'{name}:predict')}"]
    if uses:
        lines.append(f"uses = [{', '.join(quoted(one) for one in uses)}]")
    unknown = [one for one in uses if one not in made]
    doubt = _unimportable(name) or _unfound(listing, path)
    if not _takes_rows(node):
        doubt = (
            f"Ciranda gives it a list of rows, and learns what a row is from predict({first or 'rows'}: list[Row], …)"
        )
    elif unknown:
        doubt = f"it takes {', '.join(unknown)}, which no step or source makes"
    if not doubt:
        taken.append(called)
    return Proposed("services", tuple(lines), f"{path} has a function predict", doubt)


def _takes_rows(node: ast.FunctionDef) -> bool:
    """Whether its first parameter is annotated as a list or a sequence."""
    first = next(iter([*node.args.posonlyargs, *node.args.args]), None)
    said = "" if first is None or first.annotation is None else ast.unparse(first.annotation)
    return said.rpartition(".")[2].startswith(("list[", "List[", "Sequence[")) or said.startswith(("list[", "List["))


def _unimportable(module: str) -> str:
    """Why no import statement can name it; empty where one can."""
    bad = next((part for part in module.split(".") if not part.isidentifier()), None)
    return "" if bad is None else f"{bad or 'it'} is not a name that Python can import"


def _procfile(listing: Listing, needs: Needs, taken: list[str], *, served: bool) -> Iterator[Proposed]:
    for line in listing.text("Procfile").splitlines() if "Procfile" in listing.paths else ():
        kind, between, command = line.partition(":")
        command = command.strip()
        if not between or not command or not re.fullmatch(r"[A-Za-z0-9_-]+", kind.strip()):
            continue
        if kind.strip() != "web":
            doubt = "Ciranda runs services that answer requests, and jobs; this is neither by itself"
        elif served:
            doubt = "the application above is the same, without a server to look after"
        else:
            doubt = (
                ""
                if needs.file or not command.startswith(("python", "gunicorn", "uvicorn"))
                else needs.lack(command.split()[0])
            )
        name = service_name(kind.strip(), taken, names.RESERVED)
        if not doubt:
            taken.append(name)
        lines = (f"[services.{name}]", f"command = {quoted(_command(command))}")
        yield Proposed("services", lines, f"Procfile starts {kind.strip()}", doubt)


def _dockerfile(listing: Listing, *, served: bool) -> Iterator[Proposed]:
    for path in listing.paths:
        if PurePosixPath(path).name != "Dockerfile":
            continue
        text = re.sub(r"\\\n", " ", listing.text(path))
        said = re.findall(r"^\s*CMD\s+(.+)$", text, re.MULTILINE | re.IGNORECASE)
        if not said:
            continue
        try:
            words = json.loads(said[-1])
            command = (
                shlex.join(words)
                if isinstance(words, list) and all(isinstance(one, str) for one in words)
                else said[-1]
            )
        except ValueError:
            command = said[-1].strip()
        name = service_name(PurePosixPath(path).parent.name or "web", (), names.RESERVED)
        doubt = (
            "the application above is the same"
            if served
            else "it ran in a container: it must listen on the port that PORT names"
        )
        lines = (f"[services.{name}]", f"command = {quoted(_command(command))}")
        yield Proposed("services", lines, f"{path} starts this", doubt)


def _command(command: str) -> str:
    """A command line without a shell, which Ciranda starts without one."""
    plain = not re.search(r"[$&|;<>*`]", command)
    try:
        whole = bool(shlex.split(command))
    except ValueError:
        whole = False
    return command if plain and whole else f"sh -c {shlex.quote(f'exec {command}')}"
