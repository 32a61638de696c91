"""Where a home is: named by an option, a variable or nothing."""

from pathlib import Path

import pytest

from ciranda.app import home


def test_a_home_is_where_the_option_the_variable_or_the_default_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CIRANDA_HOME", raising=False)
    assert home.locate().root == tmp_path / ".ciranda"
    monkeypatch.setenv("CIRANDA_HOME", str(tmp_path / "b"))
    assert home.locate().root == tmp_path / "b"
    assert home.locate("~/c").root == tmp_path / "c"


def test_a_home_that_is_named_from_below_has_no_way_up_in_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    assert home.locate("../home").root == tmp_path / "home"
    assert home.locate(str(tmp_path / "gone" / ".." / "home")).root == tmp_path / "home"
