"""The routes in force: who may answer, requests in flight by instance, idle connections to instances."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ciranda.service import counters, request_ids, table
from ciranda.service.gateway.sticky import Sticky
from ciranda.service.port import Route

REST = 1.0  # seconds for which an instance that refused a connection is passed over
IDLE = 4.0  # seconds for which an idle connection to an instance is kept at most
ERRS = 0.1  # seconds for which a client that has all of a route counts one error: ten a second, however many it meets
CLIENTS = 4096  # that are remembered to have met an error lately


class Connection(Protocol):
    """A connection to an instance, as the pool sees it."""

    idle_since: float

    def usable(self) -> bool: ...

    def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class Upstream:
    """An instance that requests can go to."""

    id: str
    address: str | tuple[str, int]
    in_flight: int = 0
    rests_until: float = 0.0
    routed: bool = True
    idle: list[Any] = field(default_factory=list)  # connections

    def take(self) -> Any:
        """The connection that was used last; None when none can be used again."""
        while self.idle:
            connection: Connection = self.idle.pop()
            if connection.usable():
                return connection
        return None

    def close_idle(self, before: float) -> None:
        """Close what has been idle since before this moment."""
        for connection in [held for held in self.idle if held.idle_since <= before]:
            self.idle.remove(connection)
            connection.close()


@dataclass(slots=True, eq=False)
class Release:
    """One release behind a route."""

    name: str
    weight: int
    upstreams: list[Upstream]
    slot: int
    header: bytes  # the line that every answer carries
    suffix: bytes  # how the ids of the requests that it answers end
    share: float = 1.0  # of the route's requests
    erring: dict[bytes, int] = field(default_factory=dict)  # client → while in which it met an error

    def errs(self, client: bytes, now: float) -> bool:
        """Whether an error that a client meets counts: one a client and while.

        A while is as much longer as the release has fewer of the requests: a second for a tenth of them. So a client whose requests
        all fail weighs the same on both sides of a rollout.
        """
        while_ = int(now * self.share / ERRS)
        if self.erring.get(client) == while_:
            return False
        if len(self.erring) >= CLIENTS:
            self.erring.clear()
        self.erring[client] = while_
        return True


@dataclass(slots=True, eq=False)
class Entry:
    """A route in force."""

    prefix: str
    header: bytes  # the line that every request carries
    tag: bytes  # what ids of its requests carry
    releases: list[Release]
    body: int
    timeout: float
    only: tuple[Release, Upstream] | None = None  # when there is nothing to choose
    sticky: Sticky | None = None  # who is told apart, where there are several releases

    def choose(
        self, now: float, tried: Iterable[Upstream] = (), who: bytes | None = None
    ) -> tuple[Release, Upstream] | None:
        """A release by weight, for `who` always the same one, and of its instances the one with the fewest requests in flight.

        Instances that rest or were tried are passed over, and with them releases that have no others; instances that
        only rest are better than none. None: nobody is left.
        """
        if self.only is not None and not tried:
            return self.only
        able = [release for release in self.releases if release.weight]
        for resting in (False, True):
            offers = [(release, free) for release in able if (free := _free(release, now, tried, resting))]
            if offers:
                release, free = self._offer(able, offers, who) if len(offers) > 1 else offers[0]
                return release, min(free, key=_fewest)
        return None

    def _offer(
        self, able: list[Release], offers: list[tuple[Release, list[Upstream]]], who: bytes | None
    ) -> tuple[Release, list[Upstream]]:
        if who is not None and self.sticky is not None:
            own = self._own(able, self.sticky.place(who))
            for offer in offers:
                if offer[0] is own:
                    return offer
        return _weighted(offers)

    def _own(self, able: list[Release], place: float) -> Release:
        """Whose part of the scale this is: the candidate, which is the last, has its beginning, so a greater weight moves nobody back."""
        at = place * sum(release.weight for release in able)
        for release in reversed(able):
            at -= release.weight
            if at < 0:
                return release
        return able[0]


def _fewest(upstream: Upstream) -> tuple[int, float]:
    return upstream.in_flight, random.random()


def _free(release: Release, now: float, tried: Iterable[Upstream], resting: bool) -> list[Upstream]:
    return [up for up in release.upstreams if up not in tried and (resting or up.rests_until <= now)]


def _weighted(offers: list[tuple[Release, list[Upstream]]]) -> tuple[Release, list[Upstream]]:
    at = random.random() * sum(release.weight for release, _ in offers)
    for offer in offers:
        at -= offer[0].weight
        if at < 0:
            return offer
    return offers[-1]


class Force:
    """The table in force and every instance that it names or that still has requests in flight."""

    def __init__(self, counted: counters.Counters) -> None:
        self.counters = counted
        self.serial = 0
        self.entries: dict[bytes, Entry] = {}
        self.upstreams: dict[str, Upstream] = {}
        self.nowhere = counted.slot("", "", ())  # requests that no route answers

    def put(self, wanted: table.Table) -> None:
        """Put a table in force. Instances that stay keep connections and counts; idle connections to others close."""
        known = {up.id: up for up in self.upstreams.values() if up.routed or up.in_flight}
        named: dict[str, Upstream] = {}
        keep = {counters.named(route.prefix, target.release) for route in wanted.routes for target in route.targets}
        keep.add(counters.named("", ""))
        entries = {}
        for route in wanted.routes:
            entries[route.prefix.encode()] = self._entry(route, known, named, keep)
        for up in known.values():
            if up.id not in named:
                up.routed = False
                up.close_idle(float("inf"))
        self.upstreams = known | named
        self.entries = entries
        self.serial = wanted.serial

    def in_flight(self) -> dict[str, int]:
        """Requests in flight by instance; of those that left the table only those that still have some."""
        return {up.id: up.in_flight for up in self.upstreams.values() if up.routed or up.in_flight}

    def _entry(self, route: Route, known: dict[str, Upstream], named: dict[str, Upstream], keep: set[str]) -> Entry:
        releases = []
        whole = sum(target.weight for target in route.targets)
        for target in route.targets:
            ups = []
            for name, text in target.instances.items():
                address = table.parse_address(text)
                up = named.get(name) or known.get(name)
                if up is None or up.address != address:
                    up = Upstream(name, address)
                up.routed = True
                named[name] = up
                ups.append(up)
            slot = self.counters.slot(route.prefix, target.release, keep)
            header = b"X-Ciranda-Release: " + target.release.encode() + b"\r\n"
            suffix = b"-" + target.release.encode()
            share = target.weight / whole if whole else 1.0
            releases.append(Release(target.release, target.weight, ups, slot, header, suffix, share))
        limits = table.LIMITS | route.limits
        header = b"X-Forwarded-Prefix: " + route.prefix.encode() + b"\r\n"
        able = [(release, up) for release in releases if release.weight for up in release.upstreams]
        only = able[0] if len(able) == 1 else None
        tag = request_ids.tag(route.prefix)
        sticky = Sticky(route.sticky, route.targets[-1].release) if route.sticky and len(route.targets) > 1 else None
        return Entry(route.prefix, header, tag, releases, int(limits["body"]), limits["timeout"], only, sticky)
