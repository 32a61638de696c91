"""A home is made at once or not at all, and never in two formats."""

import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from ciranda.app import home as homes
from ciranda.kernel import database as databases
from ciranda.kernel import errors, migrations, statements


def test_a_home_that_is_made_twice_is_one(tmp_path: Path) -> None:
    home = homes.Home(tmp_path / "home")
    homes.create(home)
    homes.create(home)
    with homes.opened(home) as (database, _):
        assert database.one("SELECT COUNT(*) AS n FROM event") == {"n": 0}


def test_a_ledger_that_does_not_answer_leaves_no_address_behind(tmp_path: Path) -> None:
    home = homes.Home(tmp_path / "home")
    with pytest.raises(errors.CirandaError):
        homes.create(home, "postgresql://127.0.0.1:1/nothing")
    assert not (home.root / "ledger.url").exists()
    homes.create(home)


def test_a_home_of_another_format_and_none_at_all_are_refused(tmp_path: Path) -> None:
    home = homes.Home(tmp_path / "home")
    with pytest.raises(errors.NotFound, match="no home here yet"), homes.opened(home):
        pass
    home.root.mkdir()
    (home.root / "format").write_text("ciranda.home/9\n")
    with pytest.raises(errors.Refused, match=r"ciranda\.home/9"), homes.opened(home):
        pass


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_what_cannot_be_a_home_is_refused_with_the_reason(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    home = homes.Home(tmp_path / place)
    with pytest.raises(errors.Refused, match="cannot be used as a home: not a directory") as caught:
        homes.create(home)
    assert caught.value.where == str(home.root)
    assert (tmp_path / "file").read_text() == "mine"


def former(home: homes.Home, url: str | None) -> None:
    """A home as format 1 had it: the first scripts of the rooms, and a row."""
    homes._make_folders(home)
    if url:
        (home.root / "ledger.url").write_text(url)
    opened = databases.open(home.ledger_url, home.sockets)
    with closing(opened):
        for room in homes.ROOMS:
            script = statements.folder(f"ciranda.{room}") / "migrations" / "0001.sql"
            if not script.exists():
                continue
            opened.write(partial(migrations._apply, room=f"ciranda.{room}", number=1, path=script))
        row = "INSERT INTO project (name, repository, branch, at_us) VALUES ('toy', 'toy', 'main', 1)"
        opened.write(lambda tx: tx.execute(row))
    (home.root / "format").write_text(homes.FORMER[0])


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_home_of_the_former_format_is_brought_up_to_date_once_after_a_copy(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    home = homes.Home(tmp_path / "home")
    former(home, None if kind == "sqlite" else request.getfixturevalue("postgres_server").fresh())
    with pytest.raises(errors.Refused, match="made by an older Ciranda"), homes.opened(home):
        pass
    copied = homes.upgrade(home)
    assert copied is not None
    assert homes.upgrade(home) is None
    with homes.opened(home) as (database, _):
        assert database.query("SELECT name FROM project") == [{"name": "toy"}]
        assert database.query("SELECT name FROM setting") == []  # a table of this format
    if kind == "sqlite":
        with closing(sqlite3.connect(copied)) as kept:
            assert kept.execute("SELECT name FROM project").fetchall() == [("toy",)]
    shutil.rmtree(home.sockets, ignore_errors=True)


def test_an_upgrade_that_was_killed_before_its_end_is_done_again_and_keeps_the_first_copy(tmp_path: Path) -> None:
    home = homes.Home(tmp_path / "home")
    former(home, None)
    copied = homes.upgrade(home)
    assert copied is not None
    before = Path(copied).read_bytes()
    (home.root / "format").write_text(homes.FORMER[0])
    assert homes.upgrade(home) == copied
    assert Path(copied).read_bytes() == before
    shutil.rmtree(home.sockets, ignore_errors=True)
