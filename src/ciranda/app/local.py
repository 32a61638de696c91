"""The composer of local runs: a project's folder, the home, and the engine between them; no server is needed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.app import nearest
from ciranda.kernel import confine, errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.pipeline import engine, explain, records, tree
from ciranda.project import declaration, read


@dataclass(frozen=True)
class Local:
    """A project's folder and the opened home."""

    home: homes.Home
    database: Database
    store: Store
    project: declaration.Project
    folder: Path
    live: Mapping[str, records.Version]

    @property
    def parts(self) -> engine.Parts:
        return engine.Parts(self.store, self.database, self.home.interpreters, self.home.runs)

    def request(self, parameters: Mapping[str, Any], jobs: int = 0) -> engine.Request:
        """What a run by hand asks for."""
        return engine.Request(
            project=self.project,
            tree=tree.working(self.folder),
            trigger="by hand",
            actor=nearest.actor(),
            live=self.live,
            parameters=parameters,
            trust="local",
            confine=confine.available(),
            jobs=jobs,
        )

    def run(self, request: engine.Request, report: Callable[[engine.Report], None]) -> records.RunResult:
        """Run the pipeline. Raises as engine.run does."""
        return engine.run(request, self.parts, report)

    def explain(
        self, request: engine.Request, step: str, report: Callable[[engine.Report], None]
    ) -> explain.Explanation:
        """Why a step would run again, or would not. Raises as explain.explain does."""
        return explain.explain(request, self.parts, step, report)


@contextmanager
def opened(named: str | None, start: Path, *, create: bool) -> Iterator[Local]:
    """The project around a folder and the home (`--home`, `$CIRANDA_HOME` or the default).

    `create`: a home that is not there is made. Raises errors.NotFound without a project or a home, errors.Invalid.
    """
    folder = root(start)
    project = read.read(folder)
    home = homes.locate(named)
    if create and not (home.root / "format").exists():
        homes.create(home)
    with homes.opened(home) as (database, store):
        yield Local(home, database, store, project, folder, {})


def root(start: Path) -> Path:
    """The closest folder with a `ciranda.toml`, here or above. Raises errors.NotFound."""
    if (found := nearest.folder(start)) is not None:
        return found
    raise errors.NotFound(
        f"there is no {read.FILE} here or above", where=str(start), hint="make a project: ciranda init"
    )
