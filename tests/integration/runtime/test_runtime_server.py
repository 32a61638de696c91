"""A real model server, over HTTP on its unix socket."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.runtime import WAIT, ServerProcess, everything, server, write_tree

SERVICE = """
    import os
    import threading
    import time
    from dataclasses import dataclass
    from typing import TypedDict

    import msgspec
    import numpy
    import polars

    class Row(msgspec.Struct):
        x: float
        name: str = ""

    calls = []

    def predict(rows: list[Row], factor, offset: float = 0.5):
        calls.append(len(rows))
        for row in rows:
            if row.name == "bad":
                raise ValueError("cannot be predicted")
            if row.name == "slow":
                time.sleep(0.3)
            if row.name == "calls":
                return [calls] * len(rows)
            if row.name == "few":
                return [1.0]
        return numpy.array([row.x * factor + offset for row in rows])

    @dataclass
    class Plain:
        x: int

    def with_dataclass(rows: list[Plain]):
        return polars.Series([row.x + 1 for row in rows])

    class Typed(TypedDict):
        x: int

    def with_typed_dict(rows: list[Typed]):
        return [{"doubled": row["x"] * 2} for row in rows]

    def with_dict(rows: list[dict], table: polars.DataFrame):
        return polars.DataFrame({"n": [len(row) + table.height for row in rows]})

    def with_object(rows):
        return [object() for row in rows]

    def with_load(rows):
        import ciranda
        return [ciranda.load("factor") for row in rows]

    def wrong(rows: int):
        return rows

    async def later(rows):
        return rows

    class Odd:
        def __init__(self, a, b): ...

    def unreadable(rows: list[Odd]):
        return rows

    def needs(rows, absent):
        return rows
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "factor").write_text("2")
    return write_tree(tmp_path / "tree", {"service.py": SERVICE})


@pytest.fixture
def running(tree: Path, tmp_path: Path) -> Iterator[ServerProcess]:
    with server(tree, tmp_path / "server", {"factor": (tmp_path / "factor", "json")}) as found:
        yield found


def test_one_object_and_an_array_are_answered_in_their_shape(running: ServerProcess) -> None:
    status, answer, headers = running.ask({"x": 3}, x_request_id="abc")
    assert (status, answer, headers["x-request-id"]) == (200, 6.5, "abc")
    assert running.ask([{"x": 1}, {"x": 2}])[:2] == (200, [2.5, 4.5])
    assert running.ask([])[:2] == (200, [])
    assert running.ask(method="GET")[:2] == (200, {"status": "ready"})
    assert running.ask(method="HEAD")[:2] == (200, None)


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        (b"{", 400, None),
        (b"", 400, None),
        (b'{"x": "\xff"}', 400, None),
        (b"[" * 100_000, 400, None),
        ({"name": "n"}, 422, {"error": "object missing required field `x`", "row": 0, "field": "x"}),
        ({"x": "1"}, 422, {"error": "expected `float`, got `str`", "row": 0, "field": "x"}),
        ([{"x": 1}, {"x": 1, "name": 2}], 422, {"error": "expected `str`, got `int`", "row": 1, "field": "name"}),
        ([{"x": 1}, {}], 422, {"error": "object missing required field `x`", "row": 1, "field": "x"}),
        ([{"x": 1}, 7], 422, {"error": "expected `object`, got `int`", "row": 1, "field": ""}),
        (7, 422, {"error": "expected `object`, got `int`", "row": 0, "field": ""}),
    ],
)
def test_what_is_not_json_or_lacks_a_field_is_refused(
    running: ServerProcess, body: object, status: int, answer: object
) -> None:
    found, said, _ = running.ask(body)
    assert found == status, said
    assert said == answer or answer is None
    assert running.ask({"x": 3})[:2] == (200, 6.5)


def test_a_bad_request_does_not_fail_its_neighbours(running: ServerProcess) -> None:
    answers: list[tuple[int, object]] = []
    bodies = [
        {"x": 1, "name": "slow"},
        {"x": 1},
        {"x": 1, "name": "bad"},
        [{"x": 2}, {"x": 3}],
        {"x": 1, "name": "few"},
    ]
    with running.connect() as made:
        made.sendall(b"".join(request(body) for body in bodies))
        made.shutdown(socket.SHUT_WR)
        answers = parsed(everything(made))
    assert [status for status, _ in answers] == [200, 200, 500, 200, 200]
    assert [answer for status, answer in answers if status == 200] == [2.5, 2.5, [4.5, 6.5], 1.0]
    assert answers[2][1] == {"error": "predict raised ValueError; the service's log has the traceback"}
    deadline = time.monotonic() + 10  # a traceback reaches the file line by line
    while "ValueError: cannot be predicted" not in (log := running.log.read_text()):
        assert time.monotonic() < deadline, log
    assert "ciranda/runtime" not in log


def test_a_wrong_number_of_answers_is_an_error(running: ServerProcess) -> None:
    status, answer, _ = running.ask([{"x": 1, "name": "few"}, {"x": 2}])
    assert (status, answer) == (500, {"error": "predict answered 1 times for 2 rows"})


def test_requests_that_arrive_together_share_calls_of_at_most_256_rows(running: ServerProcess) -> None:
    with running.connect() as made:
        made.sendall(b"".join(request({"x": number}) for number in range(600)))
        made.shutdown(socket.SHUT_WR)
        assert [answer for _, answer in parsed(everything(made))] == [number * 2 + 0.5 for number in range(600)]
    calls = running.ask({"x": 0, "name": "calls"})[1]
    assert sum(calls) == 601
    assert max(calls) <= 256
    assert len(calls) < 300
    assert running.ask([{"x": 1}] * 1000)[1] == [2.5] * 1000


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\n{}", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16777217\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01garbage\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 200),
    ],
)
def test_framing_is_strict_and_the_connection_ends(running: ServerProcess, data: bytes, status: int) -> None:
    answer = running.raw(data)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"connection: close\r\n" in answer
    assert answer.count(b"content-length: ") == 1


def test_methods_paths_and_connections(running: ServerProcess) -> None:
    assert running.ask(method="DELETE")[0] == 405
    assert running.ask(method="DELETE")[2]["allow"] == "GET, HEAD, POST"
    assert running.ask(method="GET", path="/other")[0] == 404
    assert running.ask({"x": 1}, path="/?explain=1")[0] == 200
    old = running.raw(b'POST / HTTP/1.0\r\nContent-Length: 8\r\n\r\n{"x": 1}')
    assert old.endswith(b"\r\n\r\n2.5")
    chunked = b'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"x\r\n5\r\n": 1}\r\n0\r\n\r\n'
    assert running.raw(chunked).endswith(b"\r\n\r\n2.5")
    with running.connect() as made:
        made.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 8\r\nConnection: close\r\n\r\n"
        )
        assert made.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        made.sendall(b'{"x": 1}')
        assert everything(made).endswith(b"2.5")


def test_a_body_that_grows_beyond_the_limit_is_refused(running: ServerProcess) -> None:
    with running.connect() as made:
        made.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        for _ in range(17):
            made.sendall(chunk)
        assert everything(made).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("name", "body", "answer"),
    [
        ("with_dataclass", {"x": 1}, 2),
        ("with_typed_dict", [{"x": 1}], [{"doubled": 2}]),
        ("with_load", {}, 2),
    ],
)
def test_rows_of_any_type_that_json_can_say(
    tree: Path, tmp_path: Path, name: str, body: object, answer: object
) -> None:
    with server(tree, tmp_path / "s", {"factor": (tmp_path / "factor", "json")}, f"service:{name}") as running:
        assert running.ask(body)[:2] == (200, answer)


def test_tables_in_and_out(tree: Path, tmp_path: Path) -> None:
    import polars as pl

    pl.DataFrame({"a": [1, 2]}).write_parquet(tmp_path / "table")
    with server(tree, tmp_path / "s", {"table": (tmp_path / "table", "parquet")}, "service:with_dict") as running:
        assert running.ask([{}, {"a": 1}])[:2] == (200, [{"n": 2}, {"n": 3}])


def test_answers_that_json_cannot_say(tree: Path, tmp_path: Path) -> None:
    with server(tree, tmp_path / "s", name="service:with_object") as running:
        assert running.ask({})[:2] == (500, {"error": "predict answered what JSON cannot say"})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("service:wrong", "rows is a list of rows, so its annotation is list[Row], not int"),
        ("service:later", "is an async function"),
        ("service:unreadable", "cannot be read from JSON"),
        ("service:needs", "no asset 'absent' was given to this process; it has none"),
        ("service:missing", "service has no function missing"),
        ("service", "names no function"),
        ("nowhere:predict", "ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_what_cannot_be_served_is_said_and_ends(tree: Path, tmp_path: Path, name: str, says: str) -> None:
    with server(tree, tmp_path / "s", name=name) as running:
        assert running.process.wait(WAIT) == 1
        assert not running.socket.exists()
    assert says in running.log.read_text()
    assert "ciranda/runtime" not in running.log.read_text()


def test_a_slow_model_does_not_keep_the_server_from_its_health(running: ServerProcess) -> None:
    for _ in range(2):
        running.ask({"x": 1, "name": "slow"})
    with running.connect() as made:
        made.sendall(request({"x": 1, "name": "slow"}))
        assert running.ask(method="GET")[0] == 200
        made.settimeout(0)
        with pytest.raises(BlockingIOError):
            made.recv(1)
        made.settimeout(WAIT)
        assert made.recv(1000).endswith(b"2.5")


def test_sigterm_finishes_what_is_in_flight_and_answers_under_load(running: ServerProcess) -> None:
    failed: list[str] = []
    answered = [0]
    started = threading.Barrier(5)

    def client() -> None:
        made = running.connect()
        started.wait()
        while True:
            made.sendall(request({"x": 1}))
            data = b""
            while not data.endswith(b"2.5"):
                more = made.recv(1 << 16)
                if not more:
                    failed.append(f"the connection ended after {data!r}")
                    return
                data += more
            answered[0] += 1
            if b"connection: close" in data:
                made.close()
                return

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    idle = running.connect()
    slow = running.connect()
    slow.sendall(request({"x": 1, "name": "slow"}))
    started.wait()
    while answered[0] < 100:
        threads[0].join(0.01)
    running.process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(WAIT)
    assert everything(slow).endswith(b"2.5")
    assert everything(idle) == b""
    assert running.process.wait(WAIT) == 0
    assert failed == []
    assert not running.socket.exists()
    slow.close()
    idle.close()


def test_a_socket_that_was_left_is_replaced(tree: Path, tmp_path: Path) -> None:
    assets = {"factor": (tmp_path / "factor", "json")}
    with server(tree, tmp_path / "s", assets) as first:
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(WAIT)
        assert first.socket.exists()
    with server(tree, tmp_path / "s", assets) as second:
        assert second.ask({"x": 1})[0] == 200
        assert second.socket.stat().st_mode & 0o777 == 0o600


def request(body: object) -> bytes:
    data = json.dumps(body).encode()
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data)


def parsed(data: bytes) -> list[tuple[int, object]]:
    """Statuses and JSON bodies of answers that follow one another."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
        found.append((int(head.split(b" ")[1]), json.loads(data[:length])))
        data = data[length:]
    return found
