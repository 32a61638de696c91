"""The API over a real socket: who may do what, what is refused how, and what reaches the port."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ciranda.app import client
from ciranda.kernel import errors
from ciranda.kernel.lines import Lines
from support.git import Served, served
from support.web import request

CHANGE = "00000000-0000-7000-8000-000000000001"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("api") / "home") as running:
        yield running


def test_version_needs_no_token(web: Served) -> None:
    assert request(web.port, "GET", "/api/v1/version").json["name"] == "ciranda"


def test_without_a_token_and_with_a_wrong_one(web: Served) -> None:
    for token in (None, "cir_wrong"):
        answer = request(web.port, "GET", "/api/v1/status", token=token)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "token" in answer.json["error"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("rollback", {"project": "flights", "environment": "prod"}),
        ("hold", {"project": "flights", "environment": "prod"}),
        ("scale", {"project": "flights", "environment": "prod", "service": "delays", "instances": 2}),
        ("job/run", {"project": "flights", "environment": "prod", "job": "nightly"}),
        ("job/retry", {"project": "flights", "environment": "prod", "job": "nightly"}),
    ],
)
def test_only_operators_act(web: Served, path: str, body: dict[str, object]) -> None:
    assert request(web.port, "POST", f"/api/v1/{path}", token="developer", body=body).status == 403
    assert request(web.port, "POST", f"/api/v1/{path}", token="operator", body=body).status == 200
    assert web.control.acts[-1][0] == path
    assert "ope" in web.control.acts[-1]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"project": "flights"}, "environment"),
        ({"project": "flights", "environment": "prod", "too": 1}, "too"),
        ({"project": "flights", "environment": 7}, "environment"),
        ([], "object"),
        (b"{", "not as it should be"),
        (b"\xff", "not as it should be"),
    ],
)
def test_a_body_that_is_wrong_is_422_and_says_what(web: Served, body: object, named: str) -> None:
    before = list(web.control.acts)
    answer = request(web.port, "POST", "/api/v1/rollback", token="operator", body=body)
    assert answer.status == 422
    assert named in answer.json["error"]
    assert "environment" in answer.json["hint"]
    assert web.control.acts == before


def test_a_body_that_is_too_long_is_refused(web: Served) -> None:
    answer = request(web.port, "POST", "/api/v1/rollback", token="operator", body=b" " * (2 << 20))
    assert answer.status == 413
    assert set(answer.json) == {"error", "where", "hint", "kind"}


def test_what_is_refused_below_has_its_status_and_hint(web: Served) -> None:
    body = {"project": "flights", "environment": "nowhere"}
    answer = request(web.port, "POST", "/api/v1/rollback", token="admin", body=body)
    assert answer.status == 404
    assert answer.json == {
        "error": "there is no environment nowhere",
        "where": "",
        "hint": "ciranda status",
        "kind": "NotFound",
    }


def test_what_is_not_there(web: Served) -> None:
    answer = request(web.port, "GET", "/api/v1/secrets", token="admin")
    assert answer.status == 404
    assert answer.json["error"] == "there is nothing here"
    assert request(web.port, "GET", "/api/v1/rollback", token="admin").status == 405
    assert request(web.port, "GET", "/api/v1/plan", token="viewer").status == 422


def test_host_and_origin_are_checked(web: Served) -> None:
    path = "/api/v1/version"
    assert request(web.port, "GET", path, Host=f"localhost:{web.port}").status == 200
    assert request(web.port, "GET", path, Origin=f"http://127.0.0.1:{web.port}").status == 200
    for headers in (
        {"Host": "ciranda.example"},
        {"Host": f"evil.example:{web.port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ):
        answer = request(web.port, "GET", path, **headers)
        assert answer.status == 403, headers
        assert "error" in answer.json
    assert (
        request(web.port, "GET", "/git/flights.git/info/refs?service=git-upload-pack", Host="evil.example").status
        == 403
    )


def test_reads_reach_the_port(web: Served) -> None:
    assert request(web.port, "GET", "/api/v1/status?project=flights", token="viewer").json == {
        "projects": [{"name": "flights"}]
    }
    plan = request(web.port, "GET", "/api/v1/plan?project=flights&environment=prod&release=r42", token="viewer")
    assert plan.json == {"actions": ["flights", "prod", "r42"]}


def test_lines_are_followed_to_their_end(web: Served) -> None:
    lines = Lines(web.home.lines / f"{CHANGE}.jsonl")
    lines.append({"text": "one"})
    asked = client.Client(f"http://127.0.0.1:{web.port}", "viewer")
    stream = asked.lines(CHANGE)
    assert next(stream) == {"text": "one"}
    rest: list[dict[str, object]] = []
    reader = threading.Thread(target=lambda: rest.extend(stream))
    reader.start()
    lines.append({"text": "two"})
    lines.append({"text": "", "ends": True})
    reader.join(10)
    assert [line["text"] for line in rest] == ["two", ""]


def test_who_follows_is_told_that_the_server_stops(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        Lines(web.home.lines / f"{CHANGE}.jsonl").append({"text": "one"})
        stream = client.Client(f"http://127.0.0.1:{web.port}", "viewer").lines(CHANGE)
        assert next(stream) == {"text": "one"}
    with pytest.raises(errors.Unreachable, match="has stopped"):
        next(stream)


@pytest.mark.parametrize("name", ["nothing", "..%2f..%2ftoken", "00000000-0000-7000-8000-00000000dead"])
def test_lines_of_no_change(web: Served, name: str) -> None:
    assert request(web.port, "GET", f"/api/v1/changes/{name}/lines", token="viewer").status == 404


def test_the_client_raises_what_the_server_raised(web: Served) -> None:
    url = f"http://127.0.0.1:{web.port}"
    assert client.Client(url, "operator").post("rollback", project="flights", environment="prod", to="r40") == {
        "to": {"release": "r40"}
    }
    with pytest.raises(errors.NotFound, match="there is no environment nowhere") as told:
        client.Client(url, "operator").post("rollback", project="flights", environment="nowhere")
    assert told.value.hint == "ciranda status"
    with pytest.raises(errors.Refused, match="nobody here has this token"):
        client.Client(url, "nobody").get("status")
    with pytest.raises(errors.Unreachable):
        client.Client("http://127.0.0.1:9", "x", timeout=1.0).get("version")


def test_a_fault_of_ours_is_500_and_logged(web: Served, caplog: pytest.LogCaptureFixture) -> None:
    answer = request(web.port, "GET", "/api/v1/status?project=broken", token="viewer")
    assert answer.status == 500
    assert answer.json["error"] == "Ciranda has made a mistake"
    assert "a bug" in caplog.text
    assert b"a bug" not in answer.body
