"""What control samples every ten seconds: traffic of each release, instances and what they use, jobs, models, the disk."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.access import reaching, settings
from ciranda.app import home as homes
from ciranda.kernel import clock, errors, log, sockets, statements
from ciranda.kernel.database import Database
from ciranda.monitor.series import prometheus, samples, store
from ciranda.monitor.series.samples import Sample
from ciranda.service import counters, port, specs, table

sql = statements.load("ciranda.app", "sampling.sql")
EVERY = 10.0  # seconds
ASK = 2.0  # seconds for an answer of keeper or gateway
LATE = 60 * 1_000_000  # µs before the last look in which what ended may still be committed
FOLDER = "metrics"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

Key = tuple[str, str, str, str]  # project, environment, service, release


@dataclass(frozen=True, slots=True)
class Running:
    """An instance that runs: whose it is, and its process."""

    key: Key
    pid: int
    seen: port.Instance


@dataclass(frozen=True, slots=True)
class Process:
    """What the system knows of a process: its parent, seconds of processor, bytes in memory."""

    parent: int
    seconds: float
    memory: int


def of_home(home: homes.Home) -> samples.Reading:
    """What answers for the past of a home: its own store, or, of what it scrapes, the Prometheus that its settings name."""
    own = store.Store(home.root / FOLDER)
    url = settings.prometheus(home.root)
    return own if url is None else prometheus.Prometheus(url, own, prometheus.asking(url, reaching.of_home(home.root)))


class Sampling:
    """The one writer of the metrics of a home. What a Prometheus scrapes, where one is named, is not kept twice."""

    def __init__(
        self,
        home: homes.Home,
        database: Database,
        observe: Callable[[], Sequence[port.Instance]],
        now_us: Callable[[], int] = clock.now_us,
    ) -> None:
        """`observe`: every instance as it is now; it raises errors.Unreachable while the keeper is away."""
        self._home, self._database, self._observe, self._now = home, database, observe, now_us
        self.store = store.Store(home.root / FOLDER)
        self._before: Mapping[tuple[str, str], counters.Counted] | None = None
        self._looked_us = 0
        self._ended: set[str] = set()  # runs of jobs, and releases, of which samples were made
        self._said = ""
        self.latest: Sequence[Sample] = ()  # of the last look

    def close(self) -> None:
        self.store.close()

    def look(self) -> None:
        """Sample everything once. What cannot be kept for want of room is said once, and kept in memory for an hour."""
        now = self._now()
        scraped = settings.prometheus(self._home.root) is not None
        try:
            self.store.write(one for one in self.gather(now) if not (scraped and prometheus.told(one.metric)))
            self._said = ""
        except (errors.StorageFull, errors.Corrupt, errors.Refused) as error:
            if str(error) != self._said:
                log.say(f"metrics: {error}")
            self._said = str(error)

    def gather(self, now: int) -> list[Sample]:
        """Every sample of this moment."""
        found = [*self._traffic(now), *self._instances(now), *self._facts(now)]
        disk = shutil.disk_usage(self._home.root)
        found.append(Sample("disk", {}, now, 1 - disk.free / max(disk.used + disk.free, 1)))
        self._looked_us = now
        self.latest = found
        return found

    def _traffic(self, now: int) -> Iterator[Sample]:
        try:
            counted = counters.read(self._home.state / "counters")
            routes = table.load(self._home.state / "routes.json").routes
        except errors.Corrupt:
            return  # whoever writes them puts them right
        routed = {(route.prefix, target.release) for route in routes for target in route.targets}
        before, self._before = self._before, counted
        for name in sorted(routed | counted.keys()):
            one = counted.get(name)
            moved = before is not None and (name not in before or before[name] != one)
            if one is None or (name not in routed and not moved):
                continue
            key = placed(name)
            if key is None:
                continue
            if before is not None and name not in before:  # it began since the last look, at nothing
                yield from traffic(key, None, self._looked_us)
            yield from traffic(key, one, now)

    def _instances(self, now: int) -> Iterator[Sample]:
        wanted = self._wanted()
        for key, count in wanted.items():
            yield Sample("instances_wanted", labelled(key), now, count)
        found = self._running()
        if found is None:
            return  # nothing is known of them: that is not the same as none
        known = processes()
        children: dict[int, list[int]] = {}
        for pid, one in known.items():
            children.setdefault(one.parent, []).append(pid)
        healthy: dict[Key, int] = dict.fromkeys(wanted, 0)
        for running in found:
            labels = {**labelled(running.key), "instance": running.seen.id}
            healthy[running.key] = healthy.get(running.key, 0) + (running.seen.state == "healthy")
            yield Sample("in_flight", labels, now, running.seen.in_flight)
            family = [known[pid] for pid in descent(running.pid, children) if pid in known]
            if family:
                yield Sample("cpu_seconds", labels, now, sum(one.seconds for one in family))
                yield Sample("memory_bytes", labels, now, sum(one.memory for one in family))
        for key, count in healthy.items():
            yield Sample("instances_healthy", labelled(key), now, count)

    def _running(self) -> list[Running] | None:
        """The instances that the keeper keeps; None while it is away."""
        try:
            listed = sockets.ask(self._home.sockets / "keeper", {"type": "list"}, ASK)["children"]
            seen = {instance.id: instance for instance in self._observe()}
        except errors.Unreachable:
            return None
        return [
            Running(key, child["identity"]["pid"], seen[child["id"]])
            for child in listed
            if child["id"] in seen and child["exit"] is None and (key := self._key(child["spec"])) is not None
        ]

    def _key(self, spec: str) -> Key | None:
        try:
            found = specs.load(self._home.state / "specs", spec)
        except errors.Corrupt:
            return None
        return found.project, found.environment, found.service, found.release

    def _wanted(self) -> dict[Key, int]:
        """How many instances what is live asks for."""
        return {
            (row["project"], row["environment"], service, f"r{row['number']}"): int(told["count"])
            for row in self._database.query(sql.live)
            for service, told in json.loads(row["instances"]).items()
        }

    def _facts(self, now: int) -> Iterator[Sample]:
        """What the ledger knows: crashes so far, jobs that ended since the last look, figures of models that were released since."""
        exits = dict.fromkeys(self._wanted(), 0)  # none so far is what the first one is told by
        for row in self._database.query(sql.exits):
            exits[row["project"], row["environment"], row["service"], row["release"]] = row["exits"]
        for key, count in exits.items():
            yield Sample("restarts_total", labelled(key), now, count)
        since = (self._looked_us or now) - LATE
        ended, made = (self._database.query(one, since_us=since) for one in (sql.ended_jobs, sql.made_releases))
        for row in ended:
            if row["id"] not in self._ended:
                labels = {"project": row["project"], "environment": row["environment"], "job": row["job"]}
                yield Sample("job_seconds", labels, row["ended_us"], (row["ended_us"] - row["started_us"]) / 1e6)
                yield Sample("job_failed", labels, row["ended_us"], float(row["state"] == "failed"))
        for row in made:
            if row["id"] not in self._ended:
                yield from figures(row)
        self._ended = {row["id"] for row in (*ended, *made)}


def placed(name: tuple[str, str]) -> Key | None:
    """Project, environment, service and release of a slot of the counters."""
    parts = name[0].strip("/").split("/")
    return (parts[0], parts[1], parts[2], name[1]) if len(parts) == 3 else None


def labelled(key: Key) -> dict[str, str]:
    """The labels of a service's release."""
    return dict(zip(("project", "environment", "service", "release"), key, strict=True))


def traffic(key: Key, counted: counters.Counted | None, at: int) -> Iterator[Sample]:
    """The samples of one release on one route; None: it has not begun."""
    labels = labelled(key)
    yield Sample("requests", labels, at, counted.requests if counted else 0)
    yield Sample("errors", labels, at, counted.classes[4] if counted else 0)
    seen = 0
    histogram: Sequence[int] = counted.histogram if counted else (0,) * counters.BUCKETS
    for bound, count in zip(counters.BOUNDS_US, histogram, strict=False):
        seen += count
        yield Sample(f"{samples.LATENCY}{bound}", labels, at, seen)


def figures(row: Mapping[str, Any]) -> Iterator[Sample]:
    """The figures of the models of a release, as they were when it was made."""
    for asset, version in json.loads(row["outcome"]).get("assets", {}).items():
        for name, value in version.get("figures", {}).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                labels = {"project": row["project"], "release": f"r{row['number']}", "asset": asset}
                yield Sample(f"model_{name}", labels, row["created_us"], value)


def processes(root: Path = Path("/proc")) -> dict[int, Process]:
    """Every process of the machine that can be read: proc(5), `stat`."""
    found = {}
    for entry in os.scandir(root):
        if not entry.name.isdigit():
            continue
        try:
            text = (root / entry.name / "stat").read_text()
        except OSError:
            continue  # it has gone
        rest = text.rpartition(")")[2].split()
        if len(rest) > 21:
            # of its children that have gone too: a program that starts one for each request counts
            seconds = sum(map(int, rest[11:15])) / _TICKS
            found[int(entry.name)] = Process(int(rest[1]), seconds, int(rest[21]) * _PAGE)
    return found


def descent(pid: int, children: Mapping[int, Iterable[int]]) -> list[int]:
    """A process and all that descend from it."""
    found, at = [pid], 0
    while at < len(found):
        found.extend(child for child in children.get(found[at], ()) if child not in found)
        at += 1
    return found
