"""What is delivered: environments, their instances, jobs, secrets, and changes that stand still."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from ciranda.app.doctor import findings
from ciranda.app.doctor.findings import Finding
from ciranda.app.views import status
from ciranda.environment import secrets, times
from ciranda.environment.infra import places, runs, states
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.release import manifest, releases

LONG = 600_000_000  # µs that a revision or a judge may take before it is told of
LOOPS = 3  # crashes within ten minutes


def judge(found: status.Status, *, up: bool, served: bool) -> Iterator[Finding]:
    """What is wrong with what is delivered; `up`: a server runs and can be asked, `served`: a gateway lives. Pure."""
    places = [(project, place) for project in found.projects for place in project.environments]
    before = len(found.projects)
    serving = [f"{project.name} {place.name}" for project, place in places if place.live is not None and place.services]
    if serving and not served:
        said = f"nothing is served: no server runs, and {findings.plural(len(serving), 'environment')} should answer"
        yield findings.wrong(said, findings.some(serving), "ciranda up --detach")
    told = [finding for project, place in places for finding in _environment(project.name, place, found.at_us, up=up)]
    yield from told
    if not told and places and (served or not serving):
        yield findings.ok(
            f"{findings.plural(before, 'project')}, {findings.plural(len(places), 'environment')}: nothing is held, late or failing"
        )


def _environment(project: str, place: status.Environment, now_us: int, *, up: bool) -> Iterator[Finding]:
    where, option = f"{project} {place.name}", f"-e {place.name} --project {project}"
    if place.held:
        let_go = f"ciranda hold {place.name} --release --project {project}"
        yield findings.warn(f"{place.name} is {place.held}: no new release enters", where, let_go)
    if place.failed is not None:
        said = f"{place.name}#{place.failed.revision} ({place.failed.release}) was not reached: {place.failed.text}"
        yield findings.wrong(said, where, f"ciranda status {option}")
    if place.target is not None and now_us - place.target.since_us > LONG:
        minutes = (now_us - place.target.since_us) // 60_000_000
        said = (
            f"{place.name}#{place.target.revision} ({place.target.release}) is {place.target.text} since {minutes} min"
        )
        yield findings.warn(said, where, f"ciranda status {option}")
    if place.crashes:
        level = findings.wrong if place.crashes >= LOOPS else findings.warn
        service = next(iter(place.services), None)
        yield level(
            f"instances ended by themselves {place.crashes} times in ten minutes",
            where,
            f"ciranda logs {service.name if service else 'SERVICE'} -e {place.name}",
        )
    for service in place.services:
        if up and service.routed < service.wanted:
            said = f"{service.name} has {service.routed} of {findings.plural(service.wanted, 'instance')}"
            level = findings.warn if service.routed or service.instead else findings.wrong
            yield level(said, where, f"ciranda logs {service.name} -e {place.name}")
    for job in place.jobs:
        if job.late_us is not None:
            at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(job.late_us / 1e6))
            said = f"the job {job.name} is late: what was due at {at} is not there"
            yield findings.warn(said, where, f"ciranda job show {job.name} {option}")
        elif job.last is not None and job.last.state == "failed":
            said = f"the job {job.name} failed: {job.last.reason or 'it gave no reason'}"
            yield findings.warn(said, where, f"ciranda job retry {job.name} {option}")


def unset(database: Database, store: Store, projects: Iterable[str]) -> Iterator[Finding]:
    """Secrets that the newest release of a project names, and nobody has set."""
    for project in projects:
        release = releases.latest(database, project)
        if release is None:
            continue
        with suppress(errors.NotFound, errors.Corrupt):  # a lost manifest is told where the store is looked at
            content = releases.manifest(store, release)
            there = {place: secrets.versions(database, project, place) for place in content.environments}
            yield from judge_secrets(content, release.name, there)


def judge_secrets(
    content: manifest.Manifest, release: str, there: Mapping[str, Mapping[str, int]]
) -> Iterator[Finding]:
    """`there`: by environment the secrets that are set. Pure."""
    for place in content.environments:
        if place in content.infra:
            continue  # its outputs may set them
        for name, who in secrets.needed(content, place).items():
            if name not in there.get(place, {}):
                yield findings.wrong(
                    f"{release} cannot enter {place}: {who} needs the secret {name}, which is not set",
                    f"{content.project} {place}",
                    f"ciranda secret set {name} -e {place} --project {content.project}",
                )


def infra(database: Database, now_us: int) -> Iterator[Finding]:
    """What infrastructure is not as it was left, or is locked for long."""
    there = places.every(database)
    locks = {(one.project, one.environment): states.lock_of(database, one.project, one.environment) for one in there}
    busy = {key for key in locks if runs.changing(database, *key) is not None}
    yield from judge_infra(
        there, {key: lock for key, lock in locks.items() if lock is not None and key not in busy}, now_us
    )


def judge_infra(
    there: Iterable[places.Place], locks: Mapping[tuple[str, str], states.Lock], now_us: int
) -> Iterator[Finding]:
    """`locks`: those that nothing of ours holds. Pure."""
    for place in there:
        where, option = f"{place.project} {place.environment}", f"-e {place.environment} --project {place.project}"
        if place.drifted_us is not None:
            many = findings.plural(len(place.drift), "resource")
            said = f"infrastructure has drifted since {times.said(place.drifted_us)}: {many}"
            yield findings.warn(said, where, f"ciranda infra plan {option}")
        lock = locks.get((place.project, place.environment))
        if lock is not None and now_us - lock.at_us > LONG * 6:
            who = lock.told().get("Who") or lock.actor
            said = f"the state of its infrastructure is locked by {who} since {times.said(lock.at_us)}"
            yield findings.warn(said, where, f"ciranda infra unlock {option}")


def waiting(database: Database, now_us: int) -> Iterator[Finding]:
    """Changes that do not go on by themselves."""
    yield from judge_changes(changes.unsettled(database), now_us)


def judge_changes(unsettled: Iterable[changes.Change], now_us: int) -> Iterator[Finding]:
    """Pure."""
    for change in unsettled:
        where = f"{change.project} {change.short}"
        if change.state == "asking":
            said = f"change {change.number} waits for a person: {change.reason or 'its checks could not be judged'}"
            yield findings.warn(said, where, f"ciranda approve change/{change.number} --project {change.project}")
        elif change.state in ("recorded", "judging", "passed", "merging") and now_us - change.recorded_us > LONG * 6:
            minutes = (now_us - change.recorded_us) // 60_000_000
            yield findings.warn(
                f"change {change.number} is {change.state} since {minutes:,} min",
                where,
                "ciranda up --detach, or ciranda logs",
            )
