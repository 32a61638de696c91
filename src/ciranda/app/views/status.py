"""The state of the loop: what is on each branch, which release runs where, what is wrong. Needs no server."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.app.views import lacking
from ciranda.app.views import project as projects
from ciranda.environment import emergencies, freezes, jobs, revisions, saved_plans
from ciranda.environment.jobs import Listed
from ciranda.environment.times import MEMORY_US, SECOND, STANDBY_US
from ciranda.kernel import clock, errors, sockets, statements
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.release import releases
from ciranda.service import counters, table

sql = statements.load("ciranda.environment")
ASK = 2.0  # seconds for an answer of the keeper
LANDED = ("merged", "delivering", "settled")


@dataclass(frozen=True, slots=True)
class Branch:
    """The last commit that passed the gate."""

    name: str
    commit: str
    subject: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a release answered on a route since it was first routed there. `per_second` is the mean while it was live
    without a break, None where that is not known; `p99_ms` is an upper bound."""

    requests: int
    failed: int
    p99_ms: float
    per_second: float | None


@dataclass(frozen=True, slots=True)
class Service:
    """A service of what is live: instances that should run, that are routed and live, and who answers in its place."""

    name: str
    wanted: int
    routed: int
    instead: str  # another release that helps out, or ""
    traffic: Traffic | None


@dataclass(frozen=True, slots=True)
class Step:
    """A revision and when it came to be what it is."""

    revision: int
    release: str
    since_us: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment: what is live, on its way, failed since, warm; and whether it is held."""

    name: str
    live: Step | None
    verified: str
    target: Step | None
    failed: Step | None
    held: str
    warm: tuple[tuple[str, int], ...]  # release, until when (µs)
    services: tuple[Service, ...]
    crashes: int  # of the last ten minutes
    jobs: tuple[Listed, ...] = ()
    gone: bool = False  # it was destroyed
    frozen: str = ""  # "until Mon 2026-11-23 08:00 -03 (…)"; empty: releases may enter


@dataclass(frozen=True, slots=True)
class Project:
    """One project's screen."""

    name: str
    owner: str
    branch: Branch | None
    environments: tuple[Environment, ...]
    waiting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that `ciranda status` says. `server`: whether one runs."""

    at_us: int
    server: bool
    projects: tuple[Project, ...]

    def document(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Running:
    """What runs beside the ledger: living instances, what is routed, what was counted."""

    server: bool
    instances: frozenset[str]
    routes: table.Table
    counted: Mapping[tuple[str, str], counters.Counted]


def gather(
    home: homes.Home,
    database: Database,
    project: str | None = None,
    *,
    environment: str | None = None,
    folder: Path | None = None,
    running: Running | None = None,
) -> Status:
    """The state now, of one project or of all; `running` is what runs, if that is known already.

    Raises errors.NotFound for one that is not here.
    """
    now_us = clock.now_us()
    there = projects.names(database)
    if project is not None and project not in there:
        raise errors.NotFound(
            f"there is no project {project} in this home",
            hint=f"what there is: {', '.join(there)}" if there else "push: git push ciranda main",
        )
    running = look(home) if running is None else running
    here = projects.declared(folder) if folder is not None else {}
    found = tuple(
        _project(database, Store(home.store), name, running, now_us, environment, here)
        for name in ([project] if project else there)
    )
    if environment is not None and not any(one.environments for one in found):
        raise errors.NotFound(f"there is no environment {environment}", hint="what there is: ciranda status")
    return Status(now_us, running.server, found)


def look(home: homes.Home) -> Running:
    """What runs now; without a server nothing does."""
    try:
        listed = sockets.ask(home.sockets / "keeper", {"type": "list"}, ASK)
        living = frozenset(child["id"] for child in listed["children"] if child["exit"] is None)
        server = True
    except errors.Unreachable:
        living, server = frozenset(), False
    try:
        routes = table.load(home.state / "routes.json")
        counted = counters.read(home.state / "counters")
    except errors.Corrupt:
        routes, counted = table.Table(), {}
    return Running(server, living, routes, counted)


def _project(
    database: Database,
    store: Store,
    name: str,
    running: Running,
    now_us: int,
    environment: str | None,
    here: Mapping[str, Any],
) -> Project:
    known = changes.project(database, name)
    latest = changes.latest(database, name)
    landed = next((one for one in latest if one.state in LANDED), None)
    branch = None
    if landed is not None and known is not None:
        branch = Branch(known.branch, landed.short, landed.subject, landed.recorded_us)
    places = [
        place for place in revisions.environments(database, name) if environment is None or place.name == environment
    ]
    waiting = (
        *(_waits(one) for one in latest if one.ended_us is None and one.state not in LANDED),
        *(text for place in places for text in _asked(database, name, place.name)),
        *_unreviewed(database, name),
        *lacking.lacking(database, store, name, latest),
    )
    return Project(
        name=name,
        owner=str(here.get("owner", "")) if here.get("name") == name else "",
        branch=branch,
        environments=tuple(_environment(database, place, running, now_us) for place in places),
        waiting=waiting,
    )


def _asked(database: Database, project: str, environment: str) -> list[str]:
    """The plan that waits for approvals: `r42 waits for 1 approval in prod: ciranda approve b3:9ad1c0`."""
    found = saved_plans.waiting(database, project, environment)
    if found is None or found.release is None:
        return []
    release = releases.get(database, project, found.release)
    own = (release.author,) if found.body.get("four_eyes") else ()
    there = saved_plans.counted(database, found.digest, project, environment, without=own)
    missing = int(found.body["approvals"]) - len(there)
    needs = plural(missing, "approval") + (" of somebody else" if own else "")
    text = f"{release.name} waits for {needs} in {environment}: ciranda approve {saved_plans.short(found.digest)}"
    return [text] if missing > 0 else []


def _waits(change: changes.Change) -> str:
    """`3f2a1c9 is judging`, or what a person is asked."""
    if change.state == "asking":
        return f"{change.short} asks a person: ciranda approve change/{change.number}"
    return f"{change.short} is {change.state}"


def _environment(database: Database, place: revisions.Environment, running: Running, now_us: int) -> Environment:
    project, name = place.project, place.name
    reached = revisions.reached_since(database, project, name, now_us - STANDBY_US)
    gone = bool(reached) and reached[0].gone
    live = reached[0] if reached and not gone else None
    newest = revisions.history(database, project, name, 1)
    target = newest[0] if newest and newest[0].state == "target" else None
    failed = newest[0] if newest and newest[0].state == "failed" else None
    crashed = database.query(sql.exits_since, project=project, environment=name, since_us=now_us - MEMORY_US)
    release = None if live is None else releases.by_id(database, live.release)
    serving = target if target is not None and target.routed_us is not None else live
    return Environment(
        name=name,
        live=None if live is None or release is None else Step(live.number, release.name, live.ended_us or now_us),
        verified=_verified(database, live, release),
        target=None if target is None else _step(database, target, target.created_us, _doing(database, target)),
        failed=None if failed is None else _step(database, failed, failed.ended_us or now_us, failed.reason),
        held=_held(place),
        warm=_warm(database, reached, running),
        services=() if serving is None else _services(database, serving, running, now_us),
        crashes=len(crashed),
        gone=gone,
        frozen=_frozen(place),
        jobs=tuple(one for one in jobs.listing(database, project, name, now_us=now_us) if one.stirs),
    )


def _step(database: Database, revision: revisions.Revision, since_us: int, text: str) -> Step:
    return Step(revision.number, releases.by_id(database, revision.release).name, since_us, text)


def _doing(database: Database, target: revisions.Revision) -> str:
    if target.routed_us is None:
        return "starting"
    rolled = None if target.rollout is None else database.one(sql.going_on, revision=target.id)
    if rolled is not None and target.rollout is not None and rolled["state"] in ("running", "paused", "waiting"):
        state = "" if rolled["state"] == "running" else f", {rolled['state']},"
        return f"at {target.rollout.steps[rolled['step']]} %{state}"
    return "being verified" if target.verification is not None else "being watched"


def _held(place: revisions.Environment) -> str:
    if not place.held:
        return ""
    return f"held by {place.held_by}{f': {place.held_reason}' if place.held_reason else ''}"


def _frozen(place: revisions.Environment) -> str:
    found = freezes.of(place.frozen)
    return "" if found is None else found.said


def _unreviewed(database: Database, project: str) -> list[str]:
    """Releases that entered in an emergency and that nobody has reviewed: `prod#17 was promoted by ana in an emergency: …`."""
    return [
        f"{one.environment}#{one.number} was promoted by {one.actor} in an emergency ({one.reason}): ciranda approve {one.name}"
        for one in emergencies.unreviewed(database, project)
    ]


def _verified(database: Database, live: revisions.Revision | None, release: releases.Release | None) -> str:
    if live is None or release is None:
        return ""
    said = [
        one.body
        for one in releases.stated(database, release)
        if one.kind == "verification" and one.body.get("revision") == live.id
    ]
    if not said:
        return ""
    tests, commands = int(said[-1].get("tests", 0)), int(said[-1].get("commands", 0))
    return plural(tests, "smoke check") if tests else plural(commands, "verification")


def _warm(database: Database, reached: Sequence[revisions.Revision], running: Running) -> tuple[tuple[str, int], ...]:
    """Releases that stand by: the ledger says until when, their living instances that they do."""
    found: dict[str, int] = {}
    for at, left in enumerate(reached[1:]):
        release = releases.by_id(database, left.release).name
        until_us = (reached[at].ended_us or 0) + STANDBY_US
        alive = any(
            one.startswith(f"{left.environment}-{service}-{release}-")
            for one in running.instances
            for service in left.instances
        )
        if alive and left.release != reached[0].release:
            found[release] = max(until_us, found.get(release, 0))
    return tuple(found.items())


def _services(database: Database, live: revisions.Revision, running: Running, now_us: int) -> tuple[Service, ...]:
    """The services of the revision that is routed."""
    release = releases.by_id(database, live.release).name
    routes = {route.prefix: route for route in running.routes.routes}
    spells = [
        one
        for one in revisions.history(database, live.project, live.environment, 100)
        if one.release == live.release and one.routed_us is not None
    ]
    since_us = live.routed_us if len(spells) == 1 else None
    found = []
    for name, count in sorted(live.instances.items()):
        prefix = f"/{live.project}/{live.environment}/{name}"
        route = routes.get(prefix)
        targets = route.targets if route is not None else ()
        alive = [(target.release, one) for target in targets for one in target.instances if one in running.instances]
        split = len(targets) > 1  # both answer: their shares are told beside the release
        others = [] if split else sorted({other for other, _ in alive if other != release})
        counted = running.counted.get((prefix, release))
        found.append(
            Service(
                name,
                count.count,
                sum(1 for other, _ in alive if other == release),
                ", ".join(others),
                None if counted is None else _traffic(counted, since_us, now_us),
            )
        )
    return tuple(found)


def _traffic(counted: counters.Counted, since_us: int | None, now_us: int) -> Traffic:
    per_second = None
    if since_us is not None and now_us - since_us >= SECOND:
        per_second = counted.requests / ((now_us - since_us) / SECOND)
    return Traffic(counted.requests, counted.classes[4], counted.quantile(0.99) * 1000, per_second)


def plural(count: int, noun: str, many: str = "") -> str:
    """`1 instance`, `2 instances`."""
    return f"{count:,} {noun if count == 1 else many or f'{noun}s'}"
