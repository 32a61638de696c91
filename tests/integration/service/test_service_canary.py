"""Two releases behind one route of a real gateway: who gets which, and what is counted of each."""

import http.client
import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from ciranda.service import counters
from ciranda.service.port import Target
from support import service as support
from support.service import Scripted, Stage, head

PREFIX = "/flights/prod/delays"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with support.stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


def ok(connection: socket.socket, _: int) -> None:
    while head(connection):
        connection.sendall(OK)


def bad(connection: socket.socket, _: int) -> None:
    while head(connection):
        connection.sendall(BAD)


def gone(connection: socket.socket, _: int) -> None:
    head(connection)  # and it closes without a word


def counted(stage: Stage, release: str) -> counters.Counted:
    return counters.read(stage.home / "state/counters")[PREFIX, release]


def targets(old: Scripted, new: Scripted, weight: int, release: str) -> tuple[Target, Target]:
    return Target("r1", 100 - weight, {"old": old.address}), Target(release, weight, {"new": new.address})


def test_a_client_gets_the_same_release_each_time(stage: Stage) -> None:
    with Scripted(ok) as old, Scripted(ok) as new:
        stage.split(*targets(old, new, 50, "r2"), sticky="cookie:who")
        got: Counter[str] = Counter()
        for number in range(40):
            found = {stage.get(headers={"Cookie": f"a=b; who={number}; c=d"})[1]["x-ciranda-release"] for _ in range(3)}
            assert len(found) == 1
            got.update(found)
        assert set(got) == {"r1", "r2"}


def test_errors_count_once_a_client_and_while(stage: Stage) -> None:
    with Scripted(ok) as old, Scripted(bad) as new:
        stage.split(*targets(old, new, 1, "r3"), sticky="header:X-User")  # a while is ten seconds here
        asked = Counter(
            (stage.get(headers={"X-User": str(user)})[1]["x-ciranda-release"], user)
            for user in range(400)
            for _ in range(2)
        )
        ours = {user for release, user in asked if release == "r3"}
        found = counted(stage, "r3")
        assert found.requests == found.classes[4] == 2 * len(ours)
        assert len(ours) <= found.errors <= len(ours) + 2  # a while may end between two requests
        assert counted(stage, "r1").errors == 0


def test_what_does_not_answer_counts_though_another_release_saves_the_request(stage: Stage) -> None:
    with Scripted(ok) as old, Scripted(gone) as new:
        stage.split(*targets(old, new, 50, "r4"))
        answers = []
        for _ in range(200):
            answers.append(stage.get()[0])
            if counted(stage, "r4").errors >= 3:
                break
        assert set(answers) == {200}
        found = counted(stage, "r4")
        assert found.requests == 0
        assert 3 <= found.errors <= found.elsewhere == found.unanswered


def test_a_client_that_leaves_is_no_error(stage: Stage) -> None:
    with Scripted(ok) as old, Scripted(bad) as new:
        stage.split(*targets(old, new, 50, "r5"))
        before = counted(stage, "r5").errors
        connection = http.client.HTTPConnection("127.0.0.1", stage.ports["gateway"], timeout=20)
        connection.request("POST", PREFIX + "/", body=b"", headers={"Content-Length": "100"})
        connection.close()
        assert counted(stage, "r5").errors == before
