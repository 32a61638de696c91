"""What is live: every asset of the release that the last environment runs, those that no service uses included."""

from dataclasses import replace
from pathlib import Path

import pytest

from ciranda.environment import moves
from ciranda.kernel import errors
from ciranda.loop import contents, live, receive
from ciranda.release import releases
from support import loop


def test_all_assets_of_the_last_environment_are_live(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        project = receive.declared(site.bare, site.head)
        assert live.assets(site.places, project) == {}
        store, database = site.places.store, site.places.database
        with store.batch():
            kept = {"model": store.put(b"{}"), "sales": store.put(b"[1]")}
        change = site.change("merged")
        content = contents.of_change(change, site.bare)
        content = replace(content, assets={name: replace(content.assets["model"], digest=kept[name]) for name in kept})
        manifest = releases.keep(store, content)
        release = database.write(
            lambda tx: releases.make(tx, manifest=content, kept=manifest, change=None, actor="ana")
        )
        wanted = database.write(
            lambda tx: moves.target(tx, environment="prod", release=release, content=content, actor="ana")
        )
        database.write(lambda tx: moves.end(tx, wanted, "reached", actor="ana"))
        assert {name: version.digest for name, version in live.assets(site.places, project).items()} == kept
        store.discard(kept["sales"])
        with pytest.raises(errors.NotFound, match="sales of r1, which is live, is not in the store any more"):
            live.assets(site.places, project)
