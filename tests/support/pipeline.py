"""Descriptions, steps and checks for tests of the pipeline, and runs of the engine on a real store and ledger."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.kernel import process
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.pipeline import engine, records, reports, tree
from ciranda.project import read


def step(name: str, *takes: str, **more: Any) -> records.Step:
    """A step of `pipeline.py` that takes these assets."""
    inputs = tuple(records.Input(taken, taken, None, "") for taken in takes)
    given = {"kind": "step", "file": "pipeline.py", "line": 0, "inputs": inputs, "parameters": {}, "returns": ""} | more
    return records.Step(name=name, function=f"pipeline:{name}", **given)


def check(name: str, asset: str, *, live: str | None = None, **more: Any) -> records.Check:
    """A check of an asset, which it takes; with `live` it takes a live version too."""
    inputs = [records.Input(asset, asset, None, "")]
    inputs += [records.Input("now", live, "live", "")] if live else []
    given = {"file": "pipeline.py", "line": 0, "inputs": tuple(inputs), "parameters": {}} | more
    return records.Check(name=name, asset=asset, function=f"pipeline:{name}", **given)


def description(
    steps: Sequence[records.Step],
    checks: Sequence[records.Check] = (),
    modules: dict[str, tuple[str, ...]] | None = None,
) -> records.Description:
    """What `describe` would say; nodes without a line stand on lines 1, 2, 3 …"""
    numbered = itertools.count(1)

    def placed(node: Any) -> Any:
        kept = {name: getattr(node, name) for name in node.__dataclass_fields__}
        return type(node)(**{**kept, "line": node.line or next(numbered)})

    return records.Description(
        steps=tuple(placed(each) for each in steps),
        checks=tuple(placed(each) for each in checks),
        modules=modules or {"pipeline.py": ()},
        distributions={"numpy": "2.4.6"},
        imports={},
        python="3.11",
        platform="linux-x86_64",
    )


@dataclass
class Bench:
    """A project folder without Git, and an opened home."""

    folder: Path
    database: Database
    store: Store
    parts: engine.Parts
    told: list[engine.Report] = field(default_factory=list)

    def write(self, **files: str) -> None:
        """Files by name; `__` in a name is a slash, the last `_` a dot: `data__raw_txt`."""
        for name, text in files.items():
            path = self.folder / ".".join(name.replace("__", "/").rsplit("_", 1))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def request(self, **more: Any) -> engine.Request:
        given: dict[str, Any] = {"trigger": "a test", "actor": "ada", "confine": False, "jobs": 2} | more
        where = given.pop("tree", None) or tree.working(self.folder)
        return engine.Request(project=read.read(self.folder), tree=where, **given)

    def run(self, **more: Any) -> records.RunResult:
        self.told.clear()
        return engine.run(self.request(**more), self.parts, self.told.append)

    def value(self, result: records.RunResult, asset: str) -> bytes:
        """The bytes of an asset of a run."""
        return self.store.get(result.assets[asset].digest)

    def notes(self) -> list[str]:
        return [report.text for report in self.told if isinstance(report, reports.Note)]


@contextmanager
def bench(root: Path, pipeline: str, *, toml: str = "", ledger: str | None = None, **files: str) -> Iterator[Bench]:
    """A bench with a `pipeline.py`; `toml` follows `[project]` in `ciranda.toml`."""
    folder = root / "project"
    folder.mkdir(parents=True)
    home = homes.Home(root / "home")
    if not (home.root / "format").exists():
        homes.create(home, ledger)
    with homes.opened(home) as (database, store):
        made = Bench(folder, database, store, engine.Parts(store, database, home.interpreters, home.runs))
        (folder / "pipeline.py").write_text(pipeline)
        (folder / "ciranda.toml").write_text(f'[project]\nname = "toy"\npipeline = "pipeline.py"\n{toml}')
        made.write(**files)
        yield made


@contextmanager
def bench_again(root: Path) -> Iterator[Bench]:
    """The bench that was made there before."""
    home = homes.Home(root / "home")
    with homes.opened(home) as (database, store):
        yield Bench(root / "project", database, store, engine.Parts(store, database, home.interpreters, home.runs))


def until(there: Callable[[], bool], seconds: float = 20.0) -> None:
    """Look until it is so."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    """Whether a process has not ended."""
    return process.of(pid) is not None


def states(result: records.RunResult) -> dict[str, str]:
    """What became of each step."""
    assert result.problem is None, result.problem
    return {step.step: step.state for step in result.steps}
