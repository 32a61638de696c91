"""The port through which environments start, stop, observe and route instances; nothing above it knows a pid."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from ciranda.kernel import digest as digests


@dataclass(frozen=True, slots=True)
class Mount:
    """A path that an instance may see under confinement; read-only unless `writable`."""

    path: Path
    writable: bool = False


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """Everything that decides what an instance is. Its digest is its identity; of equal ones each can replace any."""

    project: str
    environment: str
    service: str
    release: str  # "r42"
    form: Literal["predict", "app", "command"]
    argv: tuple[str, ...]
    variables: dict[str, str]  # instance contract 1, without PORT or CIRANDA_SOCKET, which the supervisor adds
    directory: Path  # the tree it runs in
    health: str = "/"
    drain: float = 30.0  # seconds between SIGTERM and SIGKILL
    start_timeout: float = 60.0  # seconds to the first healthy answer
    mounts: tuple[Mount, ...] = ()
    secrets: dict[str, int] = field(default_factory=dict)  # names with versions: the supervisor adds CIRANDA_SECRETS

    @property
    def digest(self) -> str:
        """Its identity: what `Instance.spec` says of an instance of it."""
        return digests.of(
            "spec",
            {
                "project": self.project,
                "environment": self.environment,
                "service": self.service,
                "release": self.release,
                "form": self.form,
                "argv": list(self.argv),
                "variables": self.variables,
                "directory": str(self.directory),
                "health": self.health,
                "drain": float(self.drain),
                "start_timeout": float(self.start_timeout),
                "mounts": [[str(mount.path), mount.writable] for mount in self.mounts],
                **({"secrets": self.secrets} if self.secrets else {}),
            },
        )


@dataclass(frozen=True, slots=True)
class Instance:
    """One running process of a service as it is observed now."""

    id: str  # "<environment>-<service>-<release>-<short uuid>"
    spec: str  # digest of the specification
    state: Literal["starting", "healthy", "unhealthy", "draining", "exited"]
    started_us: int
    address: str  # "unix:/…/12/http" or "tcp:127.0.0.1:41001"
    confined: bool
    exit: str | None = None  # "exit 1", "signal 9", "unknown"
    in_flight: int = 0
    log: Path | None = None
    asked: bool = False  # it was told to end, by `stop` or because the whole server goes down


@dataclass(frozen=True, slots=True)
class Target:
    """One release behind a route: its weight and the addresses of its instances, by instance id."""

    release: str
    weight: int
    instances: dict[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """A prefix of the gateway and who answers there. Of several targets the last one is the candidate."""

    project: str
    environment: str
    service: str
    targets: tuple[Target, ...]
    limits: dict[str, float] = field(default_factory=dict)  # body bytes, timeout seconds
    sticky: str = ""  # by what a client is told, of several targets: "header:NAME", "cookie:NAME"; empty: not at all

    @property
    def prefix(self) -> str:
        """`/flights/prod/delays`."""
        return f"/{self.project}/{self.environment}/{self.service}"


class Instances(Protocol):
    """What starts, stops, observes and routes instances."""

    def start(self, spec: InstanceSpec) -> str:
        """Start one more instance of the specification; returns its id. Idempotence is the caller's: observe first."""

    def stop(self, instance: str) -> None:
        """Begin to stop: SIGTERM, `drain` seconds, SIGKILL. Returns at once; safe to repeat."""

    def observe(self) -> list[Instance]:
        """Every instance that is known, exited ones included until `forget`."""

    def forget(self, instance: str) -> None:
        """Drop an exited instance from the record."""

    def route(self, project: str, environment: str, routes: list[Route]) -> None:
        """Replace the routes of one environment; returns after the gateway took them, or raises."""

    def routed(self, project: str, environment: str) -> list[Route]:
        """The routes of one environment that are in force. Raises errors.Unreachable while the gateway is away."""
