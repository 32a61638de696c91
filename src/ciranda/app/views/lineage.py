"""From a name to a version, to all that made it and all that uses it; from a request's id to the release that answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ciranda.app import looking
from ciranda.checks import verdicts
from ciranda.environment import jobs, outputs, revisions
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.pipeline import cache, lineage, records, runs
from ciranda.release import manifest, releases
from ciranda.service import request_ids
from ciranda.versions import repositories

RELEASES = 500  # the newest ones, which are asked what they are made of
_SLACK_US = 2_000_000  # a request may be answered before its revision says that it is routed


@dataclass(frozen=True, slots=True)
class Ground:
    """What is read: ledger, store, and the folder of the repositories."""

    database: Database
    store: Store
    repositories: Path


@dataclass(frozen=True, slots=True)
class Found:
    """A version by its name, and by way of which release or revision it was found."""

    asset: looking.Asset
    release: releases.Release | None = None
    revision: revisions.Revision | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """An environment that runs a version now, with the services that use it: (service, the asset by way of which)."""

    environment: str
    revision: str
    release: str
    services: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Uses:
    """What uses a version: what was made of it, releases that hold it (newest first), and where it is live."""

    made: tuple[lineage.Use, ...]
    releases: tuple[str, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """A release with all that made it; `revision` where one is meant."""

    release: releases.Release
    content: manifest.Manifest
    change: changes.Change | None
    run: runs.Run | None
    commit: repositories.Commit | None
    versions: Mapping[str, records.Version]
    verdicts: tuple[dict[str, object], ...]
    statements: tuple[releases.Statement, ...]
    revision: revisions.Revision | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that the gateway gave an id, and the release that answered it."""

    identity: request_ids.Identity
    environment: str
    service: str
    story: Story


def find(ground: Ground, project: str, named: str, environment: str | None = None) -> Found:
    """A version by `name`, `name@run-7`, `name@r41`, `name@prod`, `name@prod#17` or `name@b3:41c0`.

    Raises errors.NotFound, errors.Invalid, errors.Usage.
    """
    name, at, where = named.partition("@")
    if environment is not None:
        if at:
            raise errors.Usage(f"{named} says already where it is", hint=f"ciranda show {name} -e {environment}")
        where = environment
    if not where or looking.run_number(where) is not None:
        return Found(looking.asset(ground.database, project, named if not environment else name))
    if where.startswith("b3:"):
        version, run = lineage.by_digest(ground.database, project, name, where)
        return Found(_in(ground, run, version))
    if is_release(where):
        return _of(ground, releases.get(ground.database, project, where), name)
    revision = live(ground, project, where)
    if "#" not in where and (output := outputs.current(ground.database, project, where).get(name)) is not None:
        return _of_job(ground, output, revision)
    return _of(ground, releases.by_id(ground.database, revision.release), name, revision)


def is_release(named: str) -> bool:
    """Whether this is what a release is called: `r41`."""
    return named[:1] == "r" and named[1:].isdecimal()


def live(ground: Ground, project: str, named: str) -> revisions.Revision:
    """What an environment runs (`prod`), or a revision by its name (`prod#17`). Raises errors.NotFound."""
    environment, numbered, number = named.partition("#")
    revisions.environment(ground.database, project, environment)
    if numbered:
        if not number.isdecimal() or len(number) > 18:
            raise errors.NotFound(f"there is no revision {named}", hint=f"what there is: ciranda show {environment}")
        return revisions.get(ground.database, project, environment, int(number))
    found = revisions.live(ground.database, project, environment)
    if found is None:
        raise errors.NotFound(f"nothing is live in {environment} of {project} yet", hint="see: ciranda status")
    return found


def story(ground: Ground, release: releases.Release, revision: revisions.Revision | None = None) -> Story:
    """A release with its change, run, commit, versions and verdicts. Raises errors.NotFound, errors.Corrupt."""
    content = releases.manifest(ground.store, release)
    change = None if release.change is None else changes.get(ground.database, release.change)
    run = None if change is None or change.run is None else runs.by_id(ground.database, change.run)
    return Story(
        release=release,
        content=content,
        change=change,
        run=run,
        commit=commit(ground, release.project, release.commit_sha),
        versions=_versions(ground, content, change),
        verdicts=() if change is None else tuple(verdicts.of(ground.database, change.id)),
        statements=tuple(releases.stated(ground.database, release)),
        revision=revision,
    )


def commit(ground: Ground, project: str, name: str | None) -> repositories.Commit | None:
    """What a commit says of itself, where the home's repository of the project has it."""
    known = None if name is None else changes.project(ground.database, project)
    if name is None or known is None:
        return None
    repository = repositories.path(ground.repositories, known.repository)
    try:
        return repositories.commit(repository, name) if repository.is_dir() else None
    except errors.NotFound:
        return None


def uses(ground: Ground, project: str, version: records.Version) -> Uses:
    """What was made of a version, the releases that hold it, and the services that it is live in."""
    made = lineage.downstream(ground.database, project, version)
    reach = {lineage.identity(version.asset, version.digest), *(use.id for use in made)}
    holding: dict[str, tuple[releases.Release, manifest.Manifest]] = {}
    for release in releases.history(ground.database, project, RELEASES):
        try:
            content = releases.manifest(ground.store, release)
        except (errors.NotFound, errors.Corrupt):
            continue  # control makes those anew that run or may be gone back to
        if any(lineage.identity(name, asset.digest) in reach for name, asset in content.assets.items()):
            holding[release.id] = (release, content)
    places = []
    for place in revisions.environments(ground.database, project):
        now = revisions.live(ground.database, project, place.name)
        if now is not None and now.release in holding:
            release, content = holding[now.release]
            places.append(Place(place.name, now.name, release.name, _services(content, reach)))
    return Uses(tuple(made), tuple(release.name for release, _ in holding.values()), tuple(places))


def answered(ground: Ground, text: str, environment: str | None = None) -> Answered:
    """The release that answered a request, by the id that the gateway gave it. Raises errors.NotFound."""
    found = request_ids.read(text)
    if found is None:
        raise errors.NotFound(
            f'"{text}" is no id that the gateway gave',
            hint="an id that a client sends is its own; the answer's X-Ciranda-Release says which release: ciranda show r41",
        )
    if found.release is None:
        raise errors.NotFound(f"no release answered the request {text}", hint="see: ciranda status")
    for place in revisions.environments(ground.database):
        if environment is not None and place.name != environment:
            continue
        try:
            release = releases.get(ground.database, place.project, found.release)
        except errors.NotFound:
            continue
        content = releases.manifest(ground.store, release)
        for service in content.services:
            if request_ids.tag(f"/{place.project}/{place.name}/{service}").decode() == found.tag:
                revision = _routed(ground.database, place, release, found.at_us)
                return Answered(found, place.name, service, story(ground, release, revision))
    raise errors.NotFound(
        f"no service of this home has answered the request {text}",
        hint="another home: --home DIR" if environment is None else "ask without -e",
    )


def _routed(
    database: Database, place: revisions.Environment, release: releases.Release, at_us: int
) -> revisions.Revision | None:
    """The revision of a release that was routed at a moment."""
    for one in revisions.history(database, place.project, place.name, 1000):
        if one.release == release.id and one.routed_us is not None and one.routed_us <= at_us + _SLACK_US:
            return one
    return None


def _services(content: manifest.Manifest, reach: set[str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (service, name)
        for service, declared in sorted(content.services.items())
        for name in declared.uses
        if lineage.identity(name, content.assets[name].digest) in reach
    )


def _versions(ground: Ground, content: manifest.Manifest, change: changes.Change | None) -> dict[str, records.Version]:
    """The versions of a release with rows and figures, as its judge recorded them, else as far as the manifest knows."""
    told = {} if change is None else change.outcome.get("assets", {})
    found = {name: records.Version(**version) for name, version in told.items()}
    known = cache.Known(ground.database, content.project, None)
    for name, asset in content.assets.items():
        if name not in found or found[name].digest != asset.digest:
            result = known.result(asset.key)
            same = result is not None and result.version.digest == asset.digest
            found[name] = result.version if result is not None and same else _bare(name, asset)
    return found


def _bare(name: str, asset: manifest.Asset) -> records.Version:
    return records.Version(name, asset.digest, asset.key, asset.codec, 0, asset.kind)


def _of(ground: Ground, release: releases.Release, name: str, revision: revisions.Revision | None = None) -> Found:
    change = None if release.change is None else changes.get(ground.database, release.change)
    versions = _versions(ground, releases.manifest(ground.store, release), change)
    if name not in versions:
        where = release.name if revision is None else f"{release.name}, which is in {revision.name},"
        known = ", ".join(sorted(versions)) or "nothing"
        raise errors.NotFound(f'{where} has no asset "{name}"', hint=f"what there is: {known}")
    version = versions[name]
    run = None if change is None or change.run is None else runs.by_id(ground.database, change.run)
    if run is None:
        seen = lineage.by_digest(ground.database, release.project, name, version.digest)
        return Found(_in(ground, seen[1], version), release, revision)
    return Found(_in(ground, run, version), release, revision)


def _of_job(ground: Ground, output: outputs.Output, revision: revisions.Revision) -> Found:
    """The version that a job of the environment made, which it has in the place of its release's."""
    ran = jobs.get(ground.database, output.job_run)
    run = None if ran is None or ran.run is None else runs.by_id(ground.database, ran.run)
    if run is None:
        _, run = lineage.by_digest(ground.database, revision.project, output.asset, output.version.digest)
    return Found(_in(ground, run, output.version), releases.by_id(ground.database, revision.release), revision)


def _in(ground: Ground, run: runs.Run, version: records.Version) -> looking.Asset:
    """A version as a run had it; as one that it found unchanged where it had another one."""
    for asset in looking.assets(ground.database, run):
        if asset.result.version is not None and lineage.identity(
            asset.result.step, asset.result.version.digest
        ) == lineage.identity(version.asset, version.digest):
            return asset
    return looking.Asset(records.StepResult(version.asset, "unchanged", version, 0.0), run, ())
