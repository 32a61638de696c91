"""What a reconcile sees and what it may do: the input and the output of the decision, frozen."""

from dataclasses import dataclass
from typing import Literal

from ciranda.environment.rollout.progress import BeginRollout, Entering, KeepRollout
from ciranda.service import port


@dataclass(frozen=True, slots=True)
class Part:
    """One service of a wanted revision: how many instances of which specification."""

    service: str
    spec: port.InstanceSpec
    digest: str
    count: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A revision as it resolves on this machine. `prepared`: tree and assets lie where the specifications say."""

    revision: str
    release: str  # "r42"
    parts: tuple[Part, ...]
    prepared: bool = True

    def part(self, service: str) -> Part | None:
        """The part of that service."""
        return next((part for part in self.parts if part.service == service), None)

    def has(self, spec: str) -> bool:
        """Whether this is the specification of one of its services."""
        return any(part.digest == spec for part in self.parts)


@dataclass(frozen=True, slots=True)
class Goal:
    """The target revision and how far it is. `problem`: why it cannot be, such as a verification that failed; `entering`: it enters
    by steps where another release is live."""

    wanted: Wanted
    created_us: int
    routed_us: int | None
    verify: Literal["none", "absent", "waiting", "passed"]
    problem: str = ""
    entering: Entering | None = None


@dataclass(frozen=True, slots=True)
class Standby:
    """A revision that was live lately: its instances stay warm until then."""

    wanted: Wanted
    until_us: int


@dataclass(frozen=True, slots=True)
class Seen:
    """An instance of this environment now. `asked`: it was told to stop; `unhealthy_us`: since when it is unhealthy."""

    id: str
    spec: str
    service: str
    release: str
    state: Literal["starting", "healthy", "unhealthy", "draining", "exited"]
    address: str
    started_us: int
    asked: bool = False
    exit: str | None = None
    unhealthy_us: int | None = None

    @property
    def running(self) -> bool:
        """It counts: it runs and nobody told it to stop."""
        return not self.asked and self.state in ("starting", "healthy", "unhealthy")

    @property
    def healthy(self) -> bool:
        """It may be routed."""
        return self.state == "healthy" and not self.asked


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit that nobody asked for."""

    instance: str
    spec: str
    at_us: int
    exit: str


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a decision depends on."""

    project: str
    environment: str
    now_us: int
    target: Goal | None = None
    live: Wanted | None = None
    standby: tuple[Standby, ...] = ()  # newest first
    instances: tuple[Seen, ...] = ()
    exits: tuple[Exit, ...] = ()  # of the last ten minutes
    routes: tuple[port.Route, ...] = ()  # as the persisted table has them
    memory_short: bool = False


@dataclass(frozen=True, slots=True)
class Prepare:
    """Write the tree and the assets of a revision."""

    revision: str


@dataclass(frozen=True, slots=True)
class Start:
    """Start one more instance."""

    spec: port.InstanceSpec
    digest: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Begin to stop an instance; `again`: that it was asked to is recorded already."""

    instance: str
    spec: str
    started_us: int
    why: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Forget:
    """An instance that was told to stop is gone."""

    instance: str


@dataclass(frozen=True, slots=True)
class RecordExit:
    """An instance is gone and nobody told it to."""

    instance: str
    spec: str
    service: str
    release: str
    started_us: int
    exit: str


@dataclass(frozen=True, slots=True)
class SetRoutes:
    """Replace the routes of the environment."""

    routes: tuple[port.Route, ...]
    why: str


@dataclass(frozen=True, slots=True)
class MarkRouted:
    """The target's instances answer."""

    revision: str


@dataclass(frozen=True, slots=True)
class PutVerify:
    """Queue the verification of the target."""

    revision: str


@dataclass(frozen=True, slots=True)
class MarkReached:
    """The target is live."""

    revision: str


@dataclass(frozen=True, slots=True)
class MarkFailed:
    """The target is not to be; what was live stays."""

    revision: str
    reason: str


Rolling = BeginRollout | KeepRollout
Marks = MarkRouted | PutVerify | MarkReached | MarkFailed
Action = Prepare | Start | Stop | Forget | RecordExit | SetRoutes | Marks | Rolling


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now, in this order. `settled`: nothing moves, so nobody needs to look again soon; `watching`: a target
    has just been routed, so its end must not go unseen for long; `rolling`: only the judge's looks move it."""

    actions: tuple[Action, ...] = ()
    settled: bool = False
    watching: bool = False
    rolling: bool = False
