"""Tokens: known by a digest alone, and the first one survives any crash."""

import stat
from pathlib import Path

import pytest

from ciranda.access import tokens
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from support.kernel import Ledger


def test_a_token_finds_its_user(db: Database) -> None:
    token = db.write(lambda tx: tokens.create(tx, user="ana", role="developer"))
    assert tokens.find(db, token) == tokens.User("ana", "developer")


def test_only_the_digest_is_stored(db: Database) -> None:
    token = db.write(lambda tx: tokens.create(tx, user="ana", role="viewer"))
    stored = repr(db.query("SELECT * FROM token") + db.query("SELECT * FROM users"))
    assert token not in stored
    assert token.rpartition("_")[2] not in stored


@pytest.mark.parametrize("wrong", ["", "cir_", "x", "cir_" + "0" * 16 + "_" + "0" * 64, "\x00", "é", "cir_1\n"])
def test_what_is_no_token_finds_nobody(db: Database, wrong: str) -> None:
    db.write(lambda tx: tokens.create(tx, user="ana", role="admin"))
    assert tokens.find(db, wrong) is None


def test_the_right_name_with_a_wrong_secret_finds_nobody(db: Database) -> None:
    token = db.write(lambda tx: tokens.create(tx, user="ana", role="admin"))
    name, _, secret = token.rpartition("_")
    assert tokens.find(db, f"{name}_{secret[::-1]}") is None


def test_another_token_gives_the_user_another_role(db: Database) -> None:
    first = db.write(lambda tx: tokens.create(tx, user="ana", role="viewer"))
    db.write(lambda tx: tokens.create(tx, user="ana", role="operator"))
    assert tokens.find(db, first) == tokens.User("ana", "operator")


def test_the_first_token_is_an_admins_and_private(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "token"
    tokens.first_token(db, path)
    assert tokens.find(db, path.read_text().strip()) == tokens.User("admin", "admin")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_first_token_is_made_once(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "token"
    tokens.first_token(db, path)
    before = path.read_text()
    tokens.first_token(db, path)
    assert path.read_text() == before
    path.unlink()
    tokens.first_token(db, path)
    assert not path.exists()
    assert len(db.query("SELECT id FROM token")) == 1


def test_a_crash_between_file_and_ledger_is_healed(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "token"
    tokens.first_token(ledger.open(), path)
    before = path.read_text()
    database = ledger.open()
    database.write(lambda tx: tx.execute("DELETE FROM token"))
    tokens.first_token(database, path)
    assert path.read_text() == before
    assert tokens.find(database, before.strip()) == tokens.User("admin", "admin")


def test_a_torn_token_file_is_replaced(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("cir_12")
    tokens.first_token(db, path)
    assert tokens.find(db, path.read_text().strip()) is not None


@pytest.mark.parametrize("has", tokens.ROLES)
@pytest.mark.parametrize("needs", tokens.ROLES)
def test_a_role_may_do_what_those_before_it_may(has: tokens.Role, needs: tokens.Role) -> None:
    user = tokens.User("ana", has)
    if tokens.ROLES.index(has) >= tokens.ROLES.index(needs):
        assert tokens.require(user, needs) is user
    else:
        with pytest.raises(errors.Refused, match=f"ana is {has}, and this needs {needs}"):
            tokens.require(user, needs)


def test_nobody_may_nothing() -> None:
    with pytest.raises(errors.Refused, match="token"):
        tokens.require(None, "viewer")


def test_a_user_is_found_by_name(db: Database) -> None:
    db.write(lambda tx: tokens.create(tx, user="ana", role="operator"))
    assert tokens.user(db, "ana") == tokens.User("ana", "operator")
    assert tokens.user(db, "bob") is None
