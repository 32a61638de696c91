"""What instances of a release need on disk: its tree and the assets that its services use, each whole or not at all."""

from collections.abc import Callable
from pathlib import Path

from ciranda.environment.specs import Ground
from ciranda.kernel import errors
from ciranda.kernel.store import Store
from ciranda.release.manifest import Manifest

WriteTree = Callable[[str, Path], None]  # commit, destination: writes the tree by a rename, or raises


def prepared(content: Manifest, ground: Ground) -> bool:
    """Whether everything lies where the specifications say."""
    return ground.tree(content).is_dir() and all(ground.asset(content, name).exists() for name in content.used)


def prepare(content: Manifest, ground: Ground, *, store: Store, write_tree: WriteTree) -> None:
    """Write what is missing; safe to repeat and to be killed in.

    Raises errors.Corrupt, errors.NotFound, errors.StorageFull, errors.Invalid.
    """
    ground.trees.mkdir(parents=True, exist_ok=True)
    tree = ground.tree(content)
    if not tree.is_dir():
        try:
            write_tree(content.commit, tree)
        except errors.Refused:
            if not tree.is_dir():  # another environment of the project wrote it meanwhile
                raise
    for name in content.used:
        path = ground.asset(content, name)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            try:
                store.export(content.assets[name].digest, path)
            except OSError:
                if not path.exists():
                    raise
