"""What there is in a home, for people who look: assets with their versions, runs, evidence, rows."""

import re
from dataclasses import dataclass
from typing import Any

from ciranda.checks import verdicts
from ciranda.kernel import digest, errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.pipeline import profile, references, runs
from ciranda.pipeline.records import Outcome, StepResult, Version
from ciranda.project import names

_RUN = re.compile(r"run-([1-9][0-9]{0,17})\Z")
_TEXT = 2000  # characters of a text that are shown


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset as one run had it, with the outcomes of its checks."""

    result: StepResult
    run: runs.Run
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Gate:
    """What a change's gate made of a check: the change's number, and the verdicts (`checks/gate.py: as_mapping`)."""

    change: int
    verdicts: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Inside:
    """What a version holds, as far as it can be shown without loading anything of the project's.

    `schema` are columns with their types; `rows` the first ones; `files` the paths of a folder; `text` anything else.
    """

    schema: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    files: tuple[tuple[str, int], ...] = ()
    text: str = ""


def run_number(named: str) -> int | None:
    """The number in `run-119`; None for another name."""
    found = _RUN.match(named)
    return int(found[1]) if found else None


def run(database: Database, project: str, named: str | None) -> runs.Run:
    """A run by its name, or the last one. Raises errors.NotFound."""
    if named is not None:
        number = run_number(named)
        if number is None:
            raise errors.NotFound(
                f'"{named}" is not the name of a run', hint="a run is called run-7; what there is: ciranda show"
            )
        return runs.get(database, project, number)
    found = runs.history(database, project, 1)
    if not found:
        raise errors.NotFound(f"{project} has not run yet", hint="run it: ciranda run")
    return found[0]


def assets(database: Database, found: runs.Run) -> list[Asset]:
    """Every asset of a run, in its order."""
    outcomes = runs.outcomes(database, found)
    return [
        Asset(step, found, tuple(each for each in outcomes if each.asset == step.step))
        for step in runs.steps(database, found)
    ]


def asset(database: Database, project: str, named: str) -> Asset:
    """An asset by `name` (of the last run that has it) or `name@run-119`. Raises errors.NotFound."""
    name, at, run_name = named.partition("@")
    looked = [run(database, project, run_name)] if at else runs.history(database, project, 20)
    known: dict[str, None] = {}
    for each in looked:
        for found in assets(database, each):
            known[found.result.step] = None
            if found.result.step == name and (at or found.result.version is not None):
                return found
    if not looked:
        raise errors.NotFound(f"{project} has not run yet", hint="run it: ciranda run")
    where = f"{run_name} has" if at else "the last run has" if len(looked) == 1 else f"the last {len(looked)} runs have"
    known_text = f"what there is: {', '.join(known) or 'nothing'}"
    hint = "        ".join(part for part in (names.suggestion(name, known), known_text) if part)
    raise errors.NotFound(f'{where} no asset "{name}"', hint=hint)


def gate(database: Database, found: Asset, check: str) -> Gate | None:
    """What the base's body or the base's bounds made of a check where that is not what the run itself found; else None."""
    change = changes.of_run(database, found.run.id)
    if change is None:
        return None
    own = next((each for each in found.outcomes if each.check == check), None)
    said = {True: "pass", False: "fail", None: "inconclusive"}[own.passed] if own else ""
    other = [
        verdict
        for verdict in verdicts.of(database, change.id)
        if (verdict["check"], verdict["subject"]) == (check, found.result.step)
        and (verdict["body"] == "base" or verdict["judgement"] not in (said, "warn"))
    ]
    return Gate(change.number, tuple(other)) if other else None


def inside(store: Store, version: Version, rows: int) -> Inside:
    """What a version holds. A pickle is not loaded. Raises errors.Corrupt, errors.NotFound."""
    match version.codec:
        case "files" | "folder":
            return Inside(files=tuple((path, store.size(inner)) for path, inner, _ in store.listing(version.digest)))
        case "reference":
            listed = references.entries(store, version.digest)
            return Inside(files=tuple((f"{one.place}  {references.short(one.pin)}", one.size or 0) for one in listed))
        case "parquet":
            return _table(store, version, rows)
        case "json" | "text":
            text = store.get(version.digest)[: _TEXT * 4].decode("utf-8", "replace")
            return Inside(text=text if len(text) <= _TEXT else text[:_TEXT] + "…")
        case "npy":
            return Inside(text=_array(store.get(version.digest)[:1024]))
        case "pickle":
            return Inside(text="a pickled object; Ciranda does not load it")
        case codec:
            return Inside(text=f"bytes ({codec})")


def evidence(store: Store, name: str | None) -> dict[str, Any] | None:
    """The count, columns and rows that a check kept, by the digest of its evidence; None when it kept none."""
    if name is None:
        return None
    kept: dict[str, Any] = digest.parse(store.get(name))
    return kept


def _table(store: Store, version: Version, rows: int) -> Inside:
    table = profile.frame(store, version)
    schema, head = table.collect_schema(), table.head(rows).collect()
    return Inside(tuple((name, str(kind)) for name, kind in schema.items()), tuple(head.rows()))


def _array(head: bytes) -> str:
    """The header of a .npy file (NumPy format 1 to 3): its dtype and shape, without numpy."""
    start = head.find(b"{")
    return head[start : head.find(b"}", start) + 1].decode("latin-1") if head.startswith(b"\x93NUMPY") else "an array"
