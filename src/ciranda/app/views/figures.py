"""What a service's figures were over some time: rate, errors, latency, saturation, each against its own week, with where it changed."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.environment import revisions
from ciranda.kernel import clock, errors
from ciranda.kernel.database import Database
from ciranda.monitor import trends
from ciranda.monitor.alerts import wording
from ciranda.monitor.series import courses
from ciranda.monitor.series.levels import DAY, HOUR, MINUTE, SECOND
from ciranda.monitor.series.samples import How, Line, Reading
from ciranda.project import names
from ciranda.release import releases

POINTS = 60  # steps of what is shown, about
STEPS = (10 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 6 * HOUR, DAY)
NAMES = ("rate", "errors", "p50", "p90", "p99")
# Of instances: the metric of the store, how it is read, and how instances are added up.
SATURATION: Mapping[str, tuple[str, How, bool]] = {
    "in_flight": ("in_flight", "mean", True),
    "cpu": ("cpu_seconds", "rate", True),
    "memory": ("memory_bytes", "max", True),
}
MOVES = 50  # revisions that may have caused a change

Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a service: `values` step by step over what is shown, `now` and `week` medians, `told` what changed in words."""

    name: str
    values: Values
    whole: float | None  # over all that is shown
    now: float | None
    week: float | None
    change: trends.Change | None
    told: str

    @property
    def times(self) -> float | None:
        """How many times its week it is now."""
        return self.now / self.week if self.now is not None and self.week else None


@dataclass(frozen=True, slots=True)
class Service:
    """A service in an environment. `releases` are those that answered in the time that is shown."""

    name: str
    releases: tuple[str, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """The figures of an environment. `times` are the beginnings of the steps, µs; `release`: of that one alone."""

    project: str
    environment: str
    release: str
    since_us: int
    until_us: int
    step_us: int
    times: tuple[int, ...]
    services: tuple[Service, ...]

    def document(self) -> dict[str, Any]:
        """The same as JSON values."""
        told = asdict(self)
        for service in told["services"]:
            for figure in service["figures"]:
                figure["unit"] = unit(figure["name"])
        return told


def gather(
    database: Database,
    reading: Reading,
    project: str,
    environment: str = "",
    service: str = "",
    *,
    since_us: int = DAY,
    release: str = "",
    now_us: int | None = None,
    deep: bool = True,
) -> Told:
    """The figures of the services of an environment, the last one where none is named. `since_us`: how long. `deep`: with their week.

    Raises errors.NotFound for a service or an environment that there is not.
    """
    now = clock.now_us() if now_us is None else now_us
    place = environment or _last(database, project)
    revisions.environment(database, project, place)
    step = next((one for one in STEPS if since_us / one <= POINTS * 1.5), STEPS[-1])
    labels = {"project": project, "environment": place} | ({"service": service} if service else {})
    labels |= {"release": release} if release else {}
    read = courses.read(reading, labels, now - since_us, now, step)
    known = {one.service for one in read if any(value is not None for value in one.requests)}
    if service and service not in known:
        live = revisions.live(database, project, place)
        there = sorted(known | set(live.instances if live else ()))
        if service not in there:
            hint = names.suggestion(service, there) or f"what there is: {', '.join(there) or 'none'}"
            raise errors.NotFound(f"{place} of {project} has no service {service}", hint=hint)
    grown = {one.service: one.whole for one in courses.together(courses.grown(reading, labels, now - since_us, now))}
    week = courses.read(reading, labels, now - 8 * DAY, now, 10 * MINUTE) if deep else []
    moves = _moves(database, project, place) if deep else {}
    services = []
    for one in courses.together(read):
        if one.service not in known:
            continue
        its = {**labels, "service": one.service}
        past = next((some for some in courses.together(week) if some.service == one.service), None)
        services.append(
            Service(
                one.service,
                tuple(some.release for some in read if some.service == one.service and any(some.requests)),
                (
                    *(
                        _traffic(name, one, grown.get(one.service), past, _finer(reading, its, name), moves)
                        for name in NAMES
                    ),
                    *_saturation(reading, its, now - since_us, now, step, one.times),
                ),
            )
        )
    times = read[0].times if read else ()
    return Told(project, place, release, now - since_us, now, step, times, tuple(services))


def values(name: str, course: courses.Course) -> Values:
    """A figure of a course, step by step."""
    match name:
        case "rate":
            return course.requests
        case "errors":
            return course.shares
        case _:
            return course.quantiles(int(name[1:]) / 100)


def whole(name: str, all_: courses.Whole | None) -> float | None:
    """A figure over all of a time."""
    if all_ is None:
        return None
    match name:
        case "rate":
            return all_.requests
        case "errors":
            return all_.share
        case _:
            return all_.quantile(int(name[1:]) / 100)


def unit(name: str) -> str:
    """The base unit of a figure."""
    return {
        "rate": "requests a second",
        "errors": "share",
        "cpu": "cores",
        "memory": "bytes",
        "in_flight": "requests",
    }.get(name, "seconds")


Finer = Callable[[int], tuple[Sequence[int], Values]]


def _finer(reading: Reading, labels: Mapping[str, str], name: str) -> Finer:
    """The half hours around a moment, minute by minute."""

    def finer(at: int) -> tuple[Sequence[int], Values]:
        read = courses.together(courses.read(reading, labels, at - 30 * MINUTE, at + 30 * MINUTE, MINUTE))
        return (read[0].times, values(name, read[0])) if read else ((), ())

    return finer


def _traffic(
    name: str,
    course: courses.Course,
    all_: courses.Whole | None,
    past: courses.Course | None,
    finer: Finer,
    moves: Mapping[int, str],
) -> Figure:
    found = trends.Trend(None, None, None) if past is None else trends.trend(past.times, values(name, past))
    change = found.change
    if change is not None:
        near = trends.changes(*finer(change.at_us))
        if near:
            rough = change.at_us
            at = min((one.at_us for one in near), key=lambda at: abs(at - rough))
            change = trends.Change(at, change.before, change.after, change.clear)
    told = "" if change is None else sentence(name, change, trends.cause(change, moves))
    return Figure(name, values(name, course), whole(name, all_), found.now, found.week, change, told)


def sentence(name: str, change: trends.Change, cause: tuple[str, int] | None) -> str:
    """`p99 rose from 8 ms to 21 ms at Tue 14:05, r42 went live 40 s before`."""
    at = time.strftime("%a %H:%M", time.localtime(change.at_us / 1e6))
    how = "rose" if change.rose else "fell"
    before, after = wording.said(name, change.before), wording.said(name, change.after)
    told = f"{name} {how} from {before} to {after} at {at}"
    return told if cause is None else f"{told}, {cause[0]} {wording.lasting(cause[1] / 1e6)} before"


def _saturation(
    reading: Reading, labels: Mapping[str, str], since: int, until: int, step: int, times: Sequence[int]
) -> list[Figure]:
    found = []
    for name, (metric, how, _) in SATURATION.items():
        lines = reading.read(metric, labels, since, until, step, how)
        if lines:
            added = _added(lines, times)
            known = [value for value in added if value is not None]
            mean = math.fsum(known) / len(known) if known else None
            last = next((value for value in reversed(added) if value is not None), None)
            found.append(Figure(name, added, mean, last, None, None, ""))
    return found


def _added(lines: Sequence[Line], times: Sequence[int]) -> Values:
    """Instances together, at the steps that are shown."""
    total: dict[int, float] = {}
    for line in lines:
        for at, value in line.points:
            if value is not None:
                total[at] = total.get(at, 0.0) + value
    return tuple(total.get(at) for at in times)


def _last(database: Database, project: str) -> str:
    """The environment that was made last of those in which something is live: production."""
    there = revisions.environments(database, project)
    if not there:
        raise errors.NotFound(f"{project} has no environment yet", hint="deliver it first: git push ciranda main")
    live = [one.name for one in there if revisions.live(database, project, one.name) is not None]
    return live[-1] if live else there[-1].name


def _moves(database: Database, project: str, environment: str) -> dict[int, str]:
    """When which release went live."""
    found = {}
    for one in revisions.history(database, project, environment, MOVES):
        if one.routed_us is not None:
            name = releases.by_id(database, one.release).name
            how = f"{name} went live" if one.cause in ("promotion", "rollback") else f"{name} was changed ({one.cause})"
            found[one.routed_us] = how
    return found
