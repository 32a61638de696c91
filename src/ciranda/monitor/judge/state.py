"""What the judge keeps between two looks: small, frozen, and plain JSON when it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ciranda.kernel import errors
from ciranda.monitor.judge.tally import NOTHING, Pair, Sum, Tally, trimmed

FORMAT = "ciranda.judge/1"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a release is judged by on one route."""

    objective: float = 0.01  # the share of requests that may fail
    tolerated: float = 2.0  # times the control's share of errors that passes where the objective cannot tell
    slower: float = 1.5  # times the control's latency from which on it is a fault
    budget: float = 0.01  # the chance that a good release is ever failed; its services share it
    doubt: float = 0.05  # the chance that a step passes a release that it should not
    enough: int = 100  # requests of the canary without which no step passes
    metrics: tuple[str, ...] = ()  # the names of all that `look` may be given
    canary: str = "the canary"
    control: str = "what ran before"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was compared. `spent` goes from 0 to 1, where it fails the release; `text` says it to people."""

    name: str  # "errors", "latency p99", or a metric's
    canary: float  # share of requests, seconds, or the metric's mean
    control: float
    bound: (
        float  # of errors: the most that the canary's share may be; else where the canary's value begins to be a fault
    )
    spent: float
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge says of a release now. A release that failed stays failed; a pass is of the step that runs."""

    outcome: Literal["fail", "pass", "unsure"]
    reason: str
    evidence: tuple[Evidence, ...] = ()

    def document(self) -> dict[str, Any]:
        return asdict(self) | {"evidence": [asdict(one) for one in self.evidence]}


@dataclass(frozen=True, slots=True)
class Bursts:
    """How the errors of a step came, look by look, so that those that come together count for less."""

    looks: int = 0  # that found errors
    squares: float = 0.0  # over these, the square of the canary's, divided by all

    def after(self, canary: int, control: int) -> "Bursts":
        """With one look more, that found so many errors."""
        if not canary + control:
            return self
        return Bursts(self.looks + 1, self.squares + canary**2 / (canary + control))


@dataclass(frozen=True, slots=True)
class Window:
    """Since when evidence of errors is collected: anew when it had shown the canary to be no worse."""

    number: int = 1
    began: tuple[Tally, Tally] = (NOTHING, NOTHING)  # canary and control then, or when the step began if that was later
    shown: tuple[float, ...] = ()  # its evidence of the steps before, by odds
    errors: int = 0  # the canary's when it began
    looks: int = 0  # in it that found errors of the canary


QUIET, FIRST = Bursts(), Window()


@dataclass(frozen=True, slots=True)
class State:
    """Counts at the last look, at the beginning of the step, and what the steps before it have shown."""

    rules: Rules
    share: float = 0.0  # of the requests that go to the canary in this step; 0 before the first look
    step: int = 0  # how many steps have begun
    canary: Tally = NOTHING
    control: Tally = NOTHING
    began: tuple[Tally, Tally] = (NOTHING, NOTHING)  # canary and control when this step began
    timed: tuple[Tally, Tally] | None = None  # the same, since when times are judged; None while the canary is cold
    timings: int = 0  # how many times they began to be judged
    window: Window = FIRST
    alone: tuple[int, int] = (0, 0)  # requests and errors of steps before without a control
    bursts: Bursts = QUIET  # of this step
    spread: float = 1.0  # how much errors came together in the last step with a control
    metrics: Mapping[str, Pair] = field(default_factory=dict)
    metrics_began: Mapping[str, tuple[Sum, Sum]] = field(default_factory=dict)
    failed: Judgement | None = None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "format": FORMAT,
            "rules": asdict(self.rules) | {"metrics": list(self.rules.metrics)},
            "share": self.share,
            "step": self.step,
            "canary": _tally(self.canary),
            "control": _tally(self.control),
            "began": [_tally(one) for one in self.began],
            "timed": None if self.timed is None else [_tally(one) for one in self.timed],
            "timings": self.timings,
            "window": asdict(self.window) | {"began": [_tally(one) for one in self.window.began]},
            "alone": list(self.alone),
            "bursts": [self.bursts.looks, self.bursts.squares],
            "spread": self.spread,
            "metrics": {name: asdict(pair) for name, pair in self.metrics.items()},
            "metrics_began": {name: [_sum(one) for one in both] for name, both in self.metrics_began.items()},
            "failed": None if self.failed is None else self.failed.document(),
        }


def read(document: Mapping[str, Any]) -> State:
    """A state from its JSON. Raises errors.Corrupt when it is none."""
    if document.get("format") != FORMAT:
        raise errors.Corrupt(f"this is no state of a judge: {document.get('format')!r}")
    try:
        return _state(document)
    except (KeyError, TypeError, ValueError) as error:
        raise errors.Corrupt(f"the state of a judge cannot be read: {error!r}") from error


def _state(document: Mapping[str, Any]) -> State:
    timed, failed, window = document["timed"], document["failed"], document["window"]
    return State(
        Rules(**document["rules"] | {"metrics": tuple(document["rules"]["metrics"])}),
        document["share"],
        document["step"],
        _read_tally(document["canary"]),
        _read_tally(document["control"]),
        _two(document["began"]),
        None if timed is None else _two(timed),
        document["timings"],
        Window(**window | {"began": _two(window["began"]), "shown": tuple(window["shown"])}),
        (document["alone"][0], document["alone"][1]),
        Bursts(*document["bursts"]),
        document["spread"],
        {name: _read_pair(pair) for name, pair in document["metrics"].items()},
        {name: (Sum(*both[0]), Sum(*both[1])) for name, both in document["metrics_began"].items()},
        None
        if failed is None
        else Judgement(failed["outcome"], failed["reason"], tuple(Evidence(**one) for one in failed["evidence"])),
    )


def _tally(one: Tally) -> list[Any]:
    return [one.requests, one.errors, trimmed(one.histogram)]


def _sum(one: Sum) -> list[float]:
    return [one.count, one.total]


def _read_tally(written: Sequence[Any]) -> Tally:
    return Tally(written[0], written[1], tuple(written[2]))


def _two(written: Sequence[Sequence[Any]]) -> tuple[Tally, Tally]:
    return _read_tally(written[0]), _read_tally(written[1])


def _read_pair(written: Mapping[str, Any]) -> Pair:
    return Pair(**{**written, "canary": Sum(**written["canary"]), "control": Sum(**written["control"])})
