"""Look at an environment: what the ledger wants of it, what runs, what is routed."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ciranda.environment import furnishing, materialise, revisions, specs
from ciranda.environment.observed import Exit, Goal, Observed, Seen, Standby, Wanted
from ciranda.environment.rollout import rows, steps
from ciranda.environment.rollout.progress import Counts, Entering
from ciranda.environment.times import MEMORY_US, STANDBY_US
from ciranda.kernel import clock, errors, statements, tasks
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.release import releases
from ciranda.release.manifest import Manifest
from ciranda.service import port
from ciranda.service.counters import Counted

sql = statements.load("ciranda.environment")
TAIL = 4096  # bytes of a log in which its last line is looked for
LONGEST = 160  # characters of it that are told


@dataclass(frozen=True, slots=True)
class Machine:
    """What resolves a release on this machine, as plain values and callables.

    `gateway` gives its address as instances reach it, `program` the interpreter of a digest (raises errors.NotFound),
    `write_tree` writes a commit of this project to a folder by a rename, `memory_short` says whether to give up standby,
    `counters` what the gateway has counted by route and release (raises errors.Corrupt).
    """

    trees: Path
    gateway: Callable[[], str]
    program: Callable[[str], specs.Program]
    write_tree: materialise.WriteTree
    memory_short: Callable[[], bool]
    counters: Callable[[], Mapping[tuple[str, str], Counted]] = dict
    predictions: Path = Path()


@dataclass
class Memory:
    """What one looker remembers; all of it can be found again."""

    contents: dict[str, tuple[releases.Release, Manifest]] = field(default_factory=dict)  # by release.id
    programs: dict[str, specs.Program] = field(default_factory=dict)  # by digest; looking costs a while
    unhealthy: dict[str, int] = field(default_factory=dict)  # instance → since when
    specifications: dict[str, tuple[str, str]] = field(default_factory=dict)  # digest → service, release
    foreign: set[str] = field(default_factory=set)  # digests of other environments' specifications


@dataclass(frozen=True, slots=True)
class Place:
    """One environment and where it is found."""

    project: str
    environment: str
    database: Database
    store: Store
    instances: port.Instances
    machine: Machine

    @property
    def ground(self) -> specs.Ground:
        """Where this machine puts things now."""
        return specs.Ground(self.machine.trees, self.machine.gateway(), self.machine.predictions)


def observe(place: Place, memory: Memory) -> Observed:
    """Everything that a decision depends on, now. Raises errors.CirandaError when live cannot be resolved."""
    now_us = clock.now_us()
    database, project, environment = place.database, place.project, place.environment
    target = revisions.current_target(database, project, environment)
    if target is not None and (waited := furnishing.waits(database, target)) is not None and not waited.over:
        target = None  # nothing of it starts before its infrastructure is there
    reached = revisions.reached_since(database, project, environment, now_us - STANDBY_US)
    endings = database.query(sql.endings, project=project, environment=environment, since_us=now_us - MEMORY_US)
    asked = {row["instance"] for row in endings if row["asked_us"] is not None}
    live = _resolve(place, memory, reached[0]) if reached else None
    died = [row for row in endings if row["asked_us"] is None and live is not None and live.has(row["spec"])]
    ill_us = max((row["exited_us"] or 0 for row in died), default=0)
    if ill_us:  # whom it replaced is needed as long as it dies again and again, however long ago that was
        since_us = min(now_us - STANDBY_US, (reached[0].ended_us or now_us) - 1)
        reached = revisions.reached_since(database, project, environment, since_us)
    return Observed(
        project=project,
        environment=environment,
        now_us=now_us,
        target=None if target is None else _goal(place, memory, target, now_us),
        live=live,
        standby=_standby(place, memory, reached, now_us, ill_us),
        instances=_instances(place, memory, asked, now_us),
        exits=tuple(
            Exit(row["instance"], row["spec"], row["exited_us"], row["exit"])
            for row in endings
            if row["exited_us"] is not None
        ),
        routes=tuple(sorted(place.instances.routed(project, environment), key=lambda route: route.service)),
        memory_short=place.machine.memory_short(),
    )


def content(place: Place, memory: Memory, release: str) -> tuple[releases.Release, Manifest]:
    """A release and its manifest; both never change."""
    if release not in memory.contents:
        found = releases.by_id(place.database, release)
        memory.contents[release] = found, releases.manifest(place.store, found)
    return memory.contents[release]


def _resolve(place: Place, memory: Memory, revision: revisions.Revision) -> Wanted:
    if revision.gone:
        return Wanted(revision.id, releases.by_id(place.database, revision.release).name, ())
    release, manifest = content(place, memory, revision.release)
    ground = place.ground
    if manifest.interpreter not in memory.programs:
        memory.programs[manifest.interpreter] = place.machine.program(manifest.interpreter)
    program = memory.programs[manifest.interpreter]
    parts = specs.parts(manifest, revision, release=release.name, ground=ground, program=program)
    return Wanted(revision.id, release.name, parts, materialise.prepared(manifest, ground))


def _goal(place: Place, memory: Memory, target: revisions.Revision, now_us: int) -> Goal:
    try:
        furnishing.refuse_failed(place.database, target)
        wanted = _resolve(place, memory, target)
        entering = _entering(place, target, now_us)
    except (errors.Refused, errors.Corrupt) as error:
        nothing = Wanted(target.id, releases.by_id(place.database, target.release).name, ())
        return Goal(nothing, target.created_us, target.routed_us, "none", error.message)
    verify, problem = _verification(place, target)
    return Goal(wanted, target.created_us, target.routed_us, verify, problem, entering)


def _verification(
    place: Place, target: revisions.Revision
) -> tuple[Literal["none", "absent", "waiting", "passed"], str]:
    """How far the verification of a target is, and what it found wrong."""
    if not target.verify.commands:
        return "none", ""
    if target.verification is None:
        return "absent", ""
    task = tasks.get(place.database, target.verification)
    match task.state:
        case "done":
            return "passed", ""
        case "failed":
            return "passed", str((task.result or {}).get("reason") or "its verification failed")
        case _:
            return "waiting", ""


def _entering(place: Place, target: revisions.Revision, now_us: int) -> Entering | None:
    """How far a target is that enters by steps, with the counters when the judge is to look."""
    if target.rollout is None:
        return None
    row = rows.find(place.database, target.id)
    now = None if row is None else row.progress
    held = now is not None and revisions.environment(place.database, place.project, place.environment).held
    counts = None
    if steps.due(now, now_us):
        try:
            counts = Counts(place.machine.counters())
        except errors.Corrupt:
            counts = None  # without them the judge waits
    return Entering(target.rollout, now, held, counts)


def _standby(
    place: Place, memory: Memory, reached: list[revisions.Revision], now_us: int, ill_us: int
) -> tuple[Standby, ...]:
    """Who is warm until when: from when its successor was live; of what is live now, from when it last died (`ill_us`)."""
    found = []
    for successor, left in itertools.pairwise(reached):
        until_us = max(successor.ended_us or now_us, ill_us if successor is reached[0] else 0) + STANDBY_US
        try:
            found.append(Standby(_resolve(place, memory, left), until_us))
        except (errors.Refused, errors.Corrupt):
            continue  # what cannot be resolved any more cannot be gone back to either
    return tuple(found)


def _instances(place: Place, memory: Memory, asked: set[str], now_us: int) -> tuple[Seen, ...]:
    there = place.instances.observe()
    unknown = {one.spec for one in there} - memory.specifications.keys() - memory.foreign
    if unknown:
        rows = place.database.query(sql.specifications, project=place.project, environment=place.environment)
        memory.specifications = {row["digest"]: (row["service"], row["release"]) for row in rows}
        memory.foreign |= unknown - memory.specifications.keys()
    seen = []
    for one in there:
        if one.spec not in memory.specifications:
            continue
        service, release = memory.specifications[one.spec]
        if one.state == "unhealthy":
            memory.unhealthy.setdefault(one.id, now_us)
        else:
            memory.unhealthy.pop(one.id, None)
        seen.append(
            Seen(
                id=one.id,
                spec=one.spec,
                service=service,
                release=release,
                state=one.state,
                address=one.address,
                started_us=one.started_us,
                asked=one.asked or one.id in asked,
                exit=None if one.exit is None else _exit(one.exit, one.log),
                unhealthy_us=memory.unhealthy.get(one.id),
            )
        )
    for gone in memory.unhealthy.keys() - {one.id for one in there}:
        del memory.unhealthy[gone]
    return tuple(seen)


def _exit(status: str, log: Path | None) -> str:
    """How an instance ended, with the last line that it wrote, which often says why."""
    if status == "exit 0" or log is None:
        return status
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - TAIL))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return status
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    said = "".join(letter for letter in last if letter.isprintable())[:LONGEST]
    return f"{status}: {said}" if said else status
