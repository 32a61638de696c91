"""Environments without processes: a simulated machine in simulated time, and a port and a site on a real ledger."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ciranda.environment import decide, moves, observe, observed, revisions, specs, times
from ciranda.environment.rollout import steps
from ciranda.environment.rollout.progress import BeginRollout, Counts, Entering, KeepRollout, Progress
from ciranda.kernel import clock, errors, migrations
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.pipeline import records
from ciranda.project import declaration
from ciranda.project.rollout import Rollout
from ciranda.release import building, manifest, releases
from ciranda.service import port
from ciranda.service.counters import Counted
from support.kernel import Ledger

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
    verify: dict[str, str] = field(default_factory=dict)  # revision → passed, failed or going on, once it is asked
    healthy_after: dict[str, float | None] = field(default_factory=dict)  # by release
    exits_after: dict[str, float | None] = field(default_factory=dict)  # by release
    ends: dict[str, str] = field(default_factory=dict)  # revision → reached or the reason
    log: list[observed.Action] = field(default_factory=list)
    last: observed.Decision = field(default_factory=observed.Decision)
    made: int = 0
    rate: float = 0.0  # requests a second to each route
    errors: dict[str, float] = field(default_factory=dict)  # by release: the share of its requests that fail
    counted: dict[tuple[str, str], Counted] = field(default_factory=dict)
    held: bool = False
    progress: dict[str, Progress] = field(default_factory=dict)  # by revision

    def aim(self, goal: observed.Wanted, *, verify: str | None = None, rollout: Rollout | None = None) -> None:
        """A new target; an unfinished one is superseded."""
        if self.target is not None:
            self.ends[self.target.wanted.revision] = "superseded"
        entering = None if rollout is None else Entering(rollout)
        self.target = observed.Goal(goal, self.now_us, None, "absent" if verify else "none", entering=entering)
        if verify:
            self.verify[goal.revision] = verify

    def observe(self) -> observed.Observed:
        target = self.target
        if target is not None and target.entering is not None:
            progress = self.progress.get(target.wanted.revision)
            counts = Counts(dict(self.counted)) if steps.due(progress, self.now_us) else None
            entering = Entering(target.entering.rules, progress, self.held, counts)
            target = replace(target, entering=entering)
        return observed.Observed(
            project="flights",
            environment="prod",
            now_us=self.now_us,
            target=target,
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
        """What processes do by themselves, and what clients ask of them."""
        self.now_us += int(seconds * SECOND)
        self._ask(seconds)
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
        found = "" if self.target is None else self.verify.get(self.target.wanted.revision, "")
        if self.target is not None and self.target.verify == "waiting" and found != "going on":
            problem = "smoke: exit status 1" if found == "failed" else ""
            self.target = replace(self.target, verify="passed", problem=problem)

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
                    self.left.insert(0, observed.Standby(self.live, self.now_us + times.STANDBY_US))
                self.live, self.target = self.target.wanted, None
            case observed.MarkFailed(revision, reason):
                self.ends[revision] = reason
                self.target = None
            case BeginRollout(revision, first):
                self.progress.setdefault(revision, first)
            case KeepRollout(revision, before, after):
                if self.progress[revision] == before:
                    self.progress[revision] = after
            case observed.Prepare(_):
                pass

    def say(self, state: str) -> None:
        """What a person says of the rollout that goes on: paused, running or aborted."""
        assert self.target is not None
        revision = self.target.wanted.revision
        now = self.progress[revision]
        self.progress[revision] = replace(now, state=state, reason=state, stepped_us=self.now_us)  # type: ignore[arg-type]

    def weights(self, service: str = "delays") -> dict[str, int]:
        """The percent of the requests that each release gets."""
        return {
            target.release: target.weight
            for route in self.routes
            if route.service == service
            for target in route.targets
        }

    def _ask(self, seconds: float) -> None:
        for route in self.routes:
            for target in route.targets:
                was = self.counted.get((route.prefix, target.release), Counted(0, (0, 0, 0, 0, 0), 0, 0.0, ()))
                asked = round(self.rate * seconds * target.weight / 100)
                failed = round((was.requests + asked) * self.errors.get(target.release, 0.0)) - was.errors
                failed = min(asked, max(0, failed))
                self.counted[route.prefix, target.release] = replace(
                    was, requests=was.requests + asked, errors=was.errors + failed
                )

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


@dataclass
class Instances:
    """Implements `port.Instances` without processes: what is started is healthy after a while of real time.

    `broken` names releases that never are. Several threads may use it.
    """

    healthy_after: float = 0.05  # seconds
    broken: set[str] = field(default_factory=set)
    there: dict[str, port.Instance] = field(default_factory=dict)
    specs: dict[str, port.InstanceSpec] = field(default_factory=dict)
    table: dict[tuple[str, str], list[port.Route]] = field(default_factory=dict)
    swaps: list[list[port.Route]] = field(default_factory=list)
    unreachable: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: int = 0

    def start(self, spec: port.InstanceSpec) -> str:
        with self.lock:
            self.made += 1
            name = f"{spec.environment}-{spec.service}-{spec.release}-{self.made}"
            self.specs[name] = spec
            self.there[name] = port.Instance(
                name, spec.digest, "starting", clock.now_us(), f"unix:/sockets/{self.made}", confined=False
            )
            return name

    def stop(self, instance: str) -> None:
        with self.lock:
            one = self.there[instance]
            if one.state != "exited":
                self.there[instance] = replace(one, state="exited", exit="exit 0")

    def observe(self) -> list[port.Instance]:
        with self.lock:
            for name, one in self.there.items():
                old = clock.now_us() - one.started_us > self.healthy_after * SECOND
                if one.state == "starting" and old and self.specs[name].release not in self.broken:
                    self.there[name] = replace(one, state="healthy")
            return list(self.there.values())

    def forget(self, instance: str) -> None:
        with self.lock:
            self.there.pop(instance, None)

    def route(self, project: str, environment: str, routes: list[port.Route]) -> None:
        if self.unreachable:
            raise errors.Unreachable("the gateway does not answer")
        with self.lock:
            self.table[project, environment] = routes
            self.swaps.append(routes)

    def routed(self, project: str, environment: str) -> list[port.Route]:
        with self.lock:
            return self.table.get((project, environment), [])

    def kill(self, instance: str) -> None:
        """As if it had crashed."""
        with self.lock:
            self.there[instance] = replace(self.there[instance], state="exited", exit="signal 9")

    def answering(self, environment: str = "prod", project: str = "flights") -> dict[str, str]:
        """The release that answers, by service."""
        return {
            route.service: target.release
            for route in self.routed(project, environment)
            for target in route.targets
            if any(self.there[one].state == "healthy" for one in target.instances if one in self.there)
        }


def project(
    *,
    services: dict[str, int] | None = None,
    settings: dict[str, declaration.Scalar] | None = None,
    environments: tuple[declaration.Environment, ...] | None = None,
    start_timeout: float = 20.0,
    command: str = "./serve",
    secrets: tuple[str, ...] = (),
    reactions: tuple[declaration.Reaction, ...] = (),
) -> declaration.Project:
    """A declaration of a project `flights` with command services of so many instances that use the asset `delay`."""
    kinds: dict[type, Literal["str", "int", "float", "bool"]] = {str: "str", int: "int", float: "float", bool: "bool"}
    return declaration.Project(
        name="flights",
        pipeline="pipeline.py",
        reactions=reactions,
        services=tuple(
            declaration.Service(
                name,
                "command",
                command,
                uses=("delay",),
                instances=count,
                start_timeout=start_timeout,
                drain=5.0,
                secrets=secrets,
            )
            for name, count in ({"delays": 1} if services is None else services).items()
        ),
        settings=tuple(
            declaration.Setting(name, kinds[type(value)], value) for name, value in (settings or {}).items()
        ),
        environments=environments or (declaration.Environment("test"), declaration.Environment("prod", after="test")),
    )


@dataclass
class Site:
    """A ledger and a store with releases of one project, as the loop would make them."""

    database: Database
    store: Store
    folder: Path

    def release(
        self, commit: str, *, model: bytes = b"1", **declared: Any
    ) -> tuple[releases.Release, manifest.Manifest]:
        """Make a release of a commit."""
        with self.store.batch():
            made = self.store.put(model)
        version = records.Version("delay", made, f"key-{made}", "json", len(model), "model")
        content = building.build(
            project(**declared),
            commit=commit,
            tree=f"tree-{commit}",
            interpreter="b3:interpreter",
            parameters={},
            assets={"delay": version, "unused": version},
            policy="b3:policy",
        )
        kept = releases.keep(self.store, content)
        release = self.database.write(
            lambda tx: releases.make(tx, manifest=content, kept=kept, change=None, actor="ana")
        )
        return release, content

    def target(self, commit: str, environment: str = "prod", **declared: Any) -> revisions.Revision:
        """Make a release of a commit and aim an environment at it."""
        release, content = self.release(commit, **declared)
        return self.database.write(
            lambda tx: moves.target(tx, environment=environment, release=release, content=content, actor="ana")
        )

    def reach(self, revision: revisions.Revision) -> None:
        """End a revision as reached."""
        assert self.database.write(lambda tx: moves.end(tx, revision, "reached", actor="ciranda"))

    def machine(self, **changes: Any) -> observe.Machine:
        """A machine whose trees are folders with the commit in a file."""

        def write_tree(commit: str, destination: Path) -> None:
            destination.mkdir()
            (destination / "commit").write_text(commit)

        plain: dict[str, Any] = {
            "trees": self.folder / "trees",
            "gateway": lambda: "http://127.0.0.1:7780",
            "program": lambda digest: specs.Program(Path("/usr/bin/python3")),
            "write_tree": write_tree,
            "memory_short": lambda: False,
        }
        return observe.Machine(**plain | changes)

    def place(self, instances: port.Instances, environment: str = "prod", **changes: Any) -> observe.Place:
        """An environment of the project on that machine."""
        return observe.Place("flights", environment, self.database, self.store, instances, self.machine(**changes))


def site(ledger: Ledger, folder: Path) -> Site:
    """A site on a ledger; its tables are made."""
    database = ledger.open()
    migrations.migrate(database, ["ciranda.release", "ciranda.environment"])
    return Site(database, Store(folder / "store"), folder)
