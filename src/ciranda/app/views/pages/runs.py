"""One run: its steps and checks, its graph, and what its steps wrote."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.app import looking
from ciranda.app.views.pages import graph
from ciranda.kernel import lines
from ciranda.kernel.database import Database
from ciranda.loop import changes
from ciranda.pipeline import runs

LONGEST = 256 << 10  # bytes of a log that are shown: the last ones


@dataclass(frozen=True, slots=True)
class Told:
    """A run. `right` and `down` are its graph drawn in two directions; None where it has too many steps to be seen."""

    run: runs.Run
    assets: tuple[looking.Asset, ...]
    takes: Mapping[str, tuple[str, ...]]
    right: graph.Drawing | None
    down: graph.Drawing | None
    change: changes.Change | None
    same_as: runs.Run | None  # the run whose steps these are, when nothing had changed since
    wrote: bool  # whether there is a log


def gather(database: Database, folder: Path, project: str, number: int) -> Told:
    """One run; `folder` has the runs' own. Raises errors.NotFound."""
    run = runs.get(database, project, number)
    assets = tuple(looking.assets(database, run))
    names = [asset.result.step for asset in assets]
    known = set(names)
    takes = {step: tuple(name for name in given if name in known) for step, given in runs.takes(database, run).items()}
    drawn = 1 < len(names) <= graph.MOST
    return Told(
        run,
        assets,
        takes,
        graph.draw(names, takes) if drawn else None,
        graph.draw(names, takes, down=True) if drawn else None,
        changes.of_run(database, run.id),
        None if run.steps_of is None else runs.by_id(database, run.steps_of),
        (folder / run.id / "log.jsonl").exists(),
    )


@dataclass(frozen=True, slots=True)
class Log:
    """What the steps of a run wrote, oldest first; `cut`: the beginning is left out."""

    run: runs.Run
    records: tuple[Mapping[str, Any], ...]
    cut: bool


def log(database: Database, folder: Path, project: str, number: int) -> Log:
    """The end of a run's log. Raises errors.NotFound for no run."""
    run = runs.get(database, project, number)
    path = folder / run.id / "log.jsonl"
    size = path.stat().st_size if path.exists() else 0
    offset = max(0, size - LONGEST)
    found = lines.follow(path, offset=offset, stop=lambda: True, wait=lambda _: None)
    return Log(run, tuple(record for record in found if "text" in record), offset > 0)
