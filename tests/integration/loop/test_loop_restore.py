"""A store that lost, or was robbed of, the manifest of a release gets it back from ledger and repository, byte for byte."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ciranda.environment import moves
from ciranda.kernel import errors
from ciranda.kernel.store import Store
from ciranda.loop import contents, restore
from ciranda.release import releases
from support import loop


def lose(packs: Path) -> None:
    for path in packs.iterdir():
        path.unlink()


def flip(packs: Path) -> None:
    for path in packs.iterdir():
        os.chmod(path, 0o644)
        path.write_bytes(path.read_bytes().replace(b"web.py", b"bad.py"))


@pytest.mark.parametrize("harm", [lose, flip])
def test_a_manifest_is_made_again(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    with loop.site(tmp_path) as site:
        release = _released(site)
        content = releases.manifest(site.places.store, release)
        harm(tmp_path / "store" / "packs")
        again = replace(site.places, store=Store(tmp_path / "store"))
        with pytest.raises((errors.NotFound, errors.Corrupt), match="the manifest of r1 is not"):
            releases.manifest(again.store, release)
        restore.sweep(again)
        assert releases.manifest(Store(tmp_path / "store"), release) == content
        assert releases.manifest(again.store, release) == content


def _released(site: loop.Site) -> releases.Release:
    """A release that a change became, on its way to prod."""
    change = site.change("merged")
    content = contents.of_change(change, site.bare)
    kept = releases.keep(site.places.store, content)
    database = site.places.database
    release = database.write(lambda tx: releases.make(tx, manifest=content, kept=kept, change=change.id, actor="ana"))
    database.write(lambda tx: moves.target(tx, environment="prod", release=release, content=content, actor="ana"))
    return release
