"""One change: its lines, its verdicts with the rows that are wrong, and what came of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.app import looking
from ciranda.checks import verdicts
from ciranda.environment import revisions
from ciranda.kernel import errors, lines
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.pipeline import runs
from ciranda.release import releases

LONGEST = 500  # lines of a change that are shown: the last ones


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict (`checks/gate.py: as_mapping`) with the evidence that was kept of it."""

    told: Mapping[str, Any]
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    lost: str = ""  # why the evidence cannot be shown


@dataclass(frozen=True, slots=True)
class Told:
    """A change and everything that hangs on it. `left_out`: lines before the first one that is shown."""

    change: changes.Change
    lines: tuple[str, ...]
    left_out: int
    verdicts: tuple[Verdict, ...]
    run: runs.Run | None
    release: releases.Release | None
    revisions: tuple[revisions.Revision, ...]


def gather(database: Database, store: Store, folder: Path, project: str, number: int) -> Told:
    """One change; `folder` has the lines. Raises errors.NotFound."""
    change = changes.numbered(database, project, number)
    said = _lines(folder / f"{change.id}.jsonl")
    release = None if change.release is None else releases.by_id(database, change.release)
    return Told(
        change,
        tuple(said[-LONGEST:]),
        max(0, len(said) - LONGEST),
        tuple(_verdicts(database, store, change)),
        None if change.run is None else runs.by_id(database, change.run),
        release,
        () if release is None else tuple(revisions.where(database, release.id, 10)),
    )


def _lines(path: Path) -> list[str]:
    records = lines.follow(path, stop=lambda: True, wait=lambda _: None)
    return [line for record in records for line in str(record.get("text", "")).splitlines()]


def _verdicts(database: Database, store: Store, change: changes.Change) -> Iterable[Verdict]:
    for told in verdicts.of(database, change.id):
        if told["judgement"] == "pass" or not told["evidence"]:
            yield Verdict(told)
            continue
        try:
            kept = looking.evidence(store, told["evidence"]) or {}
        except (errors.NotFound, errors.Corrupt) as error:
            yield Verdict(told, lost=str(error))
            continue
        yield Verdict(told, tuple(kept.get("columns", ())), tuple(tuple(row) for row in kept.get("rows", ())))
