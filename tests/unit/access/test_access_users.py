"""Users and roles: what holds where, that the last admin stays, and that all of it is a fact in the ledger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.access import roles, tokens, users
from ciranda.access.roles import ALL, ROLES, Grant, User
from ciranda.app.views import audit
from ciranda.kernel import clock, errors, events
from ciranda.kernel.database import Database

PLACES = ("", "flights", "trains")
GRANTS = st.builds(
    Grant, st.sampled_from((ALL, "flights", "trains")), st.sampled_from((ALL, "test", "prod")), st.sampled_from(ROLES)
)


@pytest.mark.parametrize(
    ("grants", "place", "role"),
    [
        ((), ("flights", "prod"), None), ((Grant("flights", ALL, "developer"),), ("flights", "prod"), "developer"),
        ((Grant("flights", "prod", "operator"),), ("flights", "prod"), "operator"),
        ((Grant("flights", "prod", "operator"),), ("flights", "test"), "viewer"),
        ((Grant("flights", "prod", "operator"),), ("flights", ""), "viewer"),
        ((Grant("flights", "prod", "admin"),), ("trains", ""), None), ((Grant("flights", ALL, "admin"),), ("", ""), None),
        ((Grant(ALL, "prod", "operator"),), ("trains", "prod"), "operator"),
        ((Grant("flights", ALL, "admin"), Grant("flights", "prod", "viewer")), ("flights", "prod"), "admin"),
    ],
)  # fmt: skip
def test_what_holds_where(grants: tuple[Grant, ...], place: tuple[str, str], role: str | None) -> None:
    assert User("ana", grants=grants).role_in(*place) == role


@given(st.lists(GRANTS, max_size=5), GRANTS, st.sampled_from(PLACES), st.sampled_from(("", "test", "prod")))
def test_another_grant_takes_nothing_away(grants: list[Grant], more: Grant, project: str, environment: str) -> None:
    place = (project, environment if project else "")
    before, after = User("ana", grants=tuple(grants)), User("ana", grants=(*grants, more))
    for role in ROLES:
        assert after.may(role, *place) or not before.may(role, *place)


def test_the_last_admin_stays_and_so_does_their_last_token(db: Database) -> None:
    token = db.write(lambda tx: tokens.create(tx, user="ana", role="admin"))
    db.write(lambda tx: users.add(tx, "bea", actor="ana"))
    acts = (
        lambda tx: users.remove(tx, "ana", actor="ana"),
        lambda tx: users.revoke(tx, "ana", ALL, ALL, actor="ana"),
        lambda tx: users.grant(tx, "ana", Grant(ALL, ALL, "viewer"), actor="ana"),
        lambda tx: tokens.revoke(tx, tokens.identity(token) or "", actor="ana"),
    )
    db.write(lambda tx: users.grant(tx, "bea", Grant(ALL, ALL, "admin"), actor="ana"))
    for act in acts:  # bea has no token: nobody could come in
        with pytest.raises(errors.Refused, match="last"):
            db.write(act)
    db.write(lambda tx: tokens.make(tx, "bea", actor="ana"))
    db.write(acts[0])
    assert tokens.find(db, token) is None
    assert users.find(db, "ana") is None


def test_a_token_ends_when_it_is_too_old_and_when_it_is_revoked(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    db.write(lambda tx: tokens.create(tx, user="ana", role="admin"))
    first, _ = db.write(lambda tx: tokens.make(tx, "ana", days=1, actor="ana"))
    second, made = db.write(lambda tx: tokens.make(tx, "ana", actor="ana"))
    assert tokens.find(db, first) == tokens.find(db, second) == User("ana", "admin")
    db.write(lambda tx: tokens.revoke(tx, made.id, actor="ana"))
    assert tokens.find(db, second) is None
    now_us = clock.now_us()
    monkeypatch.setattr(clock, "now_us", lambda: now_us + 2 * tokens.DAY)
    assert tokens.find(db, first) is None
    assert len(tokens.listing(db)) == 1


@pytest.mark.parametrize("name", ["", "Ana", "ciranda", "schedule", "a b", "ana\n", "é", "x" * 65, "-x"])
def test_names_that_nobody_can_have(db: Database, name: str) -> None:
    with pytest.raises(errors.Invalid):
        db.write(lambda tx: users.add(tx, name, actor="ana"))


def test_all_of_it_is_in_the_audit_log_and_what_was_changed_there_is_found(db: Database) -> None:
    db.write(lambda tx: tokens.create(tx, user="ana", role="admin"))
    db.write(lambda tx: users.add(tx, "bea", actor="ana"))
    db.write(lambda tx: users.grant(tx, "bea", Grant("flights", ALL, "viewer"), actor="ana"))
    _, made = db.write(lambda tx: tokens.make(tx, "bea", actor="bea"))
    db.write(lambda tx: tokens.revoke(tx, made.id, actor="ana"))
    db.write(lambda tx: users.revoke(tx, "bea", "flights", ALL, actor="ana"))
    db.write(lambda tx: users.remove(tx, "bea", actor="ana"))
    found = audit.gather(db, audit.Asked())
    assert [one.kind for one in found.events] == [
        "user.added", "role.granted", "token.created", "token.revoked", "role.revoked", "user.removed",
    ]  # fmt: skip
    assert not found.broken
    assert [one.kind for one in audit.gather(db, audit.Asked(actor="bea")).events] == ["token.created"]
    assert [one.kind for one in audit.gather(db, audit.Asked(kind="token", most=1)).events] == ["token.revoked"]
    assert audit.gather(db, audit.Asked(most=2)).earlier == found.events[-2].seq
    assert audit.gather(db, audit.Asked(), sees=lambda chain: chain != users.CHAIN).events == ()
    db.write(lambda tx: tx.execute("UPDATE event SET actor = 'eve' WHERE kind = 'role.granted'"))
    assert "role.granted" in audit.gather(db, audit.Asked()).chains[0].broken
    assert events.chains(db)[0].name == "-"


def test_who_was_removed_may_come_back_and_may_nothing(db: Database) -> None:
    db.write(lambda tx: tokens.create(tx, user="ana", role="admin"))
    db.write(lambda tx: tokens.create(tx, user="bea", role="operator"))
    db.write(lambda tx: users.remove(tx, "bea", actor="ana"))
    assert users.alone(db)
    assert db.write(lambda tx: users.add(tx, "bea", actor="ana")) == User("bea")
    assert users.find(db, "bea") == User("bea")
    assert not users.alone(db)
    with pytest.raises(errors.Refused, match="there is a user bea"):
        db.write(lambda tx: users.add(tx, "bea", actor="ana"))
    with pytest.raises(errors.Refused, match="has no role in flights"):
        roles.require(users.find(db, "bea"), "viewer", "flights")
