"""What is live: the versions that the last environment of a project's chain runs now."""

from collections.abc import Mapping, Sequence

from ciranda.environment import revisions
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.pipeline import records
from ciranda.project import declaration
from ciranda.release import manifest, releases


def last(environments: Sequence[declaration.Environment]) -> str | None:
    """The last environment of the promotion chain: the one that nothing comes after."""
    followed = {environment.after for environment in environments}
    ends = [environment.name for environment in environments if environment.name not in followed]
    return ends[-1] if ends else None


def assets(database: Database, store: Store, project: declaration.Project) -> Mapping[str, records.Version]:
    """The live version of each asset that the last environment runs; empty before the first release is there."""
    end = last(project.environments)
    revision = None if end is None else revisions.live(database, project.name, end)
    if revision is None:
        return {}
    content = releases.manifest(store, releases.by_id(database, revision.release))
    return {name: _version(store, name, asset) for name, asset in content.assets.items()}


def _version(store: Store, name: str, asset: manifest.Asset) -> records.Version:
    return records.Version(name, asset.digest, asset.key, asset.codec, store.size(asset.digest), asset.kind)
