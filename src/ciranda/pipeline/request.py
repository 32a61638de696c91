"""What a run is asked for, and the parts of the home that it works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ciranda.kernel import outbound
from ciranda.kernel.confine import Availability
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.pipeline.records import Version
from ciranda.pipeline.tree import Tree
from ciranda.project.declaration import Project


@dataclass(frozen=True, slots=True)
class Request:
    """One run: of which project and tree, why, for whom, and how."""

    project: Project
    tree: Tree
    trigger: str  # "by hand", "change 7"
    actor: str
    live: Mapping[str, Version] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)  # "step.parameter" → JSON value
    trust: str = "local"  # who makes the results: "local", "protected" …
    confine: Availability | bool = True
    jobs: int = 0  # workers; 0: as many as there are cores
    accepts: frozenset[str] | None = None  # trust levels whose results are taken; None: all
    pins: Mapping[str, Version] = field(default_factory=dict)  # of references by source; one without is listed anew
    reach: outbound.Reach = outbound.EVERYWHERE  # what URLs may be asked for
    only: tuple[str, ...] = ()  # assets: what they need is made and checked, nothing else; empty: everything


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a home: `runs` lies in the home itself, which workers do not see."""

    store: Store
    database: Database
    interpreters: Path
    runs: Path

    @property
    def home(self) -> Path:
        return self.runs.parent
