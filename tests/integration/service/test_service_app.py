"""A FastAPI application, untouched, as a service behind the real gateway."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from ciranda.service import supervisor
from ciranda.service.port import Instance
from support import service, service_app
from support.service import Stage, until
from support.service_app import PREFIX

Served = tuple[Stage, supervisor.Supervisor, Instance]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with service_app.served(tmp_path_factory.mktemp("app")) as found:
        yield found


def log(instance: Instance) -> str:
    assert instance.log is not None
    return instance.log.read_text()


def test_it_loads_its_assets_in_its_lifespan_and_answers(served: Served) -> None:
    made, _, instance = served
    asked: dict[str, Any] = {"method": "POST", "headers": {"Content-Type": "application/json"}}
    body = json.dumps([{"distance": 2}, {"distance": 4}])
    status, _, answer = made.get(f"{PREFIX}/predict", body=body, **asked)
    assert (status, json.loads(answer)) == (200, [5.0, 10.0])
    status, _, answer = made.get(f"{PREFIX}/predict", body='[{"distance": "x"}]', **asked)
    assert (status, json.loads(answer)["detail"][0]["loc"]) == (422, ["body", 0, "distance"])
    assert "the lifespan begins" in log(instance)


def test_its_documentation_works_below_the_prefix(served: Served) -> None:
    made, _, _ = served
    status, _, page = made.get(f"{PREFIX}/docs")
    assert status == 200
    assert f"url: '{PREFIX}/openapi.json'".encode() in page
    status, _, told = made.get(f"{PREFIX}/openapi.json")
    assert (status, json.loads(told)["servers"]) == (200, [{"url": PREFIX}])
    status, headers, _ = made.get(f"{PREFIX}/about/")
    assert (status, headers["location"].partition("127.0.0.1")[2].partition("/")[2]) == (
        307,
        "flights/prod/delays/about",
    )


def test_it_sees_who_asks_and_under_which_id(served: Served) -> None:
    made, _, _ = served
    _, headers, answer = made.get(f"{PREFIX}/about", headers={"X-Request-Id": "mine", "Host": "shop.example"})
    about = json.loads(answer)
    assert about["path"] == f"{PREFIX}/about"
    assert (about["root_path"], about["prefix"], about["release"]) == (PREFIX, PREFIX, "r1")
    assert about["docs"] == f"http://shop.example{PREFIX}/about"
    assert about["id"] == headers["x-request-id"]
    assert (about["scheme"], about["client"]) == ("http", "127.0.0.1")
    proxied = {"X-Forwarded-For": "10.9.9.9, 203.0.113.7", "X-Forwarded-Proto": "https"}
    about = json.loads(made.get(f"{PREFIX}/about", headers=proxied)[2])
    assert (about["scheme"], about["client"]) == ("https", "203.0.113.7")


def test_web_sockets_go_through(served: Served) -> None:
    made, _, _ = served
    with connect(f"ws://127.0.0.1:{made.ports['gateway']}{PREFIX}/talk", open_timeout=20) as socket:
        for text in ("one", "two" * 50_000):
            socket.send(text)
            assert socket.recv(timeout=20) == f"{text} 127.0.0.1 {PREFIX}/talk"


def test_events_arrive_while_they_are_made(served: Served) -> None:
    made, _, _ = served
    connection = http.client.HTTPConnection("127.0.0.1", made.ports["gateway"], timeout=20)
    connection.request("GET", f"{PREFIX}/events?count=3&pause=0.3")
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    first = answer.readline()
    assert first == b"data: 0 x\n"
    first_at = time.monotonic()
    assert answer.read().count(b"data:") == 2
    assert time.monotonic() - first_at > 0.3, "the first one waited for the others"
    connection.close()


def test_a_large_upload_is_held_back_by_a_slow_reader_and_arrives_whole(served: Served) -> None:
    made, _, _ = served
    size = 64 << 20
    before = _memory(made, "gateway")
    body = b"x" * size
    status, _, answer = made.get(f"{PREFIX}/upload?pause=0.5", method="PUT", body=body)
    assert (status, json.loads(answer)) == (200, {"size": size})
    assert _memory(made, "gateway") - before < 16 << 20, "the gateway held the body"
    pid = json.loads(made.get(f"{PREFIX}/about")[2])["pid"]
    assert _resident(pid) < 300 << 20


def test_a_large_answer_waits_for_a_slow_client(served: Served) -> None:
    made, _, _ = served
    pid = json.loads(made.get(f"{PREFIX}/about")[2])["pid"]
    made.get(f"{PREFIX}/events?count=2&size=1000000")
    before = _memory(made, "gateway"), _resident(pid)
    connection = http.client.HTTPConnection("127.0.0.1", made.ports["gateway"], timeout=20)
    connection.request("GET", f"{PREFIX}/events?count=100&size=1000000")
    answer = connection.getresponse()
    assert answer.read(10) == b"data: 0 xx"
    time.sleep(0.5)  # what is not held back would be here by now
    assert _memory(made, "gateway") - before[0] < 16 << 20
    assert _resident(pid) - before[1] < 32 << 20
    assert len(answer.read()) > 99_000_000
    connection.close()


def test_what_the_application_raises_is_in_its_log(served: Served) -> None:
    made, _, instance = served
    assert made.get(f"{PREFIX}/raise")[0] == 500
    until(lambda: "ValueError: this is wrong" in log(instance))


def _memory(made: Stage, role: str) -> int:
    return _resident(made.pid(role))


def _resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_what_is_in_flight_ends_before_it_leaves_and_so_does_its_lifespan(tmp_path: Path) -> None:
    with service_app.served(tmp_path, drain=4.0) as (made, watcher, instance):
        answers: list[int] = []
        thread = threading.Thread(target=lambda: answers.append(made.get(f"{PREFIX}/slow?seconds=1")[0]))
        thread.start()
        until(lambda: watcher.observe()[0].in_flight == 1)
        other = service.healthy(watcher, watcher.start(service_app.spec(made, "r2")))
        watcher.route("flights", "prod", [service.route(other, "r2")])
        watcher.stop(instance.id)
        thread.join()
        assert answers == [200]
        gone = until(lambda: next((one for one in watcher.observe() if one.id == instance.id and one.exit), None))
        assert gone.exit == "exit 0"
        assert log(instance).splitlines()[-1] == "the lifespan ends"


def test_a_stream_without_end_and_an_open_web_socket_do_not_keep_it_beyond_its_drain(tmp_path: Path) -> None:
    with service_app.served(tmp_path, drain=4.0) as (made, watcher, instance):
        endless = http.client.HTTPConnection("127.0.0.1", made.ports["gateway"], timeout=20)
        endless.request("GET", f"{PREFIX}/events?count=1000000&pause=0.05")
        answer = endless.getresponse()
        answer.readline()
        with connect(f"ws://127.0.0.1:{made.ports['gateway']}{PREFIX}/talk", open_timeout=20) as socket:
            socket.send("here")
            socket.recv(timeout=20)
            watcher.route("flights", "prod", [])
            watcher.stop(instance.id)
            gone = until(lambda: next((one for one in watcher.observe() if one.exit), None))
        assert gone.exit == "exit 0", log(instance)
        assert "the lifespan ends" in log(instance)
        endless.close()


@pytest.mark.parametrize(
    ("app", "name", "said"),
    [
        ("import nothing_of_this_name", "shop:app", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("application = 1", "shop:app", "shop:app cannot be served: shop has no app"),
        ("app = 1", "shop:app", "shop:app cannot be served: it is of the type int, which is not an ASGI application"),
        ("def app(environ, start_response): ...", "shop:app", "it takes what WSGI gives"),
        ("def app(scope): ...", "shop:app", "it takes 1 values"),
        (
            "from contextlib import asynccontextmanager\nfrom fastapi import FastAPI\n"
            "@asynccontextmanager\nasync def lifespan(app):\n    raise OSError('no database')\n    yield\n"
            "app = FastAPI(lifespan=lifespan)",
            "shop:app",
            "OSError: no database",
        ),
    ],
)
def test_what_cannot_start_says_why_in_its_last_line(staged: Stage, app: str, name: str, said: str) -> None:
    with service.supervising(staged) as watcher:
        (staged.root / "tree" / "shop.py").write_text(app)
        started = watcher.start(service_app.spec(staged, name=name))
        gone = until(lambda: next((one for one in watcher.observe() if one.id == started and one.exit), None))
        assert gone.exit == "exit 1"
        assert said in log(gone).strip().splitlines()[-1]
        watcher.forget(started)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with service.stage(tmp_path_factory.mktemp("broken")) as made:
        yield made
