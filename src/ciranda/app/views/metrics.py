"""What Prometheus is told: traffic of every service by release, instances, environments, changes, tasks, jobs and memory."""

import platform
import resource
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.app import metrics
from ciranda.app.metrics import Family
from ciranda.app.views import sampled
from ciranda.environment import jobs as environment_jobs
from ciranda.environment import revisions
from ciranda.kernel import errors, sockets, statements, tasks
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.monitor.series.samples import Sample
from ciranda.release import manifest, releases
from ciranda.service import counters, port, table
from ciranda.version import __version__

sql = statements.load("ciranda.environment")
ASK = 2.0  # seconds for an answer of the keeper
RECENT = 10  # releases of an environment whose traffic is told, beside those that are routed
# 512 µs, and twice as much each time, to 33.6 s: bounds that the gateway counts by, so that each bucket is exact
BOUNDS_US = tuple(512 << octave for octave in range(17))
BOUNDS = tuple(bound / 1e6 for bound in BOUNDS_US)
STATES = ("starting", "healthy", "unhealthy", "draining")

Key = tuple[str, str, str, str]  # project, environment, service, release


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment as its figures need it: `live` by service what should run, `services` what the live release says."""

    project: str
    name: str
    held: bool
    release: str  # "r42", "" before the first
    wanted: Mapping[str, int]
    services: Mapping[str, manifest.Service]
    recent: frozenset[str]  # releases that were routed lately
    ended: Mapping[str, int]  # revisions by how they ended


def gather(
    home: homes.Home,
    database: Database,
    store: Store,
    instances: Sequence[port.Instance],
    samples: Iterable[Sample] = (),
) -> list[Family]:
    """Everything that is told, to a scrape and to whom it is pushed. `instances` are those that control observes now, `samples` those
    of its last look."""
    environments = [_environment(database, store, one) for one in revisions.environments(database)]
    routed = {
        (*route.prefix[1:].split("/"), target.release) for route in _routes(home).routes for target in route.targets
    }
    told = {
        key: counted
        for (prefix, release), counted in counters.read(home.state / "counters").items()
        if (key := (*prefix[1:].split("/"), release)) in routed or _recent(environments, key)
    }
    return [
        *traffic(told),
        *running(environments, _placed(database, environments, instances)),
        *delivered(environments, changes.counts(database), tasks.counts(database)),
        *jobs(database.query(sql.job_figures)),
        *late(
            (name, environment_jobs.listing(database, name)) for name in sorted({one.project for one in environments})
        ),
        *sampled.families(samples),
        *processes(_processes(home)),
    ]


def traffic(counted: Mapping[tuple[str, ...], counters.Counted]) -> list[Family]:
    """Rate, errors and times of every service by release, from the gateway's counters."""
    named = {_labels(key): one for key, one in sorted(counted.items()) if len(key) == 4}
    return [
        metrics.family(
            "ciranda_requests_total",
            "counter",
            "Requests that were answered, by an instance or by the gateway in its place.",
            [
                ({**dict(labels), "code": f"{place}xx"}, count)
                for labels, one in named.items()
                for place, count in enumerate(one.classes, 1)
            ],
        ),
        metrics.family(
            "ciranda_unanswered_total",
            "counter",
            "Requests that an instance did not answer: refused or lost connections, time-outs.",
            [(dict(labels), one.unanswered) for labels, one in named.items()],
        ),
        Family(
            "ciranda_request_duration_seconds",
            "histogram",
            "Time from a request's head to the end of its answer, as the gateway measures it.",
            tuple(
                sample
                for labels, one in named.items()
                for sample in metrics.histogram(dict(labels), BOUNDS, coarse(one.histogram), one.seconds)
            ),
        ),
    ]


def coarse(histogram: Sequence[int]) -> list[int]:
    """The gateway's fine buckets added up between BOUNDS_US, and what lies above the last."""
    found, start = [], 0
    for bound in BOUNDS_US:
        end = counters.BOUNDS_US.index(bound) + 1
        found.append(sum(histogram[start:end]))
        start = end
    return [*found, sum(histogram[start:])]


def running(environments: Iterable[Environment], placed: Mapping[Key, Mapping[str, int]]) -> list[Family]:
    """Instances that run and that should, what is live and who owns it."""
    known = list(environments)
    live: dict[Key, Mapping[str, int]] = {
        (one.project, one.name, service, one.release): {} for one in known for service in one.wanted
    }  # of what should run and does not there are none, which is more than nothing being known
    return [
        metrics.family(
            "ciranda_instances",
            "gauge",
            "Running instances by state.",
            [
                ({**dict(_labels(key)), "state": state}, states.get(state, 0))
                for key, states in sorted((live | dict(placed)).items())
                for state in STATES
            ],
        ),
        metrics.family(
            "ciranda_instances_wanted",
            "gauge",
            "Instances that the live revision asks for.",
            [
                ({"project": one.project, "environment": one.name, "service": service}, count)
                for one in known
                for service, count in sorted(one.wanted.items())
            ],
        ),
        metrics.family(
            "ciranda_service_info",
            "gauge",
            "A service of what is live: its release, form and owner.",
            [
                (
                    {
                        "project": one.project,
                        "environment": one.name,
                        "service": name,
                        "release": one.release,
                        "form": service.form,
                        "owner": service.owner,
                    },
                    1,
                )
                for one in known
                for name, service in sorted(one.services.items())
            ],
        ),
        metrics.family(
            "ciranda_environment_held",
            "gauge",
            "1: no new release enters the environment.",
            [({"project": one.project, "environment": one.name}, int(one.held)) for one in known],
        ),
    ]


def delivered(
    environments: Iterable[Environment],
    changed: Mapping[tuple[str, str], int],
    queued: Mapping[tuple[str, str], int],
) -> list[Family]:
    """What became of changes and revisions, and what is queued."""
    outcomes = Counter[tuple[str, str]]()
    waiting = Counter[str]()
    for (project, state), count in changed.items():
        waiting[project] += 0
        if state in ("merged", "delivering", "settled"):
            outcomes[project, "merged"] += count
        elif state == "refused":
            outcomes[project, "refused"] += count
        else:
            waiting[project] += count
    tasked = [({"kind": kind, "state": state}, count) for (kind, state), count in sorted(queued.items())]
    return [
        metrics.family(
            "ciranda_changes_total",
            "counter",
            "Changes whose gate has decided, by outcome.",
            [({"project": project, "outcome": outcome}, n) for (project, outcome), n in sorted(outcomes.items())],
        ),
        metrics.family(
            "ciranda_changes_waiting",
            "gauge",
            "Changes whose gate has not decided yet.",
            [({"project": project}, count) for project, count in sorted(waiting.items())],
        ),
        metrics.family(
            "ciranda_revisions_total",
            "counter",
            "Revisions of an environment that ended, by how: reached, failed, superseded.",
            [
                ({"project": one.project, "environment": one.name, "state": state}, count)
                for one in environments
                for state, count in sorted(one.ended.items())
                if state != "target"
            ],
        ),
        metrics.family("ciranda_tasks", "gauge", "Tasks by kind and state.", tasked),
    ]


def jobs(rows: Iterable[Mapping[str, Any]]) -> list[Family]:
    """Runs of jobs by state, and when each last ended so."""
    known = [
        (
            {key: str(row[key]) for key in ("project", "environment", "job", "state")},
            int(row["runs"]),
            row["ended_us"],
        )
        for row in rows
    ]
    return [
        metrics.family(
            "ciranda_job_runs",
            "gauge",
            "Runs of a job by state: waiting, running, passed, failed, skipped.",
            [(labels, runs) for labels, runs, _ in known],
        ),
        metrics.family(
            "ciranda_job_last_end_timestamp_seconds",
            "gauge",
            "When a run of a job last ended in this state.",
            [(labels, ended / 1e6) for labels, _, ended in known if ended is not None],
        ),
    ]


def late(listed: Iterable[tuple[str, Sequence[environment_jobs.Listed]]]) -> list[Family]:
    """Jobs whose output is not there though it should be."""
    return [
        metrics.family(
            "ciranda_job_late",
            "gauge",
            "1: what a job makes should be ready and is not.",
            [
                ({"project": project, "environment": one.environment, "job": one.name}, int(one.late_us is not None))
                for project, jobs_of in listed
                for one in jobs_of
                if one.ready_by is not None
            ],
        )
    ]


def processes(pids: Mapping[str, int]) -> list[Family]:
    """Ciranda itself: its version, and the memory of each of its processes."""
    memory = [({"process": name}, size) for name, pid in sorted(pids.items()) if (size := _resident(pid))]
    said = {"version": __version__, "python": platform.python_version()}
    return [
        metrics.family("ciranda_build_info", "gauge", "What runs here.", [(said, 1)]),
        metrics.family("ciranda_process_resident_memory_bytes", "gauge", "Memory of Ciranda's own processes.", memory),
    ]


def _labels(key: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple(zip(("project", "environment", "service", "release"), key, strict=True))


def _environment(database: Database, store: Store, seen: revisions.Environment) -> Environment:
    project, name = seen.project, seen.name
    live = revisions.live(database, project, name)
    lately = [
        one.release for one in revisions.history(database, project, name, 10 * RECENT) if one.routed_us is not None
    ]
    recent = frozenset(releases.by_id(database, one).name for one in list(dict.fromkeys(lately))[:RECENT])
    counted = database.query(sql.revision_counts, project=project, environment=name)
    ended = {row["state"]: int(row["revisions"]) for row in counted}
    release = None if live is None else releases.by_id(database, live.release)
    return Environment(
        project,
        name,
        seen.held,
        "" if release is None else release.name,
        {} if live is None else {service: count.count for service, count in live.instances.items()},
        {} if release is None else _services(store, release),
        recent,
        ended,
    )


def _services(store: Store, release: releases.Release) -> Mapping[str, manifest.Service]:
    """What a release says of its services; nothing while its manifest is lost, which is made again soon."""
    try:
        return releases.manifest(store, release).services
    except (errors.Corrupt, errors.NotFound):
        return {}


def _recent(environments: Iterable[Environment], key: tuple[str, ...]) -> bool:
    return any((one.project, one.name) == key[:2] and key[-1] in one.recent for one in environments)


def _placed(
    database: Database, environments: Iterable[Environment], instances: Sequence[port.Instance]
) -> dict[Key, Counter[str]]:
    """By service and release how many instances are in each state."""
    found: dict[Key, Counter[str]] = {}
    for one in environments:
        rows = database.query(sql.specifications, project=one.project, environment=one.name)
        known = {row["digest"]: (one.project, one.name, row["service"], row["release"]) for row in rows}
        for instance in instances:
            if instance.spec in known and instance.state != "exited":
                found.setdefault(known[instance.spec], Counter())[instance.state] += 1
    return found


def _routes(home: homes.Home) -> table.Table:
    try:
        return table.load(home.state / "routes.json")
    except errors.Corrupt:
        return table.Table()


def _processes(home: homes.Home) -> dict[str, int]:
    """The numbers of the keeper and of the roles that live."""
    try:
        listed = sockets.ask(home.sockets / "keeper", {"type": "list"}, ASK)
    except errors.Unreachable:
        return {}
    roles = [child for child in listed["children"] if child["role"] != "instance" and child["exit"] is None]
    return {"keeper": listed["pid"], **{child["role"]: child["identity"]["pid"] for child in roles}}


def _resident(pid: int) -> int:
    """Bytes of memory of a process; 0: it has gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0
