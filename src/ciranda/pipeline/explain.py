"""Why a step runs again: the parts of its key held against those of its last result."""

import json
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ciranda.kernel import digest, errors, statements
from ciranda.kernel.store import Store
from ciranda.pipeline import engine, key, modules, prepare
from ciranda.pipeline.fingerprint import Module
from ciranda.pipeline.records import Check, Step
from ciranda.project import names

sql = statements.load("ciranda.pipeline")
_NONE = object()  # what a parameter that is not there is


@dataclass(frozen=True, slots=True)
class Change:
    """One part of the key that is another one now: of which kind, what changed, and how."""

    kind: Literal["code", "file", "parameter", "input", "distribution", "python", "platform", "store"]
    what: str
    how: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a step would run again, or that it would not; `same` are the other parts, `run` is who made it last."""

    step: str
    state: Literal["new", "unchanged", "changed", "known"]  # known: made before, though not last
    changes: tuple[Change, ...]
    same: tuple[str, ...]
    run: int | None = None
    made_us: int | None = None
    seconds: float | None = None


def explain(
    request: engine.Request, parts: engine.Parts, step: str, report: Callable[[engine.Report], None]
) -> Explanation:
    """Hold a step against its last result. Raises errors.NotFound for no step, errors.Refused when there is no graph."""
    prepared, looked = engine.look(request, parts, report)
    if step not in looked:
        hint = names.suggestion(step, looked) or f"the steps: {', '.join(looked) or 'none'}"
        raise errors.NotFound(f'no step is called "{step}"', where=request.project.pipeline or "", hint=hint)
    now = looked[step]
    row = parts.database.one(sql.latest_result, project=request.project.name, asset=step)
    if row is None:
        return Explanation(step, "new", (), ())
    numbered = parts.database.one(sql.run_number, id=row["run"])
    made = (numbered["number"] if numbered else None, row["made_us"], row["seconds"])
    before = json.loads(row["parts"])
    changes, same = _compare(now, before, prepared, parts)
    if now.known is not None:
        state: Literal["unchanged", "known"] = "known" if changes else "unchanged"
        return Explanation(step, state, tuple(changes), tuple(same), *made)
    if now.parts is not None and now.parts.key == row["key"]:
        changes.append(Change("store", step, "what it made is not in the store any more"))
    return Explanation(step, "changed", tuple(changes), tuple(same), *made)


def _compare(
    now: engine.Looked, before: Mapping[str, Any], prepared: prepare.Prepared, parts: engine.Parts
) -> tuple[list[Change], list[str]]:
    changes, same = [], []
    code = prepared.fingerprints.of(now.step)
    fresh = _code(now.step, before, prepared, parts, files=code.files)
    changes += fresh
    if not fresh:
        same.append("code")
    if now.parts is not None:
        for part in (_parameters, _inputs):
            found, equal = part(now.parts, before)
            changes += found
            same += equal
    for asset in now.waits_for:
        changes.append(Change("input", asset, f"runs again first: ciranda explain {asset}"))
    found, equal = _distributions(prepared, before, parts.store, code.modules)
    changes += found
    same += equal
    for kind in ("python", "platform"):
        was, is_now = before[kind], getattr(prepared.around, kind)
        if was != is_now:
            changes.append(Change("python" if kind == "python" else "platform", kind, f"{was} → {is_now}"))
    return changes, same


def _parameters(now: key.Parts, before: Mapping[str, Any]) -> tuple[list[Change], list[str]]:
    was, is_now = before["parameters"], dict(now.parameters)
    changed = [name for name in {**was, **is_now} if was.get(name, _NONE) != is_now.get(name, _NONE)]
    told = [f"{name}={json.dumps(value)}" for name, value in is_now.items() if name not in changed]
    return (
        [Change("parameter", name, f"{_shown(was, name)} → {_shown(is_now, name)}") for name in changed],
        [f"parameters {', '.join(told)}"] if told else [],
    )


def _inputs(now: key.Parts, before: Mapping[str, Any]) -> tuple[list[Change], list[str]]:
    was, is_now = before["inputs"], dict(now.inputs)
    changes, same = [], []
    for name in {**was, **is_now}:
        old, new = was.get(name), is_now.get(name)
        if old == new:
            same.append(f"input {name} {_brief(new)}")
        elif old is None:
            changes.append(Change("input", name, "is taken now"))
        elif new is None:
            changes.append(Change("input", name, "is not taken any more"))
        else:
            changes.append(Change("input", name, f"{_brief(old)} → {_brief(new)}"))
    return changes, same


def _distributions(
    prepared: prepare.Prepared, before: Mapping[str, Any], store: Store, closure: Sequence[str]
) -> tuple[list[Change], list[str]]:
    was, is_now = _listing(store, before["distributions"]), dict(prepared.around.distributions)
    changes = [
        Change("distribution", name, f"{was.get(name, 'not there')} → {is_now.get(name, 'not there')}")
        for name in sorted({*was, *is_now})
        if was.get(name) != is_now.get(name)
    ]
    imported = sorted({name for path in closure for name in prepared.description.imports.get(path, ())})
    told = [f"{name} {is_now[name]}" for name in imported if name in is_now and was.get(name) == is_now[name]]
    return changes, [", ".join(told)] if told else []


def _code(
    step: Step, before: Mapping[str, Any], prepared: prepare.Prepared, parts: engine.Parts, *, files: str
) -> list[Change]:
    """What changed in the modules of the step, and in the files that it could read by path."""
    changes = []
    code = prepared.fingerprints.of(step)
    was, is_now = (
        _listing(parts.store, before["modules"]),
        {path: prepared.found.survey.digest(path) for path in code.modules},
    )
    if before["function"] != code.function or before["base"] != code.base:
        nodes = {(node.file, _function(node)) for node in prepared.description.steps}
        nodes |= {(node.file, _function(node)) for node in prepared.description.checks}
        nodes.discard((step.file, _function(step)))
        for left_out in (nodes, set()):
            for path in sorted({*was, *is_now}):
                if was.get(path) == is_now.get(path):
                    continue
                old = modules.kept(parts.database, was[path], before["python"]) if path in was else None
                new = prepared.fingerprints.modules.get(path)
                way = _way(prepared.description.modules, step.file, path)
                changes += [
                    Change("code", f"{path}{at}", f"{how}{way}") for at, how in _pieces(path, old, new, left_out)
                ]
            if changes:
                break
    if before["files"] != files:
        old_files = _files(parts.store, before["files"])
        new_files = {entry[0]: entry[1:] for entry in digest.parse(prepared.objects[files])}
        for path in sorted({*old_files, *new_files}):
            if old_files.get(path) != new_files.get(path):
                how = "is new" if path not in old_files else "is gone" if path not in new_files else "changed"
                changes.append(Change("file", path, how))
    return changes


def _pieces(
    path: str, old: Module | None, new: Module | None, left_out: Collection[tuple[str, str]]
) -> list[tuple[str, str]]:
    """(`:41`, `hour_of_day() changed`) of each top-level statement that is another one; of what is left out, its shell."""
    if old is None or new is None or old.pieces is None or new.pieces is None:
        return [("", "is new" if old is None else "is gone" if new is None else "changed")]

    def told(module: Module) -> dict[tuple[str, str, int], tuple[str, int]]:
        found: dict[tuple[str, str, int], tuple[str, int]] = {}
        for piece in module.pieces or ():
            shell = piece.kind == "def" and (path, piece.name) in left_out
            nth = sum(1 for known in found if known[:2] == (piece.kind, piece.name))
            found[piece.kind, piece.name, nth] = (piece.shell if shell else piece.text, piece.line)
        return found

    was, is_now = told(old), told(new)
    result = []
    for place in {**is_now, **was}:
        name = f"{place[1]}()" if place[0] == "def" else place[1] or "top level"
        if place not in was:
            result.append((f":{is_now[place][1]}", f"{name} is new"))
        elif place not in is_now:
            result.append(("", f"{name} is gone"))
        elif was[place][0] != is_now[place][0]:
            result.append((f":{is_now[place][1]}", f"{name} changed"))
    return result


def _way(imports: Mapping[str, Sequence[str]], start: str, end: str) -> str:
    """`    (pipeline.py → features.py)`: how a module is reached; empty for the step's own."""
    ways = {start: [start]}
    waiting = deque([start])
    while waiting and end not in ways:
        path = waiting.popleft()
        for inner in imports.get(path, ()):
            if inner not in ways:
                ways[inner] = [*ways[path], inner]
                waiting.append(inner)
    return f"    ({' → '.join(ways[end])})" if end != start and end in ways else ""


def _listing(store: Store, name: str) -> dict[str, str]:
    try:
        return dict(digest.parse(store.get(name)))
    except (errors.NotFound, errors.Corrupt, errors.Invalid):
        return {}


def _files(store: Store, name: str) -> dict[str, list[Any]]:
    try:
        return {entry[0]: entry[1:] for entry in digest.parse(store.get(name))}
    except (errors.NotFound, errors.Corrupt, errors.Invalid):
        return {}


def _brief(told: Any) -> str:
    name = next((part for part in told if isinstance(part, str) and part.startswith(digest.PREFIX)), None)
    return f"{name[:9]}…" if name else json.dumps(told)


def _shown(values: Mapping[str, Any], name: str) -> str:
    return json.dumps(values[name]) if name in values else "not there"


def _function(node: Step | Check) -> str:
    return node.function.partition(":")[2]
