"""What is live: the versions that the last environment of a project's chain has now: its release's, and what its jobs made since."""

from collections.abc import Mapping, Sequence

from ciranda.environment import outputs, revisions
from ciranda.kernel import errors
from ciranda.kernel.store import Store
from ciranda.loop import restore
from ciranda.loop.places import Workshop
from ciranda.pipeline import records
from ciranda.project import declaration
from ciranda.release import manifest, releases


def last(environments: Sequence[declaration.Environment]) -> str | None:
    """The last environment of the promotion chain: the one that nothing comes after."""
    followed = {environment.after for environment in environments}
    ends = [environment.name for environment in environments if environment.name not in followed]
    return ends[-1] if ends else None


def assets(places: Workshop, project: declaration.Project, *, forgiving: bool = False) -> Mapping[str, records.Version]:
    """The live version of each asset that the last environment has; empty before the first release is there.

    Raises errors.NotFound when the store lost one: without it a check would take production for empty. `forgiving`: where a
    job's is lost, the release's stands in, so that the job can make it anew.
    """
    end = last(project.environments)
    revision = None if end is None else revisions.live(places.database, project.name, end)
    if revision is None:
        return {}
    release = releases.by_id(places.database, revision.release)
    content = restore.manifest(places, release)
    made = _made(places, revision, forgiving=forgiving)
    return {
        name: _version(places.store, name, asset, release) for name, asset in content.assets.items() if name not in made
    } | made


def running(places: Workshop, project: str, environment: str) -> Mapping[str, manifest.Asset]:
    """The assets that an environment has now, as a release names them; empty where nothing is live."""
    revision = revisions.live(places.database, project, environment)
    if revision is None:
        return {}
    named = restore.manifest(places, releases.by_id(places.database, revision.release)).assets
    made = {name: output.version for name, output in outputs.current(places.database, project, environment).items()}
    return named | {name: manifest.Asset(one.digest, one.key, one.codec, one.kind) for name, one in made.items()}


def _made(places: Workshop, revision: revisions.Revision, *, forgiving: bool) -> dict[str, records.Version]:
    """What jobs made there."""
    found = {}
    for name, output in outputs.current(places.database, revision.project, revision.environment).items():
        if places.store.has(output.version.digest):
            found[name] = output.version
        elif not forgiving:
            raise errors.NotFound(
                f"{name}, which a job made for {revision.environment}, is not in the store any more",
                hint=f"make it anew: ciranda job run {output.job} -e {revision.environment}",
            )
    return found


def _version(store: Store, name: str, asset: manifest.Asset, release: releases.Release) -> records.Version:
    try:
        size = store.size(asset.digest)
    except errors.NotFound:
        raise errors.NotFound(
            f"{name} of {release.name}, which is live, is not in the store any more",
            hint=f"make it anew: git checkout {release.commit_sha[:7]} && ciranda run",
        ) from None
    return records.Version(name, asset.digest, asset.key, asset.codec, size, asset.kind)
