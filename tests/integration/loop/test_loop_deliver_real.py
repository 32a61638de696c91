"""Delivering a release while its environments move: whatever happens between two looks, every end is said once, before the last line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ciranda.environment import moves, revisions
from ciranda.kernel import migrations
from ciranda.kernel.database import Database
from ciranda.loop import advance, changes, tell
from ciranda.loop.places import Workshop
from support import environment
from support.kernel import Ledger


@dataclass
class Meanwhile:
    """A ledger in which production is reached just before a chosen read."""

    database: Database
    site: environment.Site
    revision: revisions.Revision
    at: int

    def query(self, statement: str, **parameters: Any) -> Any:
        self.passed()
        return self.database.query(statement, **parameters)

    def one(self, statement: str, **parameters: Any) -> Any:
        self.passed()
        return self.database.one(statement, **parameters)

    def write(self, work: Any) -> Any:
        return self.database.write(work)

    def passed(self) -> None:
        self.at -= 1
        if self.at == 0:
            self.site.reach(self.revision)


@pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)
@pytest.mark.parametrize("at", range(1, 25))
def test_production_is_said_to_be_live_whenever_that_comes_about(at: int, ledger: Ledger, tmp_path: Path) -> None:
    site = environment.site(ledger, tmp_path)
    migrations.migrate(site.database, ["ciranda.loop"])
    release, content = site.release("c1")
    aimed = {
        name: site.database.write(
            lambda tx, name=name: moves.target(tx, environment=name, release=release, content=content, actor="ana")
        )
        for name in content.environments
    }
    site.reach(aimed["test"])
    change = site.database.write(
        lambda tx: changes.record(
            tx, number=1, repository="flights", project="flights", ref="refs/heads/main", base="0" * 40, head="1" * 40,
            subject="x", actor="ana", accepts=False,
        )
    )  # fmt: skip
    assert site.database.write(lambda tx: changes.move(tx, change, "delivering", release=release.id))
    folder = tmp_path / "lines"
    folder.mkdir()
    meanwhile = Meanwhile(site.database, site, aimed["prod"], at)
    workshop = Workshop(
        meanwhile, site.store, folder, folder, folder, folder, folder, folder, lambda: "http://127.0.0.1"
    )  # type: ignore[arg-type]
    for _ in range(50):
        now = changes.get(site.database, change.id)
        assert now is not None
        if now.state == "settled":
            break
        advance.advance(now, workshop)
    records = list(tell.Teller(folder, change.id).records())
    keys = [record["key"] for record in records if "key" in record]
    assert sorted(keys) == ["prod:reached", "test:reached"]
    assert records[-1]["ends"]
