"""The decision of a reconcile: from what is observed to what to do now. Pure and level-triggered: whatever happened
before, the same observation gives the same actions, and repeating observe, decide, act converges.

What it never does: route to an instance that is not healthy while a healthy one of a release that was live is there,
stop an instance that the routes table names, or make a target live before it has answered for half a second.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ciranda.environment import routing
from ciranda.environment.observed import (
    Action,
    Decision,
    Exit,
    Forget,
    Goal,
    MarkFailed,
    MarkReached,
    MarkRouted,
    Observed,
    Part,
    Prepare,
    PutVerify,
    RecordExit,
    Seen,
    SetRoutes,
    Start,
    Stop,
    Wanted,
)
from ciranda.environment.rollout import steps
from ciranda.environment.rollout.progress import BACK, BeginRollout, KeepRollout, Progress
from ciranda.environment.times import SECOND
from ciranda.service import port

# A target is watched so long after the swap before it counts as reached; what dies later has a standby.
SETTLE_US = SECOND // 2
HUNG_US = 30 * SECOND  # an instance that is unhealthy so long is replaced
CRASHES = 3  # so many exits of one service fail a target
FIRST_DELAY_US = SECOND // 4  # before the first restart; doubles with each further crash
LONGEST_DELAY_US = 30 * SECOND


def decide(seen: Observed) -> Decision:
    """What to do now, in this order."""
    seen = replace(seen, exits=seen.exits + _fresh_exits(seen))
    reason = failure(seen)
    goal = seen.target if reason is None else None
    kept = None if goal is None else _judged(seen, goal)
    if kept is not None and kept.fact:
        return Decision((kept,))  # everything else follows what is recorded
    routes = desired(seen, goal)
    in_place = routes == seen.routes
    actions: list[Action] = [] if kept is None else [kept]
    if not in_place:
        actions.append(SetRoutes(routes, _why(seen, goal, reason)))
    if seen.target is not None and reason is not None:
        actions.append(MarkFailed(seen.target.wanted.revision, reason))
    actions += [_account(one) for one in seen.instances if one.state == "exited"]
    if goal is not None:
        actions += _advance(seen, goal, in_place)
    actions += _starts(seen, goal)
    actions += _stops(seen, goal, routes)
    fresh = goal is not None and goal.routed_us is not None and seen.now_us - goal.routed_us < SETTLE_US
    return Decision(
        tuple(actions),
        settled=not actions and goal is None and _calm(seen),
        watching=fresh,
        rolling=goal is not None and goal.routed_us is not None and not _all_of_it(seen, goal),
    )


def failure(seen: Observed) -> str | None:
    """Why the target cannot become live; None while it still may."""
    goal = seen.target
    if goal is None:
        return None
    if goal.problem:
        return goal.problem
    entering = goal.entering
    if entering is not None and entering.progress is not None and entering.progress.state in BACK:
        return f"at {entering.rules.steps[entering.progress.step]} %: {entering.progress.reason}"
    for part in _moved(seen, goal):
        reason = _failure_of(seen, goal, part)
        if reason:
            return reason
    return None


def desired(seen: Observed, goal: Goal | None) -> tuple[port.Route, ...]:
    """The routes that should be in force: the target's once all its instances are healthy, or its share; else what is live's."""
    if goal is None or not _in_force(seen, goal):
        return routing.whole(seen, seen.live)
    if _all_of_it(seen, goal) or seen.live is None:
        return routing.whole(seen, goal.wanted)
    return routing.split(seen, seen.live, goal)


def restart_us(exits: Sequence[Exit], spec: str) -> int:
    """When an instance of a specification may be started again, by its crashes of the last ten minutes."""
    times = [one.at_us for one in exits if one.spec == spec]
    if not times:
        return 0
    return max(times) + min(FIRST_DELAY_US << min(len(times) - 1, 16), LONGEST_DELAY_US)


def _failure_of(seen: Observed, goal: Goal, part: Part) -> str | None:
    crashes = [one for one in seen.exits if one.spec == part.digest and one.at_us >= goal.created_us]
    mine = [one for one in seen.instances if one.running and one.spec == part.digest]
    patience_us = int(part.spec.start_timeout * SECOND)
    if goal.routed_us is not None:
        early = [one for one in crashes if 0 <= one.at_us - goal.routed_us < SETTLE_US]
        if early:
            after = (early[0].at_us - goal.routed_us) / SECOND
            return f"{part.service} died {after:.1f} s after it was routed ({early[0].exit})"
        if not any(one.healthy for one in mine):
            return f"{part.service} had no healthy instance left after it was routed"
    if len(crashes) >= CRASHES:
        return f"{part.service} failed {len(crashes)} times: {crashes[-1].exit}"
    for one in mine:
        since_us = max(one.started_us, goal.created_us)
        if goal.routed_us is not None and one.unhealthy_us is not None:
            since_us = max(since_us, one.unhealthy_us)
        if not one.healthy and seen.now_us - since_us > patience_us:
            return f"{part.service} was not healthy within {part.spec.start_timeout:g} s"
    return None


def _fresh_exits(seen: Observed) -> tuple[Exit, ...]:
    known = {one.instance for one in seen.exits}
    return tuple(
        Exit(one.id, one.spec, seen.now_us, one.exit or "unknown")
        for one in seen.instances
        if one.state == "exited" and not one.asked and one.id not in known
    )


def _account(one: Seen) -> Action:
    if one.asked:
        return Forget(one.id)
    return RecordExit(one.id, one.spec, one.service, one.release, one.started_us, one.exit or "unknown")


def _in_force(seen: Observed, goal: Goal) -> bool:
    begun = not _by_steps(seen, goal) or (goal.entering is not None and goal.entering.progress is not None)
    return begun and (goal.routed_us is not None or _ready(seen, _moved(seen, goal)))


def _by_steps(seen: Observed, goal: Goal) -> bool:
    """Whether the target enters by steps: only beside another release, which has a service that it has too."""
    if goal.entering is None or seen.live is None or seen.live.release == goal.wanted.release:
        return False
    return bool(routing.common(seen, goal))


def _all_of_it(seen: Observed, goal: Goal) -> bool:
    """Whether all requests are the target's, as soon as it is in force."""
    entering = goal.entering
    if entering is None or not _by_steps(seen, goal):
        return True
    return entering.progress is not None and steps.weight(entering.rules, entering.progress) == 100


def _judged(seen: Observed, goal: Goal) -> KeepRollout | None:
    if goal.entering is None or seen.live is None or goal.routed_us is None or not _by_steps(seen, goal):
        return None
    routed = routing.shares(seen, goal.wanted.release)
    return steps.advance(
        goal.wanted.revision, goal.entering, routing.common(seen, goal), routed, seen.now_us,
        canary=goal.wanted.release, control=seen.live.release,
    )  # fmt: skip


def _moved(seen: Observed, goal: Goal) -> tuple[Part, ...]:
    """What of a target is not as it is live: a service that is ill there already keeps no other from being scaled."""
    kept = {} if seen.live is None else {part.digest: part.count for part in seen.live.parts}
    return tuple(part for part in goal.wanted.parts if kept.get(part.digest, 0) < part.count)


def _ready(seen: Observed, parts: Iterable[Part]) -> bool:
    return all(len(routing.healthy(seen, part.digest)) >= part.count for part in parts)


def _why(seen: Observed, goal: Goal | None, reason: str | None) -> str:
    if reason is not None:
        return f"back: {reason}"
    if goal is not None and _in_force(seen, goal):
        entering = goal.entering
        share = (
            ""
            if entering is None or entering.progress is None
            else f"{steps.weight(entering.rules, entering.progress)} % "
        )
        return f"{share}to {goal.wanted.release}"
    return "repair"


def _advance(seen: Observed, goal: Goal, in_place: bool) -> list[Action]:
    """What the target's progress asks for, beside starting its instances."""
    revision, entering = goal.wanted.revision, goal.entering
    if not _in_force(seen, goal):
        first = _first_step(seen, goal)
        return [] if first is None else [BeginRollout(revision, first)]
    if goal.routed_us is None:
        return [MarkRouted(revision)]
    if not _all_of_it(seen, goal):
        return []
    if goal.verify == "absent":
        return [PutVerify(revision)]
    stepped_us = 0 if entering is None or entering.progress is None else entering.progress.stepped_us
    watched = not goal.wanted.parts or seen.now_us - max(goal.routed_us, stepped_us) >= SETTLE_US
    if watched and in_place and goal.verify in ("none", "passed") and _ready(seen, _moved(seen, goal)):
        return [MarkReached(revision)]
    return []


def _first_step(seen: Observed, goal: Goal) -> Progress | None:
    """The first step of a target that is ready for it; None while it is not."""
    entering = goal.entering
    if entering is None or entering.progress is not None or entering.counts is None or seen.live is None:
        return None
    if not _by_steps(seen, goal) or not _ready(seen, _moved(seen, goal)):
        return None
    return steps.begin(
        entering.rules, routing.common(seen, goal), entering.counts, seen.now_us, canary=goal.wanted.release,
        control=seen.live.release,
    )  # fmt: skip


def _needed(seen: Observed, goal: Goal | None) -> dict[str, tuple[Wanted, Part]]:
    """By specification: what must run, for the target and for what is live."""
    needed: dict[str, tuple[Wanted, Part]] = {}
    for wanted in [*([goal.wanted] if goal else []), *([seen.live] if seen.live else [])]:
        for part in wanted.parts:
            if part.digest not in needed or needed[part.digest][1].count < part.count:
                needed[part.digest] = (wanted, part)
    return needed


def _starts(seen: Observed, goal: Goal | None) -> list[Action]:
    actions: list[Action] = []
    for digest, (wanted, part) in _needed(seen, goal).items():
        mine = [one for one in seen.instances if one.running and one.spec == digest and not _hung(seen, one, part)]
        missing = part.count - len(mine)
        if missing <= 0 or seen.now_us < restart_us(seen.exits, digest):
            continue
        if not wanted.prepared and Prepare(wanted.revision) not in actions:
            actions.append(Prepare(wanted.revision))
        actions += [Start(part.spec, digest)] * missing
    return actions


def _stops(seen: Observed, goal: Goal | None, routes: tuple[port.Route, ...]) -> list[Action]:
    """Whoever is nobody's, too many, hung or asked already; never one that the table names, now or next."""
    parts = {digest: part for digest, (_, part) in _needed(seen, goal).items()}
    counts = {digest: part.count for digest, part in parts.items()}
    for standby in seen.standby:
        for part in standby.wanted.parts if seen.now_us < standby.until_us and not seen.memory_short else ():
            parts.setdefault(part.digest, part)
            counts[part.digest] = max(counts.get(part.digest, 0), part.count)
    named = routing.routed(seen.routes) | routing.routed(routes)
    actions: list[Action] = []
    for one in seen.instances:
        if one.asked and one.state in ("starting", "healthy", "unhealthy"):
            actions.append(Stop(one.id, one.spec, one.started_us, "it was asked to", again=True))
    groups: dict[str, list[Seen]] = {}
    for one in seen.instances:
        if one.running:
            groups.setdefault(one.spec, []).append(one)
    for digest, group in groups.items():
        part_of = parts.get(digest)
        hung = {one.id for one in group if part_of is not None and _hung(seen, one, part_of)}
        group.sort(key=lambda one: (one.id not in named, one.id in hung, not one.healthy, one.started_us, one.id))
        keep = counts.get(digest, 0)
        for place, one in enumerate(group):
            if (place >= keep or one.id in hung) and one.id not in named:
                why = "it hangs" if one.id in hung else "there is one too many" if keep else "nothing needs it"
                actions.append(Stop(one.id, one.spec, one.started_us, why))
    return actions


def _hung(seen: Observed, one: Seen, part: Part) -> bool:
    if one.state == "unhealthy":
        return one.unhealthy_us is not None and seen.now_us - one.unhealthy_us > HUNG_US
    return one.state == "starting" and seen.now_us - one.started_us > int(part.spec.start_timeout * SECOND)


def _calm(seen: Observed) -> bool:
    healthy = all(one.healthy for one in seen.instances)
    return healthy and (seen.live is None or _ready(seen, seen.live.parts))
