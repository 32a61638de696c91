"""Terraform's `http` backend as Terraform speaks it, and as nobody should."""

import base64
import hashlib
import json
from collections.abc import Iterator

import pytest

from ciranda.environment.infra import runs, states
from ciranda.kernel import events
from support.terraform import Ground, ground
from support.web import Answer, request

PLACE = "/api/v1/terraform/toy/prod"
LOCK = {"ID": "one", "Operation": "OperationTypeApply", "Who": "ana@laptop", "Created": "2026-11-23T00:00:00Z"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("backend")) as found:
        yield found


@pytest.fixture(autouse=True)
def _clean(site: Ground) -> None:
    site.database.write(lambda tx: (tx.execute("DELETE FROM infra_lock"), tx.execute("DELETE FROM infra_state")))


def state(serial: int, lineage: str = "l", **more: object) -> bytes:
    return json.dumps(
        {"version": 4, "serial": serial, "lineage": lineage, "outputs": {}, "resources": [], **more}
    ).encode()


def ask(site: Ground, method: str, path: str = PLACE, body: object = None, pair: str = "", **headers: str) -> Answer:
    port = int(site.url.rpartition(":")[2])
    told = {"Authorization": f"Basic {base64.b64encode((pair or f'ada:{site.token}').encode()).decode()}"}
    return request(port, method, path, body=body, **told, **headers)


def test_a_state_is_written_under_its_lock_and_read_again(site: Ground) -> None:
    assert ask(site, "GET").status == 204
    assert ask(site, "LOCK", body=LOCK).status == 200
    assert ask(site, "LOCK", body=LOCK).status == 200  # asked again by the one that has it
    other = ask(site, "LOCK", body=LOCK | {"ID": "two"})
    assert (other.status, other.json["Who"]) == (423, "ana@laptop")
    md5 = base64.b64encode(hashlib.md5(state(1)).digest()).decode()
    assert ask(site, "POST", f"{PLACE}?ID=one", state(1), **{"Content-MD5": md5}).status == 200
    assert ask(site, "POST", f"{PLACE}?ID=two", state(2)).status == 423
    assert ask(site, "POST", PLACE, state(2)).status == 423
    assert ask(site, "UNLOCK", body=LOCK | {"ID": "two"}).status == 423
    assert ask(site, "UNLOCK", body=LOCK).status == 200
    assert ask(site, "UNLOCK", body=LOCK).status == 200
    assert ask(site, "GET").body == state(1)
    assert ask(site, "POST", f"{PLACE}?ID=one", state(2)).status == 409  # its lock was broken meanwhile
    assert ask(site, "LOCK", body=LOCK).status == 200
    assert ask(site, "UNLOCK").status == 200  # terraform force-unlock


def test_every_version_is_kept_for_a_while_and_the_same_is_no_other(site: Ground) -> None:
    for number in range(1, states.KEPT + 4):
        assert ask(site, "POST", body=state(number)).status == 200
        assert ask(site, "POST", body=state(number)).status == 200
    there = states.history(site.database, "toy", "prod", 1000)
    assert [one.serial for one in there] == list(range(states.KEPT + 3, 3, -1))
    assert ask(site, "DELETE").status == 200
    assert ask(site, "GET").status == 204
    assert ask(site, "POST", body=state(1, "m")).status == 200
    kinds = [event.kind for event in events.after(site.database, 0)]
    assert kinds.count("infra.written") >= states.KEPT
    kept = [one.object for one in states.history(site.database, "toy", "prod", 9) if not one.gone]
    assert all(b"lineage" not in site.workshop.store.get(name) for name in kept)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"serial": 1}', b'{"lineage": 1, "serial": "1"}', b"\xff" * 100, b"[" * 100_000],
)
def test_what_is_no_state_is_not_kept(site: Ground, body: bytes) -> None:
    assert ask(site, "POST", body=body).status == 422
    assert ask(site, "LOCK", body=body).status == 422
    assert ask(site, "GET").status == 204


def test_resources_that_cannot_be_read_are_no_state(site: Ground) -> None:
    assert ask(site, "POST", body=state(1, resources=[{"mode": "managed", "instances": [1]}])).status == 422
    assert ask(site, "POST", body=state(1, resources=[3])).status == 422


def test_a_torn_body_is_not_kept(site: Ground) -> None:
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert ask(site, "POST", body=state(1), **{"Content-MD5": wrong}).status == 400
    assert ask(site, "GET").status == 204


def test_who_may_not_is_told_nothing(site: Ground) -> None:
    for pair in ("ada:wrong", "x:", ":", "ada"):
        answer = ask(site, "GET", pair=pair)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
    for path in ("/api/v1/terraform/../../git", "/api/v1/terraform/toy", "/api/v1/terraform/TOY/prod", f"{PLACE}/x"):
        assert ask(site, "GET", path).status == 404
    assert ask(site, "GET", "/api/v1/terraform/other/prod").status == 404  # nobody pushed it
    assert ask(site, "PATCH").status == 405


def test_the_password_of_a_run_is_good_for_its_environment_while_it_runs(site: Ground) -> None:
    run = site.database.write(lambda tx: runs.look(tx, "toy", "prod", "plan", "q", release="r", actor="ana"))
    password = runs.start(site.database, run)
    pair = f"{run.id}:{password}"
    assert ask(site, "GET", pair=pair).status == 204
    assert ask(site, "GET", "/api/v1/terraform/toy/test", pair=pair).status == 401
    assert ask(site, "POST", body=state(1), pair=pair).status == 409  # without a lock of its own
    assert ask(site, "LOCK", body=LOCK, pair=pair).status == 200
    assert ask(site, "POST", f"{PLACE}?ID=one", state(2), pair=pair).status == 200
    assert ask(site, "POST", f"{PLACE}?ID=one", state(1), pair=pair).status == 409  # older than what is there
    site.database.write(lambda tx: runs.end(tx, run, "done"))
    assert ask(site, "GET", pair=pair).status == 401
    assert password.encode() not in (site.home.root / "ledger.db").read_bytes()
