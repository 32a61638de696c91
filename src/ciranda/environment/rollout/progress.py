"""How far a rollout is: frozen records, as the ledger keeps them and as a decision makes the next of the last."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ciranda.monitor.judge import judge
from ciranda.monitor.judge import state as judges
from ciranda.monitor.judge.state import Judgement
from ciranda.monitor.judge.tally import Tally
from ciranda.project.rollout import Rollout
from ciranda.service.counters import Counted

State = Literal["running", "paused", "waiting", "failed", "aborted", "passed"]
BACK: tuple[State, ...] = ("failed", "aborted")
ENDED: tuple[State, ...] = (*BACK, "passed")


@dataclass(frozen=True, slots=True)
class Count:
    """What the gateway has counted of one release on one route, ever."""

    requests: int = 0
    errors: int = 0
    histogram: tuple[int, ...] = ()

    @property
    def tally(self) -> Tally:
        """As the judge reads it."""
        return Tally(self.requests, self.errors, self.histogram)


@dataclass(frozen=True, slots=True)
class Side:
    """One release on one route: what the counters said last, and what of it counts since the rollout began."""

    seen: Count = Count()
    total: Count = Count()


@dataclass(frozen=True, slots=True)
class Watched:
    """One service that both releases have, and what its judge keeps."""

    canary: Side
    control: Side
    judge: judges.State

    @property
    def judgement(self) -> Judgement:
        """What is known of it now."""
        return judge.judged(self.judge)


@dataclass(frozen=True, slots=True)
class Progress:
    """A rollout that has begun. `step` is a place in the rules' steps; `reason` says why it failed or waits, `actor` who spoke last."""

    state: State
    step: int
    began_us: int
    stepped_us: int  # since when it is at this step, or goes on at it
    looked_us: int
    services: Mapping[str, Watched] = field(default_factory=dict)
    actor: str = ""
    reason: str = ""
    ways: str = ""  # how each step before was left: p it passed, q it was quiet, h by hand


@dataclass(frozen=True, slots=True)
class Counts:
    """The counters of a home at one moment, by route and release."""

    counted: Mapping[tuple[str, str], Counted] = field(default_factory=dict)

    def of(self, prefix: str, release: str) -> Count:
        """Of one release on one route. Tries that went on elsewhere were requests, too: each may have been an error."""
        found = self.counted.get((prefix, release))
        return Count() if found is None else Count(found.requests + found.elsewhere, found.errors, found.histogram)


@dataclass(frozen=True, slots=True)
class Entering:
    """A target that enters by steps: by which rules, and how far it is. `counts` only when the judge is to look."""

    rules: Rollout
    progress: Progress | None = None
    held: bool = False
    counts: Counts | None = None


@dataclass(frozen=True, slots=True)
class BeginRollout:
    """Record the rollout of a target at its first step, before any request goes to it."""

    revision: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class KeepRollout:
    """Record what the judge has seen and, when `fact` names one, what happened: stepped, waits or failed."""

    revision: str
    before: Progress
    after: Progress
    weight: int  # percent, from now on
    fact: Literal["", "stepped", "waits", "failed"] = ""


def services_document(services: Mapping[str, Watched]) -> dict[str, Any]:
    """The services as JSON values."""
    return {
        name: {"canary": asdict(one.canary), "control": asdict(one.control), "judge": one.judge.document()}
        for name, one in services.items()
    }


def read_services(found: Mapping[str, Any]) -> dict[str, Watched]:
    """What `services_document` gave. Raises errors.Corrupt for a judge that is none."""
    return {
        name: Watched(_side(one["canary"]), _side(one["control"]), judges.read(one["judge"]))
        for name, one in found.items()
    }


def _side(found: Mapping[str, Any]) -> Side:
    return Side(_count(found["seen"]), _count(found["total"]))


def _count(found: Mapping[str, Any]) -> Count:
    return Count(found["requests"], found["errors"], tuple(found["histogram"]))
