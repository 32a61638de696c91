"""What a run tells while it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass

from ciranda.pipeline.records import Outcome, StepResult
from ciranda.project.values import Kind


@dataclass(frozen=True, slots=True)
class Started:
    """The graph is known; `steps` counts sources too, `checks` are the names of the checks of each asset."""

    run: str
    steps: int
    checks: Mapping[str, tuple[str, ...]]
    confined: bool
    why: str = ""  # why it is not confined


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A worker runs this step now; `about` is how long it took the last time, in seconds."""

    step: str
    kind: Kind
    about: float | None


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step or source has ended, or was found unchanged; `again` when it is tried once more."""

    result: StepResult
    kind: Kind
    files: int = 0  # of a source
    again: bool = False


@dataclass(frozen=True, slots=True)
class CheckDone:
    """A check has ended, or its outcome was known."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class LogLine:
    """Text that a step or check wrote; `step` is empty while the pipeline is imported."""

    step: str
    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person should know."""

    text: str


Report = Started | StepStarted | StepDone | CheckDone | LogLine | Note
