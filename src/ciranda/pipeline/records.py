"""The records that travel between the pipeline and the rooms above it: what a project's code declares, and what a run found."""

from dataclasses import dataclass, field
from typing import Any, Literal

from ciranda.project.values import Kind


@dataclass(frozen=True, slots=True)
class Input:
    """One parameter of a function that Ciranda fills in: from an asset, or, with a marker, from elsewhere."""

    parameter: str
    asset: str
    marker: str | None  # None: an asset of that name; "live": its live version; "run": the run's own facts
    type: str  # the annotation, fully qualified ("polars.DataFrame"), or "" where there is none


@dataclass(frozen=True, slots=True)
class Step:
    """A step as `describe` found it: a function that makes the asset of its own name."""

    name: str
    kind: Kind
    function: str  # "module:qualname"
    file: str  # relative to the tree
    line: int
    inputs: tuple[Input, ...]
    parameters: dict[str, Any]  # defaults; JSON values
    returns: str  # the annotation, fully qualified, or ""
    timeout: float | None = None  # seconds
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """A test of one asset as `describe` found it."""

    name: str
    asset: str
    function: str
    file: str
    line: int
    inputs: tuple[Input, ...]
    parameters: dict[str, Any]
    at_least: float | None = None
    at_most: float | None = None
    severity: Literal["fail", "warn"] = "fail"
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """What `describe` says of a pipeline file: its graph, the project modules it loads and the distributions it needs."""

    steps: tuple[Step, ...]
    checks: tuple[Check, ...]
    modules: dict[str, tuple[str, ...]]  # project file → the project files it imports, all relative to the tree
    distributions: dict[str, str]  # name → version of every distribution imported, and of what those require
    imports: dict[str, tuple[str, ...]]  # project file → names of the distributions it imports
    python: str  # "3.11"
    platform: str  # "linux-x86_64"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an asset: an object in the store and how to hand it over."""

    asset: str
    digest: str
    key: str
    codec: str
    size: int  # bytes
    kind: Kind
    rows: int | None = None
    columns: int | None = None
    figures: dict[str, Any] = field(default_factory=dict)  # what log(...) kept with it


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a run found of one step."""

    step: str
    state: Literal["unchanged", "ran", "failed", "skipped"]
    version: Version | None
    seconds: float
    error: str | None = None  # the user's traceback, or what could not be stored


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found. `value` is a number check's number; `count` the rows that are wrong; `evidence` an object in the store."""

    check: str
    asset: str
    passed: bool | None  # None: it could not be judged (it raised, timed out or its body could not run)
    severity: Literal["fail", "warn"]
    cached: bool
    seconds: float
    count: int | None = None
    of: int | None = None  # rows of the asset
    value: float | None = None
    evidence: str | None = None  # digest of {"count", "of", "rows": at most ten, "columns"}
    message: str = ""  # one line for people
    error: str | None = None
    rules: dict[str, int] = field(default_factory=dict)  # of a schema: how many rows break each rule
    failed: int = 0  # how often it failed on the very same inputs and code, this time included
    tried: int = 0  # and how often it was run on them; a check that did both, fail and pass, is flaky

    @property
    def flaky(self) -> bool:
        """Whether it has both failed and passed on the very same inputs and code."""
        return 0 < self.failed < self.tried


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run found: `passed` is True when every step has a version; outcomes are judged elsewhere."""

    run: str  # UUIDv7
    number: int
    state: Literal["finished", "failed"]
    steps: tuple[StepResult, ...]
    outcomes: tuple[Outcome, ...]
    seconds: float
    interpreter: str  # digest
    description: Description | None = None
    problem: str | None = None  # why there is no graph: the user's traceback, a cycle, two steps making one asset

    @property
    def assets(self) -> dict[str, Version]:
        """The version of every asset that the run has."""
        return {result.version.asset: result.version for result in self.steps if result.version}
