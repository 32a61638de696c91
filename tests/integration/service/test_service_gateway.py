"""The gateway as a process, before instances that behave and instances that do not."""

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ciranda.kernel import clock
from ciranda.service import counters, request_ids
from ciranda.service.port import Target
from support import service as support
from support.service import Scripted, Stage, head

PREFIX = "/flights/prod/delays"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UPGRADE = b"POST /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
GET = b"GET /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with support.stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def toy(stage: Stage) -> Iterator[str]:
    """A well-behaved instance's address."""
    with support.supervising(stage) as watcher:
        name = watcher.start(stage.spec(form="command"))
        yield support.healthy(watcher, name)[name].address
        watcher.stop(name)


def counted(stage: Stage) -> counters.Counted:
    return counters.read(stage.home / "state/counters")[PREFIX, "r1"]


def ok(connection: socket.socket, _: int) -> None:
    while head(connection):
        connection.sendall(OK)


# -- what an instance and a client see of each other


def test_headers_are_taken_out_and_put_in(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    sent = {
        "X-Request-Id": "mine-1",
        "X-Ciranda-Release": "r9",
        "X_Ciranda_Token": "t",
        "Connection": "x-hop",
        "X-Hop": "1",
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Proto": "https",
        "Cookie": "a=1; ciranda_session=secret; __Host-ciranda=2; b=2",
        "X-Kept": "yes",
    }
    status, headers, body = stage.get(f"{PREFIX}/headers", headers=sent)
    seen = dict(line.split(": ", 1) for line in body.decode().splitlines())
    assert status == 200
    assert headers["x-request-id"] == seen["X-Request-Id"] == "mine-1"
    assert headers["x-ciranda-release"] == "r1"
    assert seen["X-Forwarded-Prefix"] == PREFIX
    assert seen["X-Forwarded-For"] == "10.0.0.1, 127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "https"
    assert seen["X-Forwarded-Host"] == seen["Host"]
    assert seen["Cookie"] == "a=1; b=2"
    assert seen["X-Kept"] == "yes"
    assert not {"X-Ciranda-Release", "X_Ciranda_Token", "X-Hop", "Connection"} & set(seen)


def test_a_strange_request_id_is_replaced(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    _, headers, _ = stage.get(f"{PREFIX}/", headers={"X-Request-Id": "a b<script>"})
    assert request_ids.read(headers["x-request-id"])


def test_an_id_says_when_where_and_which_release_answered(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    before = clock.now_us() // 1000 * 1000
    _, headers, body = stage.get(f"{PREFIX}/headers")
    seen = dict(line.split(": ", 1) for line in body.decode().splitlines())
    assert seen["X-Request-Id"] == headers["x-request-id"]
    found = request_ids.read(headers["x-request-id"])
    assert found is not None
    assert before <= found.at_us <= clock.now_us()
    assert (found.release, found.tag.encode()) == ("r1", request_ids.tag(PREFIX))
    _, headers, _ = stage.get("/nobody/is/there")
    found = request_ids.read(headers["x-request-id"])
    assert found is not None
    assert (found.release, found.tag.encode()) == (None, request_ids.NOWHERE)


def test_an_id_names_the_release_that_answered_at_last(stage: Stage, toy: str) -> None:
    stage.split(Target("r1", 1_000_000, {"gone": f"unix:{stage.home}/nobody"}), Target("r2", 1, {"there": toy}))
    for _ in range(3):
        _, headers, body = stage.get(f"{PREFIX}/headers")
        seen = dict(line.split(": ", 1) for line in body.decode().splitlines())
        assert seen["X-Request-Id"] == headers["x-request-id"]
        assert headers["x-ciranda-release"] == "r2"
        assert headers["x-request-id"].endswith("-r2")


def test_an_instance_cannot_set_our_cookies(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    status, headers, _ = stage.get(f"{PREFIX}/cookie")
    assert (status, headers["set-cookie"]) == (200, "mine=1")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("size", [0, 1, 1000, 300_000])
def test_bodies_arrive_whole(stage: Stage, toy: str, method: str, size: int) -> None:
    stage.direct(toy)
    assert stage.get(f"{PREFIX}/size", method=method, body=b"x" * size)[2] == str(size).encode()


def test_chunked_bodies_arrive_whole_both_ways(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    pieces = (b"x" * size for size in (1, 70_000, 3))
    assert stage.get(f"{PREFIX}/size", method="POST", body=pieces, encode_chunked=True)[2] == b"70004"
    assert len(stage.get(f"{PREFIX}/stream?20")[2]) == 20 * 65536


def test_head_and_answers_without_body_leave_the_connection_usable(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    connection = http.client.HTTPConnection("127.0.0.1", stage.ports["gateway"], timeout=20)
    for method, path, expected in (
        ("HEAD", "/", 200),
        ("GET", "/", 200),
        ("GET", "/status?204", 204),
        ("GET", "/", 200),
    ):
        connection.request(method, PREFIX + path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == expected
    connection.close()


def test_pipelined_requests_are_answered_in_order(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    lines = [b"GET /flights/prod/delays/%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(50)]
    lines[20] = b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
    lines[-1] = lines[-1].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    said = stage.raw(b"".join(lines))
    assert said.count(b"HTTP/1.1 200") == 49
    places = [said.find(b" /%d " % number) for number in range(50) if number != 20]
    assert places == sorted(places)
    assert said.find(b" /19 ") < said.find(b"HTTP/1.1 404") < said.find(b" /21 ")


def test_http_1_0_and_a_client_that_sends_no_more(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    said = stage.raw(b"GET /flights/prod/delays/stream?3 HTTP/1.0\r\n\r\n", end=True)
    headers, _, body = said.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in headers
    assert len(body) == 3 * 65536


def test_expect_continue(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    with stage.dial() as connection:
        connection.sendall(
            b"POST /flights/prod/delays/size HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"hello")
        said = b""
        while not said.endswith(b"5"):
            said += connection.recv(1000)
        assert said.startswith(b"HTTP/1.1 200")


def test_a_websocket_passes(stage: Stage) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        data = head(connection)
        assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in data
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello "
        )
        data = data.partition(b"\r\n\r\n")[2]
        while data or (data := connection.recv(1000)):
            connection.sendall(data.upper())
            data = b""

    ask = b"GET /flights/prod/delays/ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
    with Scripted(serve) as instance:
        stage.direct(instance.address)
        with stage.dial() as connection:
            connection.sendall(ask + b"early ")
            said = b""
            while b"EARLY " not in said:
                said += connection.recv(1000)
            assert said.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
            assert said.endswith(b"hello EARLY ")
            connection.sendall(b"late")
            assert connection.recv(1000) == b"LATE"
            state = stage.answers("gateway", {"type": "state"})
            assert state
            assert state["in_flight"] == {instance.address: 1}
        support.until(lambda: (stage.answers("gateway", {"type": "state"}) or {})["in_flight"] == {instance.address: 0})


def test_an_upgrade_that_is_refused_leaves_a_plain_connection(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    for protocol in (b"websocket", b"h2c"):
        ask = b"GET /flights/prod/delays/%b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % (
            protocol,
            protocol,
        )
        said = stage.raw(ask + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert said.count(b"HTTP/1.1 200") == 2


# -- what is refused


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (
            b"POST /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"POST /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello", 400),
        (b"POST /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n", 400),
        (b"GET /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /flights/prod/delays/ HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        (b"GET /flights/prod/delays/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /flights/prod/delays/ HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET /flights/prod/delays/ HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /flights/prod/delays/ HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417),
        (
            UPGRADE + b"Content-Length: 5\r\n\r\nhello",
            400,
        ),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /flights/prod/delays/" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 12_000, 431),
        (b"GET /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nConnection: a\r\n" + b"X: y\r\n" * 12_000 + b"\r\n", 431),
    ],
)
def test_what_is_ambiguous_or_too_long_is_refused_and_ends_the_connection(
    stage: Stage, toy: str, data: bytes, status: int
) -> None:
    stage.direct(toy)
    said = stage.raw(data, end=True)
    assert said.startswith(b"HTTP/1.1 %d " % status)
    headers, _, body = said.partition(b"\r\n\r\n")
    assert b"Connection: close" in headers
    assert json.loads(body)["error"]
    assert said.count(b"HTTP/1.1 ") == 1


def test_bodies_that_are_too_long(stage: Stage, toy: str) -> None:
    stage.direct(toy, body=1000)
    assert stage.get(f"{PREFIX}/size", method="POST", body=b"x" * 1000)[0] == 200
    assert stage.get(f"{PREFIX}/size", method="POST", body=b"x" * 1001)[0] == 413
    said = stage.raw(
        b"POST /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"400\r\n"
        + b"x" * 1024
        + b"\r\n",
        end=True,
    )
    assert said.startswith(b"HTTP/1.1 413 ")
    with stage.dial() as connection:  # the answer is read although all of the body is sent first
        connection.sendall(b"POST /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
        for _ in range(30):
            connection.sendall(b"x" * 100_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_unknown_routes_and_no_instances(stage: Stage) -> None:
    status, headers, body = stage.get("/flights/prod/nobody/x?y")
    assert status == 404
    assert json.loads(body) == {"error": "nothing is routed there", "path": "/flights/prod/nobody/x"}
    assert headers["x-request-id"]
    stage.direct()
    status, headers, _ = stage.get()
    assert (status, headers["retry-after"]) == (503, "1")
    stage.direct("unix:/does/not/exist", "tcp:127.0.0.1:1")
    status, headers, _ = stage.get()
    assert (status, headers["retry-after"], headers["x-ciranda-release"]) == (503, "1", "r1")


def test_a_refused_request_with_a_body_leaves_the_connection_usable(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    connection = http.client.HTTPConnection("127.0.0.1", stage.ports["gateway"], timeout=20)
    for path, expected in (("/nowhere", 404), (PREFIX + "/size", 200)):
        connection.request("POST", path, body=b"x" * 1000)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (expected, True)
    connection.close()


# -- instances that misbehave


def test_an_instance_that_takes_too_long(stage: Stage) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        head(connection)
        connection.recv(1)

    with Scripted(serve) as instance:
        stage.direct(instance.address, timeout=0.5)
        before = counted(stage).unanswered
        status, headers, _ = stage.get()
        assert (status, headers["x-ciranda-release"]) == (504, "r1")
        assert counted(stage).unanswered == before + 1
        assert instance.count == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
    ],
)
def test_an_answer_that_is_not_http_is_a_bad_gateway(stage: Stage, answer: bytes) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        head(connection)
        connection.sendall(answer)
        connection.recv(1)

    with Scripted(serve) as instance:
        stage.direct(instance.address)
        assert stage.get(method="POST")[0] == 502


def test_an_answer_that_breaks_off_breaks_the_clients_connection(stage: Stage) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        head(connection)
        if number % 2:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        time.sleep(0.05)

    with Scripted(serve) as instance:
        stage.direct(instance.address)
        for _ in range(2):
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                stage.get()


def test_an_answer_that_ends_with_the_connection(stage: Stage) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nuntil ")
        time.sleep(0.05)
        connection.sendall(b"the end")

    with Scripted(serve) as instance:
        stage.direct(instance.address)
        connection = http.client.HTTPConnection("127.0.0.1", stage.ports["gateway"], timeout=20)
        for _ in range(2):
            connection.request("GET", PREFIX + "/")
            answer = connection.getresponse()
            assert (answer.status, answer.read(), answer.headers["Transfer-Encoding"]) == (
                200,
                b"until the end",
                "chunked",
            )
        connection.close()


def test_interim_answers_are_dropped_and_answers_in_small_pieces_are_put_together(stage: Stage) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        while head(connection):
            for byte in b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK:
                connection.sendall(bytes([byte]))
                time.sleep(0.0005)

    with Scripted(serve) as instance:
        stage.direct(instance.address)
        assert stage.get()[2] == b"ok"


def test_two_answers_for_one_request_reach_nobody(stage: Stage) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        while head(connection):
            connection.sendall(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")

    with Scripted(serve) as instance:
        stage.direct(instance.address)
        connection = http.client.HTTPConnection("127.0.0.1", stage.ports["gateway"], timeout=20)
        for _ in range(5):
            connection.request("POST", PREFIX + "/")
            assert connection.getresponse().read() == b"ok"
        connection.close()


def test_a_reused_connection_that_closed_costs_nobody_a_request(stage: Stage) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        head(connection)
        connection.sendall(OK)
        if number > 1:
            connection.recv(1)
        else:
            head(connection)  # the second request arrives, and the connection closes unanswered

    with Scripted(serve) as instance:
        stage.direct(instance.address)
        client = http.client.HTTPConnection("127.0.0.1", stage.ports["gateway"], timeout=20)
        for _ in range(2):
            client.request("POST", PREFIX + "/", body=b"x" * 60_000)
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (200, b"ok")
        client.close()
        assert instance.count == 2


def test_a_request_is_sent_twice_at_most_and_only_when_that_is_safe(stage: Stage) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        head(connection)

    with Scripted(serve) as one, Scripted(serve) as other, Scripted(serve) as third:
        stage.direct(one.address, other.address, third.address)
        assert stage.get(method="POST", body=b"x")[0] == 502
        assert one.count + other.count + third.count == 1
        assert stage.get()[0] == 502
        assert one.count + other.count + third.count == 3


def test_an_instance_that_closes_idle_connections_costs_nobody_a_request(stage: Stage) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        connection.settimeout(0.01)
        while head(connection):
            connection.sendall(OK)

    with Scripted(serve) as instance:
        stage.direct(instance.address)
        with support.Load(stage.ports["gateway"], clients=2) as load:
            for _ in range(30):
                load.more(3)
                time.sleep(0.012)
        assert load.failed == []


def test_an_instance_that_refuses_connections_is_left_for_another(stage: Stage) -> None:
    with Scripted(ok) as instance:
        stage.direct("tcp:127.0.0.1:1", "unix:/does/not/exist", instance.address)
        assert [stage.get(method="POST", body=b"x")[0] for _ in range(10)] == [200] * 10


# -- much, slowly, and gone


def test_a_slow_client_does_not_fill_the_gateway(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    before = _memory(stage)
    size = 1600 * 65536
    with stage.dial() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(b"GET /flights/prod/delays/stream?1600 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        read = len(connection.recv(65536))
        time.sleep(0.5)
        grown = _memory(stage) - before
        while chunk := connection.recv(1 << 20):
            read += len(chunk)
    assert grown < 30 << 20
    assert read > size


def test_a_slow_instance_does_not_fill_the_gateway(stage: Stage) -> None:
    go = threading.Event()
    read = [0]

    def serve(connection: socket.socket, _: int) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        read[0] += len(head(connection))
        go.wait(20)
        while read[0] < size:
            read[0] += len(connection.recv(1 << 20))
        connection.sendall(OK)

    size = 50 << 20
    with Scripted(serve) as instance:
        stage.direct(instance.address)
        before = _memory(stage)
        with stage.dial() as connection:
            connection.sendall(b"POST /flights/prod/delays/ HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            sender = threading.Thread(target=connection.sendall, args=(bytes(size),))
            sender.start()
            time.sleep(0.5)
            grown = _memory(stage) - before
            go.set()
            said = connection.recv(1000)
            sender.join()
        assert grown < 20 << 20
        assert said.startswith(b"HTTP/1.1 200")


def test_a_client_that_pipelines_and_does_not_read_is_paused(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    before = _memory(stage)
    with stage.dial() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        ask = b"GET /flights/prod/delays/stream?20 HTTP/1.1\r\nHost: a\r\n\r\n"
        connection.sendall(ask * 100)
        time.sleep(0.7)
        grown = _memory(stage) - before
    assert grown < 30 << 20


def test_a_client_that_leaves_frees_its_instance(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    with stage.dial() as connection:
        connection.sendall(GET.replace(b"delays/", b"delays/slow?0.3"))
        support.until(lambda: (stage.answers("gateway", {"type": "state"}) or {})["in_flight"] == {toy: 1})
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset
    support.until(lambda: (stage.answers("gateway", {"type": "state"}) or {})["in_flight"] == {toy: 0})
    assert stage.get()[0] == 200


def test_what_is_in_flight_ends_when_the_gateway_is_told_to_leave(stage: Stage, toy: str) -> None:
    stage.direct(toy)
    answers: list[tuple[int, dict[str, str], bytes]] = []
    asking = threading.Thread(target=lambda: answers.append(stage.get(f"{PREFIX}/slow?0.5")))
    with stage.dial() as idle:
        idle.sendall(GET)
        said = b""
        while not said.endswith(b" / "):
            said += idle.recv(1000)
        asking.start()
        support.until(lambda: (stage.answers("gateway", {"type": "state"}) or {})["in_flight"] == {toy: 1})
        pid = stage.pid("gateway")
        os.kill(pid, 15)
        assert idle.recv(1000) == b""
        asking.join()
    assert answers[0][0] == 200
    assert answers[0][1]["connection"] == "close"
    stage.again("gateway", pid)
    assert stage.get()[0] == 200


def _memory(stage: Stage) -> int:
    pages = int(Path(f"/proc/{stage.pid('gateway')}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
