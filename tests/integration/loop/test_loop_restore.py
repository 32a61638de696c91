"""A store that lost, or was robbed of, the manifest of a release gets it back from ledger and repository, byte for byte."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ciranda.environment import revisions
from ciranda.kernel import database, digest, errors, migrations
from ciranda.kernel.store import Store
from ciranda.loop import changes, contents, restore
from ciranda.loop.changes import NOTHING
from ciranda.loop.places import Workshop
from ciranda.release import releases
from ciranda.versions import repositories
from support.git import new_clone

TOML = '[project]\nname = "toy"\n[services.web]\ncommand = "python web.py"\nuses = ["model"]\n[environments.prod]\n'
VERSION = {
    "asset": "model", "digest": f"b3:{'1' * 64}", "key": f"b3:{'2' * 64}", "codec": "json", "size": 3, "kind": "model",
    "rows": None, "columns": None, "figures": {},
}  # fmt: skip


def lose(packs: Path) -> None:
    for path in packs.iterdir():
        path.unlink()


def flip(packs: Path) -> None:
    for path in packs.iterdir():
        os.chmod(path, 0o644)
        path.write_bytes(path.read_bytes().replace(b"web.py", b"bad.py"))


@pytest.mark.parametrize("harm", [lose, flip])
def test_a_manifest_is_made_again(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    clone = new_clone(tmp_path / "clone")
    head = clone.commit("First", {"ciranda.toml": TOML})
    bare = repositories.ensure(tmp_path / "repositories", "toy")
    subprocess.run(["git", "-C", str(bare), "fetch", "-q", str(clone.path), "+HEAD:refs/heads/main"], check=True)
    opened = database.open(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path)
    rooms = ("kernel", "release", "environment", "loop")
    migrations.migrate(opened, [f"ciranda.{room}" for room in rooms])
    try:
        places = Workshop(
            opened, Store(tmp_path / "store"), tmp_path / "repositories", tmp_path, tmp_path, tmp_path, tmp_path, tmp_path,
            lambda: "",
        )  # fmt: skip
        release = _released(places, bare, head)
        content = releases.manifest(places.store, release)
        harm(tmp_path / "store" / "packs")
        again = Workshop(
            **{name: getattr(places, name) for name in places.__slots__} | {"store": Store(tmp_path / "store")}
        )
        with pytest.raises((errors.NotFound, errors.Corrupt), match="the manifest of r1 is not"):
            releases.manifest(again.store, release)
        restore.sweep(again)
        assert releases.manifest(Store(tmp_path / "store"), release) == content
        assert releases.manifest(again.store, release) == content
    finally:
        opened.close()


def _released(places: Workshop, bare: Path, head: str) -> releases.Release:
    """A change that passed, and the release that it became, live in prod."""
    outcome = {
        "interpreter": digest.of("interpreter", 1),
        "parameters": {},
        "assets": {"model": VERSION},
        "policy": "b3:p",
    }
    change = places.database.write(
        lambda tx: changes.record(
            tx, number=1, repository="toy", project="toy", ref="refs/heads/main", base=NOTHING, head=head, subject="x",
            actor="ana", accepts=False,
        )
    )  # fmt: skip
    places.database.write(lambda tx: changes.move(tx, change, "merged", outcome=outcome))
    merged = changes.get(places.database, change.id)
    assert merged is not None
    content = contents.of_change(merged, bare)
    kept = releases.keep(places.store, content)
    release = places.database.write(
        lambda tx: releases.make(tx, manifest=content, kept=kept, change=change.id, actor="ana")
    )
    places.database.write(
        lambda tx: revisions.target(tx, environment="prod", release=release, content=content, actor="ana")
    )
    return release
