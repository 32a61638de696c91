"""A change of a toy project on a real ledger and repository, for tests of what the loop makes of it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ciranda.kernel import database, digest, migrations
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.loop.changes import NOTHING, Change, State
from ciranda.loop.places import Workshop
from ciranda.versions import repositories
from support.git import new_clone

TOML = '[project]\nname = "toy"\n[services.web]\ncommand = "python web.py"\nuses = ["model"]\n[environments.prod]\n'
VERSION = {
    "asset": "model", "digest": f"b3:{'1' * 64}", "key": f"b3:{'2' * 64}", "codec": "json", "size": 3, "kind": "model",
    "rows": None, "columns": None, "figures": {},
}  # fmt: skip


@dataclass
class Site:
    """A workshop, the project's bare repository and the commit that its main is at."""

    places: Workshop
    bare: Path
    head: str

    def change(self, state: State, reason: str = "") -> Change:
        """A change of that commit which came as far as this state."""
        outcome = {
            "interpreter": digest.of("interpreter", 1),
            "parameters": {},
            "assets": {"model": VERSION},
            "policy": "b3:p",
        }
        made = self.places.database.write(
            lambda tx: changes.record(
                tx, number=1, repository="toy", project="toy", ref="refs/heads/main", base=NOTHING, head=self.head,
                subject="x", actor="ana", accepts=False,
            )
        )  # fmt: skip
        self.places.database.write(lambda tx: changes.move(tx, made, state, outcome=outcome, reason=reason))
        return self.now(made)

    def now(self, change: Change) -> Change:
        """The change as the ledger has it."""
        found = changes.get(self.places.database, change.id)
        assert found is not None
        return found


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """A ledger, a store and a repository with one commit on main, whose lines lie in `folder`/lines."""
    clone = new_clone(folder / "clone")
    head = clone.commit("First", {"ciranda.toml": TOML})
    bare = repositories.ensure(folder / "repositories", "toy")
    subprocess.run(["git", "-C", str(bare), "fetch", "-q", str(clone.path), "+HEAD:refs/heads/main"], check=True)
    (folder / "lines").mkdir()
    opened = database.open(f"sqlite:///{folder / 'ledger.db'}", folder)
    rooms = ("kernel", "checks", "release", "environment", "loop")
    migrations.migrate(opened, [f"ciranda.{room}" for room in rooms])
    try:
        yield Site(
            Workshop(
                opened, Store(folder / "store"), folder / "repositories", folder / "lines", folder, folder, folder, folder,
                lambda: "http://127.0.0.1",
            ),
            bare,
            head,
        )  # fmt: skip
    finally:
        opened.close()
