"""What is live: the versions that the last environment of a project's chain runs now."""

from collections.abc import Mapping, Sequence

from ciranda.environment import revisions
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


def assets(places: Workshop, project: declaration.Project) -> Mapping[str, records.Version]:
    """The live version of each asset that the last environment runs; empty before the first release is there.

    Raises errors.NotFound when the store lost one: without it a check would take production for empty.
    """
    end = last(project.environments)
    revision = None if end is None else revisions.live(places.database, project.name, end)
    if revision is None:
        return {}
    release = releases.by_id(places.database, revision.release)
    content = restore.manifest(places, release)
    return {name: _version(places.store, name, asset, release) for name, asset in content.assets.items()}


def running(places: Workshop, project: str, environment: str) -> Mapping[str, manifest.Asset]:
    """The assets that an environment runs now, as its release names them; empty where nothing is live."""
    revision = revisions.live(places.database, project, environment)
    return (
        {} if revision is None else restore.manifest(places, releases.by_id(places.database, revision.release)).assets
    )


def _version(store: Store, name: str, asset: manifest.Asset, release: releases.Release) -> records.Version:
    try:
        size = store.size(asset.digest)
    except errors.NotFound:
        raise errors.NotFound(
            f"{name} of {release.name}, which is live, is not in the store any more",
            hint=f"make it anew: git checkout {release.commit_sha[:7]} && ciranda run",
        ) from None
    return records.Version(name, asset.digest, asset.key, asset.codec, size, asset.kind)
