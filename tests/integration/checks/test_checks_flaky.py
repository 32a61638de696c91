"""Commands that pass and fail on the very same tree: told, never taken from memory when they failed."""

import sys
from pathlib import Path

from ciranda.checks import code
from ciranda.kernel import migrations
from ciranda.kernel.database import Database


def test_a_command_that_failed_and_passed_on_the_same_tree_is_flaky(db: Database, tmp_path: Path) -> None:
    migrations.migrate(db, ["ciranda.checks"])
    mark, tree = tmp_path / "tree" / "mark", tmp_path / "tree"
    tree.mkdir()
    place = code.Place(tree, Path(sys.executable), tmp_path / "home")
    (tmp_path / "home").mkdir()
    command = "test ! -e mark"

    def run(key: str = "t1") -> tuple[bool | None, bool, int, int]:
        (outcome,) = code.run_all(
            [command], place, timeout=30, database=db, tree=key, interpreter="i"
        )  # fmt: skip
        return outcome.passed, outcome.cached, outcome.failed, outcome.tried

    mark.touch()
    assert run() == (False, False, 1, 1)
    assert run() == (False, False, 2, 2)
    mark.unlink()
    assert run() == (True, False, 2, 3)
    assert run() == (True, True, 2, 3)
    assert run("t2") == (True, False, 0, 1)


def test_what_cannot_be_judged_and_only_warns_does_not_keep_the_others_from_running(
    db: Database, tmp_path: Path
) -> None:
    migrations.migrate(db, ["ciranda.checks"])
    (tmp_path / "tree").mkdir()
    (tmp_path / "home").mkdir()
    place = code.Place(tmp_path / "tree", Path(sys.executable), tmp_path / "home")
    commands = ["sleep 30", "true"]

    def run(eased: tuple[str, ...]) -> list[bool | None]:
        found = code.run_all(commands, place, timeout=1.5, database=db, tree="t", interpreter="i", eased=eased)
        return [outcome.passed for outcome in found]

    assert run(()) == [None]
    assert run(("sleep 30",)) == [None, True]
