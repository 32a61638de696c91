"""A simulated machine for an environment: instances that start, crash and hang in simulated time."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from ciranda.environment import decide, observed
from ciranda.service import port

SECOND = 1_000_000


def spec(service: str = "delays", release: str = "r1", start_timeout: float = 20.0) -> port.InstanceSpec:
    """A specification that only its names tell from others."""
    return port.InstanceSpec(
        project="flights",
        environment="prod",
        service=service,
        release=release,
        form="predict",
        argv=("python",),
        variables={},
        directory=Path("/trees") / release,
        start_timeout=start_timeout,
    )


def part(service: str = "delays", release: str = "r1", count: int = 1) -> observed.Part:
    """A service of a revision."""
    return observed.Part(service, spec(service, release), f"{service}@{release}", count)


def wanted(release: str, *, revision: str | None = None, **services: int) -> observed.Wanted:
    """A revision of a release with so many instances of each service; `delays` alone when none is named."""
    parts = tuple(part(name, release, count) for name, count in (services or {"delays": 1}).items())
    return observed.Wanted(revision or f"revision-{release}", release, parts)


@dataclass
class Process:
    """A simulated instance. `fate`: seconds until it is healthy, and until it exits (both None: never)."""

    id: str
    part: observed.Part
    started_us: int
    healthy_after: float | None
    exits_after: float | None
    state: str = "starting"
    exit: str | None = None
    asked: bool = False
    recorded: bool = False
    draining_us: int | None = None


@dataclass
class World:
    """The machine and the ledger of one environment; `step` is one observe, decide, act."""

    now_us: int = 1_000 * SECOND
    target: observed.Goal | None = None
    live: observed.Wanted | None = None
    left: list[observed.Standby] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)
    exits: list[observed.Exit] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    routes: tuple[port.Route, ...] = ()
    memory_short: bool = False
    verify: dict[str, str] = field(default_factory=dict)  # revision → passed or failed, once it is asked
    healthy_after: dict[str, float | None] = field(default_factory=dict)  # by release
    exits_after: dict[str, float | None] = field(default_factory=dict)  # by release
    ends: dict[str, str] = field(default_factory=dict)  # revision → reached or the reason
    log: list[observed.Action] = field(default_factory=list)
    last: observed.Decision = field(default_factory=observed.Decision)
    made: int = 0

    def aim(self, goal: observed.Wanted, *, verify: str | None = None) -> None:
        """A new target; an unfinished one is superseded."""
        if self.target is not None:
            self.ends[self.target.wanted.revision] = "superseded"
        self.target = observed.Goal(goal, self.now_us, None, "absent" if verify else "none")
        if verify:
            self.verify[goal.revision] = verify

    def observe(self) -> observed.Observed:
        return observed.Observed(
            project="flights",
            environment="prod",
            now_us=self.now_us,
            target=self.target,
            live=self.live,
            standby=tuple(one for one in self.left if one.until_us > self.now_us),
            instances=tuple(
                observed.Seen(
                    id=one.id,
                    spec=one.part.digest,
                    service=one.part.service,
                    release=one.part.spec.release,
                    state=one.state,  # type: ignore[arg-type]
                    address=f"unix:/{one.id}",
                    started_us=one.started_us,
                    asked=one.id in self.asked,
                    exit=one.exit,
                )
                for one in self.processes.values()
            ),
            exits=tuple(self.exits),
            routes=self.routes,
            memory_short=self.memory_short,
        )

    def step(self, stop_after: int | None = None) -> observed.Decision:
        """Observe, decide and act; only the first `stop_after` actions, as if control was killed there."""
        decision = decide.decide(self.observe())
        self.last = decision
        for action in decision.actions[:stop_after]:
            self.act(action)
        return decision

    def run(self, seconds: float, tick: float = 0.2) -> None:
        """Let simulated time go by, one step a tick."""
        for _ in range(round(seconds / tick)):
            self.step()
            self.pass_time(tick)

    def pass_time(self, seconds: float) -> None:
        """What processes do by themselves."""
        self.now_us += int(seconds * SECOND)
        for one in self.processes.values():
            age = (self.now_us - one.started_us) / SECOND
            if one.state == "exited":
                continue
            if one.exits_after is not None and age >= one.exits_after:
                one.state, one.exit = "exited", "exit 1"
            elif one.state == "draining":
                one.state, one.exit = "exited", "exit 0"
            elif one.state == "starting" and one.healthy_after is not None and age >= one.healthy_after:
                one.state = "healthy"
        if self.target is not None and self.target.verify == "waiting":
            found = self.verify[self.target.wanted.revision]
            self.target = replace(self.target, verify=found, message="smoke: exit status 1")  # type: ignore[arg-type]

    def kill(self, instance: str) -> None:
        """kill -9."""
        self.processes[instance].state, self.processes[instance].exit = "exited", "signal 9"

    def act(self, action: observed.Action) -> None:
        self.log.append(action)
        match action:
            case observed.Start(made, digest):
                self._start(observed.Part(made.service, made, digest, 1))
            case observed.Stop(instance):
                assert instance not in self.routed(), "an instance that is routed was stopped"
                self.asked.add(instance)
                if self.processes[instance].state != "exited":
                    self.processes[instance].state = "draining"
            case observed.Forget(instance):
                del self.processes[instance]
                self.asked.discard(instance)
            case observed.RecordExit(instance, digest, _, _, _, how):
                if instance not in {one.instance for one in self.exits}:
                    self.exits.append(observed.Exit(instance, digest, self.now_us, how))
                del self.processes[instance]
            case observed.SetRoutes(routes):
                self.routes = routes
            case observed.MarkRouted(_):
                assert self.target is not None
                self.target = replace(self.target, routed_us=self.now_us)
            case observed.PutVerify(_):
                assert self.target is not None
                self.target = replace(self.target, verify="waiting")
            case observed.MarkReached(revision):
                assert self.target is not None
                self.ends[revision] = "reached"
                if self.live is not None:
                    self.left.insert(0, observed.Standby(self.live, self.now_us + decide.STANDBY_US))
                self.live, self.target = self.target.wanted, None
            case observed.MarkFailed(revision, reason):
                self.ends[revision] = reason
                self.target = None
            case observed.Prepare(_):
                pass

    def routed(self) -> set[str]:
        """Ids of the instances that the table names."""
        return {one for route in self.routes for target in route.targets for one in target.instances}

    def answering(self, service: str = "delays") -> set[str]:
        """Releases whose healthy instances answer for a service now."""
        return {
            target.release
            for route in self.routes
            if route.service == service
            for target in route.targets
            for one in target.instances
            if one in self.processes and self.processes[one].state == "healthy"
        }

    def healthy(self, release: str, service: str = "delays") -> list[Process]:
        return [
            one
            for one in self.processes.values()
            if one.part.spec.release == release and one.part.service == service and one.state == "healthy"
        ]

    def running(self, release: str) -> list[Process]:
        return [
            one
            for one in self.processes.values()
            if one.part.spec.release == release and one.state in ("starting", "healthy")
        ]

    def _start(self, made: observed.Part) -> None:
        self.made += 1
        release = made.spec.release
        name = f"prod-{made.service}-{release}-{self.made}"
        self.processes[name] = Process(
            name, made, self.now_us, self.healthy_after.get(release, 0.5), self.exits_after.get(release)
        )
