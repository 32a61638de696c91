"""Who answers for each service: from what is observed to the routes. Pure; health outranks role."""

from collections.abc import Iterable

from ciranda.environment.observed import Goal, Observed, Part, Seen, Wanted
from ciranda.environment.rollout import steps
from ciranda.service import port


def whole(seen: Observed, aim: Wanted | None) -> tuple[port.Route, ...]:
    """Every request goes to this revision."""
    if aim is None:
        return ()
    return tuple(_route(seen, aim, part) for part in sorted(aim.parts, key=lambda part: part.service))


def split(seen: Observed, live: Wanted, goal: Goal) -> tuple[port.Route, ...]:
    """The candidate gets its share of the requests of each service that both have; one that only one has goes there."""
    entering = goal.entering
    assert entering is not None
    assert entering.progress is not None
    weight = steps.weight(entering.rules, entering.progress)
    routes = []
    for service in sorted({part.service for one in (live, goal.wanted) for part in one.parts}):
        old, new = live.part(service), goal.wanted.part(service)
        if old is None or new is None:
            aim, part = (goal.wanted, new) if old is None else (live, old)
            assert part is not None
            routes.append(_route(seen, aim, part))
        else:
            routes.append(_shared(seen, live, goal.wanted, old, new, weight, entering.rules.sticky))
    return tuple(routes)


def common(seen: Observed, goal: Goal) -> dict[str, str]:
    """The prefix of each service that the target and what is live both have."""
    if seen.live is None:
        return {}
    return {
        part.service: f"/{seen.project}/{seen.environment}/{part.service}"
        for part in goal.wanted.parts
        if seen.live.part(part.service) is not None
    }


def shares(seen: Observed, release: str) -> dict[str, int]:
    """The percent of the requests of each service that a release is routed now."""
    found: dict[str, int] = {}
    for route in seen.routes:
        of = sum(target.weight for target in route.targets if target.instances)
        own = sum(target.weight for target in route.targets if target.instances and target.release == release)
        found[route.service] = round(100 * own / of) if of else 0
    return found


def routed(routes: Iterable[port.Route], service: str | None = None) -> frozenset[str]:
    """The instances that routes name."""
    return frozenset(
        instance
        for route in routes
        if service is None or route.service == service
        for target in route.targets
        for instance in target.instances
    )


def healthy(seen: Observed, spec: str) -> list[Seen]:
    """The instances of a specification that may be routed."""
    return [one for one in seen.instances if one.healthy and one.spec == spec]


def _route(seen: Observed, aim: Wanted, part: Part) -> port.Route:
    now = routed(seen.routes, part.service)
    chosen = _chosen(seen, part, now) or _instead(seen, part, now)
    release = chosen[0].release if chosen else aim.release
    addresses = {one.id: one.address for one in chosen if one.release == release}
    target = port.Target(release, 100, addresses)
    return port.Route(seen.project, seen.environment, part.service, (target,))


def _shared(
    seen: Observed, live: Wanted, candidate: Wanted, old: Part, new: Part, weight: int, sticky: str
) -> port.Route:
    """Two targets, the candidate last. While one of them has nobody who is healthy, the other one answers for both."""
    now = routed(seen.routes, old.service)
    ours, theirs = _chosen(seen, new, now), _chosen(seen, old, now)
    if not ours or weight <= 0:
        return _route(seen, live, old)
    if not theirs or weight >= 100:
        return _route(seen, candidate, new)
    targets = (
        port.Target(live.release, 100 - weight, _addresses(theirs)),
        port.Target(candidate.release, weight, _addresses(ours)),
    )
    return port.Route(seen.project, seen.environment, old.service, targets, sticky=sticky)


def _chosen(seen: Observed, part: Part, now: frozenset[str]) -> list[Seen]:
    """As many of a part's healthy instances as it has, those first that are routed already."""
    able = sorted(healthy(seen, part.digest), key=lambda one: (one.id not in now, one.started_us, one.id))
    return able[: part.count]


def _addresses(chosen: Iterable[Seen]) -> dict[str, str]:
    return {one.id: one.address for one in chosen}


def _instead(seen: Observed, part: Part, now: frozenset[str]) -> list[Seen]:
    """Who answers for a service none of whose own instances is healthy: health outranks role."""
    there = [one for one in seen.instances if one.running and one.service == part.service]
    still = [one for one in there if one.healthy and one.id in now]
    if still:
        return still
    for wanted in (*([seen.live] if seen.live else []), *(one.wanted for one in seen.standby)):
        other = wanted.part(part.service)
        found = healthy(seen, other.digest) if other else []
        if found:
            return found
    return [one for one in there if one.id in now]
