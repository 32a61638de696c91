"""What a comparison finds."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

JENSEN_SHANNON, STABILITY, WASSERSTEIN = "jensen_shannon", "psi", "wasserstein"
DISTRIBUTION, MISSING, NEW, RANGE, TYPE, ABSENT, ADDED = (
    "distribution",
    "missing",
    "new_values",
    "range",
    "type",
    "absent",
    "added",
)


@dataclass(frozen=True, slots=True)
class Rules:
    """From when on a difference counts."""

    rows: int = 200  # of a window, and of a column's values in it, below which a distribution cannot be judged
    alarms: float = 0.001  # the chance that a window without drift has a finding
    jensen_shannon: float = 0.1  # the smallest effects that are worth telling
    psi: float = 0.1
    wasserstein: float = 0.1  # in standard deviations of the reference
    missing: float = 0.02  # difference of the shares that are missing, where the reference has some

    def least(self, measure: str) -> float:
        return {JENSEN_SHANNON: self.jensen_shannon, STABILITY: self.psi}.get(measure, self.wasserstein)


@dataclass(frozen=True, slots=True)
class Measure:
    """How far a column's distribution is from the reference's."""

    name: str  # one of the three
    value: float
    floor: float  # what chance alone reaches once in 1 / `Rules.alarms`
    least: float  # what is worth telling
    chance: float  # how probable this value is without drift


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that differs. `check` is "distribution" or the name of the exact check, which `measure` repeats."""

    column: str
    check: str
    measure: str
    value: float  # the effect size; of an exact check how many rows, or their share
    floor: float
    rows: int  # of the window
    text: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a window beside the reference's."""

    name: str
    kind: str
    state: Literal["same", "drifted", "faulty", "unsure", "uncompared"]  # faulty: an exact check failed
    measures: tuple[Measure, ...] = ()
    findings: tuple[Finding, ...] = ()
    note: str = ""  # why it is unsure or was not compared


@dataclass(frozen=True, slots=True)
class Comparison:
    """A window beside its reference. `inconclusive` says why no distribution was judged; exact checks are made always."""

    rows: int
    reference_rows: int
    columns: tuple[Column, ...]
    inconclusive: str | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them: exact checks, then distributions, the largest effects first."""
        found = [finding for column in self.columns for finding in column.findings]
        return tuple(sorted(found, key=lambda one: (one.check == DISTRIBUTION, -one.value, one.column)))

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)
