"""The `control` socket: one JSON line each way, over the real socket."""

import errno
import socket
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ciranda.kernel import errors, sockets
from ciranda.web import local


def push(request: dict[str, Any]) -> Mapping[str, Any]:
    if request["user"] == "mallory":
        raise errors.Refused("not you", where="here", hint="go")
    if request["user"] == "broken":
        raise OSError(errno.EIO, "Input/output error")
    if request["user"] == "bug":
        raise sqlite3.OperationalError("no such column: kind")
    return {"ok": True, "user": request["user"]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control"


@pytest.fixture
def server(path: Path) -> Iterator[local.LocalServer]:
    running = local.LocalServer(path, {"push": push})
    yield running
    running.close()


def test_questions_and_answers(server: local.LocalServer, path: Path) -> None:
    assert sockets.ask(path, {"type": "push", "user": "ana"}, 5) == {"ok": True, "user": "ana"}
    assert sockets.ask(path, {"type": "push", "user": "mallory"}, 5) == {
        "ok": False,
        "error": "not you",
        "where": "here",
        "hint": "go",
    }
    assert "there is no request" in sockets.ask(path, {"type": "nothing"}, 5)["error"]
    assert "is not as it should be" in sockets.ask(path, {"type": "push"}, 5)["error"]


def test_what_the_system_refuses_is_answered_not_hung_up(
    server: local.LocalServer, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = sockets.ask(path, {"type": "push", "user": "broken"}, 5)
    assert answer == {"ok": False, "error": "the server could not do it: Input/output error"}
    assert "the request push failed" in capfd.readouterr().err


def test_a_fault_of_ours_is_answered_and_its_traceback_is_in_the_log(
    server: local.LocalServer, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert sockets.ask(path, {"type": "push", "user": "bug"}, 5) == local.MISTAKE
    server.close()  # when it has ended, what it had to say is said
    said = capfd.readouterr().err
    assert "Traceback" in said
    assert said.endswith("sqlite3.OperationalError: no such column: kind\n")


@pytest.mark.parametrize("sent", [b"garbage\n", b"[]\n", b'{"type": 7}\n', b"\xff\n"])
def test_garbage_is_answered(server: local.LocalServer, path: Path, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
        asking.sendall(sent)
        assert b'"ok": false' in asking.makefile("rb").readline()


def test_who_hangs_up_or_never_ends_harms_nobody(server: local.LocalServer, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as long:
        silent.connect(str(path))
        silent.sendall(b'{"type": ')
        long.connect(str(path))
        threading.Thread(target=_send, args=(long, b"x" * (local.LONGEST + 10))).start()
        assert long.recv(10) == b""
        assert sockets.ask(path, {"type": "push", "user": "ana"}, 5)["ok"]


def test_many_at_once(server: local.LocalServer, path: Path) -> None:
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda: answers.append(sockets.ask(path, {"type": "push", "user": "a"}, 10)["ok"]))
        for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 40


def test_a_socket_that_a_killed_control_left_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    server = local.LocalServer(path, {"push": push})
    assert sockets.ask(path, {"type": "push", "user": "ana"}, 5)["ok"]
    server.close()
    assert not path.exists()


def test_an_old_server_leaves_the_socket_of_a_newer_one(path: Path) -> None:
    old = local.LocalServer(path, {"push": push})
    new = local.LocalServer(path, {"push": push})
    old.close()
    assert sockets.ask(path, {"type": "push", "user": "ana"}, 5)["ok"]
    new.close()


def _send(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:
        return
