"""A home is made at once or not at all, and never in two formats."""

from pathlib import Path

import pytest

from ciranda.app import home as homes
from ciranda.kernel import errors


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
