"""Configuration and secrets in a real ledger: layers, versions, what makes a revision, going back, cloning."""

import json
from pathlib import Path
from typing import Any

import pytest

from ciranda.app.configuring import Configuring
from ciranda.app.views import configuration as views
from ciranda.environment import moves, revisions, secrets, settings
from ciranda.environment.revisions import Value
from ciranda.kernel import errors, events, sealing
from ciranda.project import declaration
from support import environment
from support.environment import Site
from support.kernel import Ledger

PLACES = (
    declaration.Environment("test", secrets=("TOKEN",), verify=("smoke",)),
    declaration.Environment("prod", after="test", config={"LEVEL": "warn"}),
)
SETTINGS: dict[str, declaration.Scalar] = {"LEVEL": "info", "RATE": 0.5, "ON": False}


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Site:
    return environment.site(ledger, tmp_path)


@pytest.fixture
def configuring(site: Site) -> Configuring:
    return Configuring(site.database, site.store, site.folder / secrets.FILE)


def deploy(site: Site, commit: str, place: str = "prod", **declared: Any) -> revisions.Revision:
    made = site.target(commit, place, settings=SETTINGS, environments=PLACES, **declared)
    if made.state == "target":
        site.reach(made)
    return revisions.by_id(site.database, made.id)


def config(configuring: Configuring, *unset: str, **assign: str) -> revisions.Revision | None:
    return configuring.config("flights", "prod", assign=assign, unset=unset, actor="ana")


def secret(
    configuring: Configuring, value: bytes, place: str = "prod", name: str = "TOKEN"
) -> tuple[int, bool, revisions.Revision | None]:
    return configuring.secret("flights", place, name, value, declared=True, actor="ana")


def test_what_is_set_is_a_revision_and_the_last_layer_wins(site: Site, configuring: Configuring) -> None:
    first = deploy(site, "c1")
    assert first.config["LEVEL"] == Value("warn", "environments.prod")
    made = config(configuring, LEVEL="debug", RATE="2")
    assert made is not None
    assert (made.name, made.cause, made.actor, made.release, made.state) == (
        "prod#2",
        "config",
        "ana",
        first.release,
        "target",
    )
    assert made.config == {
        "LEVEL": Value("debug", "server"),
        "RATE": Value(2.0, "server"),
        "ON": Value(False, "default"),
    }
    assert config(configuring, RATE="2") is None
    site.reach(made)
    back = config(configuring, "LEVEL")
    assert back is not None
    assert back.config["LEVEL"] == Value("warn", "environments.prod")
    later = deploy(site, "c2")
    assert later.config["RATE"] == Value(2.0, "server")


def test_what_cannot_be_set_is_refused_and_nothing_changes(site: Site, configuring: Configuring) -> None:
    deploy(site, "c1")
    for assign, said in (
        ({"RATE": "fast"}, "RATE is a number, not 'fast'"),
        ({"GONE": "1"}, "no release declares GONE"),
        ({"ON": "1"}, "true or false"),
        ({"LEVEL": "a\0b"}, "the value of LEVEL holds a NUL"),
        ({"LEVEL": "é" * (1 << 15) + "x"}, "the value of LEVEL is 65,537 bytes long"),
    ):
        with pytest.raises(errors.Refused, match=said):
            config(configuring, **{"LEVEL": "debug"} | assign)
    with pytest.raises(errors.NotFound, match="LEVEL is not set for prod on the server"):
        config(configuring, "LEVEL")
    with pytest.raises(errors.NotFound, match="flights has no environment prd"):
        configuring.config("flights", "prd", assign={"LEVEL": "x"}, unset=(), actor="ana")
    assert settings.values(site.database, "flights", "prod") == {}
    assert [one.name for one in revisions.history(site.database, "flights", "prod")] == ["prod#1"]


def test_a_setting_may_be_set_before_a_release_that_declares_it_enters(site: Site, configuring: Configuring) -> None:
    site.database.write(lambda tx: moves.declare(tx, "flights", "prod"))
    site.release("c1", settings=SETTINGS, environments=PLACES)
    assert config(configuring, RATE="3") is None
    assert deploy(site, "c1").config["RATE"] == Value(3.0, "server")


def test_a_release_whose_secret_is_not_set_does_not_enter(site: Site, configuring: Configuring) -> None:
    with pytest.raises(
        errors.Refused, match=r"services\.delays needs the secret TOKEN, which is not set for prod"
    ) as caught:
        deploy(site, "c1", secrets=("TOKEN",))
    assert caught.value.hint == "ciranda secret set TOKEN -e prod"
    assert revisions.current(site.database, "flights", "prod") is None
    with pytest.raises(errors.Refused, match=r"environments\.test needs the secret TOKEN"):
        deploy(site, "c1", "test")
    assert secret(configuring, b"value")[:2] == (1, True)
    assert deploy(site, "c1", secrets=("TOKEN",)).secrets == {"TOKEN": 1}


def test_another_version_is_a_revision_of_whoever_names_it(site: Site, configuring: Configuring) -> None:
    secret(configuring, b"value")
    first = deploy(site, "c1", secrets=("TOKEN",))
    assert secret(configuring, b"value") == (1, False, None)
    assert secret(configuring, b"other", name="UNUSED") == (1, True, None)
    version, new, made = secret(configuring, b"\0binary\xff\n")
    assert (version, new) == (2, True)
    assert made is not None
    assert (made.name, made.cause, made.secrets, made.config) == ("prod#2", "secret", {"TOKEN": 2}, first.config)
    assert configuring.unseal("flights", "prod", {"TOKEN": 2}) == {"TOKEN": b"\0binary\xff\n"}
    assert configuring.unseal("flights", "prod", first.secrets) == {"TOKEN": b"value"}
    told = json.dumps([event.body for event in events.after(site.database, 0)], default=str)
    assert "value" not in told
    for row in site.database.query("SELECT * FROM secret"):
        assert "value" not in str(row)


def test_a_seal_does_not_open_elsewhere(site: Site, configuring: Configuring) -> None:
    secret(configuring, b"of prod")
    secret(configuring, b"of test", "test")
    site.database.write(
        lambda tx: tx.execute(
            "UPDATE secret SET sealed = (SELECT sealed FROM secret AS other WHERE other.environment = 'prod') WHERE environment = 'test'"
        )
    )
    with pytest.raises(errors.Corrupt, match="version 1 of the secret TOKEN does not open"):
        configuring.unseal("flights", "test", {"TOKEN": 1})
    assert configuring.unseal("flights", "prod", {"TOKEN": 1}) == {"TOKEN": b"of prod"}


@pytest.mark.parametrize(
    ("value", "said"), [(b"", "is empty"), (b"abc", "3 bytes long"), (b"x" * 70_000, "is too long")]
)
def test_a_value_that_cannot_be_is_refused(configuring: Configuring, site: Site, value: bytes, said: str) -> None:
    with pytest.raises(errors.Invalid, match=said):
        secret(configuring, value)
    with pytest.raises(errors.Invalid, match="cannot be the name of a secret"):
        secret(configuring, b"value", name="A-B/../x")
    with pytest.raises(errors.NotFound, match="no environment"):
        configuring.secret("flights", "prod", "TOKEN", b"value", declared=False, actor="ana")


def test_a_key_that_is_lost_or_another_is_named(site: Site, configuring: Configuring) -> None:
    secret(configuring, b"value")
    configuring.key.rename(configuring.key.with_name("away"))
    for act in (lambda: secret(configuring, b"value2"), lambda: configuring.unseal("flights", "prod", {"TOKEN": 1})):
        with pytest.raises(errors.Refused, match="the key file of the secrets is missing") as caught:
            act()
        assert caught.value.where == str(configuring.key)
    sealing.create(configuring.key)
    with pytest.raises(errors.Refused, match="was sealed with the key"):
        secret(configuring, b"value2")
    assert secrets.versions(site.database, "flights", "prod") == {"TOKEN": 1}


def test_going_back_keeps_the_newest_secrets_and_a_revision_brings_its_configuration_along(
    site: Site, configuring: Configuring
) -> None:
    secret(configuring, b"one1")
    deploy(site, "c1", secrets=("TOKEN",))
    for assign in ({"RATE": "1"}, {"RATE": "2"}):
        made = config(configuring, **assign)
        assert made is not None
        site.reach(made)
    made = secret(configuring, b"two2")[2]
    assert made is not None
    site.reach(made)
    deploy(site, "c2", secrets=("TOKEN",))

    def back(to: str | None) -> revisions.Revision:
        _, made = site.database.write(lambda tx: moves.rollback(tx, "flights", "prod", actor="bo", to=to))
        site.reach(made)
        return made

    plain = back(None)
    assert (plain.secrets, plain.config["RATE"]) == ({"TOKEN": 2}, Value(2.0, "server"))
    numbered = back("prod#2")
    assert (numbered.cause, numbered.secrets, numbered.config["RATE"]) == (
        "rollback",
        {"TOKEN": 2},
        Value(1.0, "server"),
    )
    assert settings.values(site.database, "flights", "prod") == {"RATE": 1.0}
    assert back("prod#1").config["RATE"] == Value(0.5, "default")
    assert settings.values(site.database, "flights", "prod") == {}
    assert revisions.environment(site.database, "flights", "prod").held
    for wrong, said in (
        ("prod#99", "there is no revision"),
        ("test#1", "no revision of prod"),
        ("prod#x", "no revision of prod"),
        ("prod#8", "is at prod#8 already"),
    ):
        with pytest.raises(errors.Refused, match=said):
            back(wrong)


def test_a_clone_has_the_configuration_of_what_is_cloned(site: Site, configuring: Configuring) -> None:
    secret(configuring, b"value")
    deploy(site, "c1", secrets=("TOKEN",), services={"delays": 2})
    made = config(configuring, RATE="7")
    assert made is not None
    site.reach(made)
    with pytest.raises(errors.Refused, match="needs secrets that are not set for staging: TOKEN") as caught:
        configuring.clone("flights", "prod", "staging", with_secrets=False, actor="ana")
    assert "--secrets" in caught.value.hint
    assert [one.name for one in revisions.environments(site.database)] == ["prod"]
    live, clone = configuring.clone("flights", "prod", "staging", with_secrets=True, actor="ana")
    assert (live.name, clone.name, clone.cause, clone.release) == ("prod#2", "staging#1", "clone", live.release)
    assert clone.config == {
        "LEVEL": Value("warn", "server"),
        "RATE": Value(7.0, "server"),
        "ON": Value(False, "default"),
    }
    assert clone.instances == live.instances
    assert configuring.unseal("flights", "staging", clone.secrets) == {"TOKEN": b"value"}
    with pytest.raises(errors.Refused, match="staging of flights is there already"):
        configuring.clone("flights", "prod", "staging", with_secrets=True, actor="ana")
    for wrong, said in ((("prod", "Bad Name"), "cannot be called so"), (("gone", "x"), "no environment gone")):
        with pytest.raises(errors.Refused, match=said):
            configuring.clone("flights", *wrong, with_secrets=False, actor="ana")


def test_the_view_tells_layers_users_and_what_is_missing(site: Site, configuring: Configuring) -> None:
    secret(configuring, b"value")
    deploy(site, "c1", secrets=("TOKEN",))
    config(configuring, RATE="7")
    secret(configuring, b"value", name="UNUSED")
    view = views.gather(site.database, site.store, "flights", "prod")
    assert [(row.name, row.value, row.layer, row.actor) for row in view.config] == [
        ("LEVEL", "warn", "environments.prod", ""), ("ON", False, "default", ""), ("RATE", 7.0, "server", "ana"),
    ]  # fmt: skip
    assert [(one.name, one.version, one.users, one.running) for one in view.secrets] == [
        ("TOKEN", 1, ("services.delays",), 1), ("UNUSED", 1, (), None),
    ]  # fmt: skip
    site.database.write(lambda tx: moves.declare(tx, "flights", "test"))
    missing = views.gather(site.database, site.store, "flights", "test").secrets
    assert [(one.name, one.version, one.users) for one in missing] == [
        ("TOKEN", 0, ("services.delays", "environments.test"))
    ]
