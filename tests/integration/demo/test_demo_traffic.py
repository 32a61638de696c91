"""The traffic against a real HTTP server, and kills of a real process."""

import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ciranda.demo import processes, stage
from ciranda.demo.traffic import Client, Traffic
from ciranda.kernel import errors


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500 if body == b"bad" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Ciranda-Release", "r1")
        self.send_header("X-Request-Id", "q1")
        self.end_headers()
        self.wfile.write(body)
        if body == b"last":
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/flights/prod/delays/"
        server.shutdown()
        thread.join()


def test_traffic_is_steady_and_keeps_every_answer(address: str) -> None:
    traffic = Traffic(address, [b"one", b"two"], rate=100, clients=4)
    began = time.monotonic()
    traffic.start()
    assert traffic.wait(lambda answer: traffic.mark >= 50, after=0, timeout=10)
    traffic.stop()
    seconds = time.monotonic() - began
    answers = traffic.since(0)
    assert not any(answer.failed for answer in answers)
    assert len(answers) <= 100 * seconds + 4
    assert {answer.body for answer in answers} == {b"one", b"two"}


def test_a_failure_is_kept_with_its_reason(address: str) -> None:
    client = Client(address)
    assert client.ask(b"bad").failed
    assert client.ask(b"good").status == 200
    client.close()
    nobody = Client(f"http://127.0.0.1:{stage.free_ports(1)[0]}/")
    answer = nobody.ask(b"x")
    assert answer.status == 0
    assert answer.problem.startswith("ConnectionRefusedError")


def test_an_idle_connection_that_the_server_closed_is_not_used_again(address: str) -> None:
    client = Client(address)
    assert client.ask(b"last").status == 200
    deadline = time.monotonic() + 5
    connected = client._connection.sock
    while connected is not None and connected.fileno() >= 0 and time.monotonic() < deadline:
        client._drop_if_closed()
        connected = client._connection.sock
    assert client.ask(b"next").status == 200
    client.close()


def test_waiting_for_what_does_not_come_ends(address: str) -> None:
    traffic = Traffic(address, [b"one"], rate=50, clients=1)
    assert traffic.wait(lambda answer: True, after=0, timeout=0.01) is None
    traffic.stop()


def test_a_process_of_a_home_is_found_and_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    sleeper = subprocess.Popen(
        [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)", "ciranda.web.main"],
        env=os.environ | {"CIRANDA_HOME": str(home)}, stdout=subprocess.PIPE,
    )  # fmt: skip
    with sleeper:
        assert sleeper.stdout is not None
        sleeper.stdout.readline()
        assert processes.find("control", home) == sleeper.pid
        assert processes.find("gateway", home) is None
        assert processes.find("control", tmp_path / "other") is None
        processes.end(home)
        assert sleeper.wait(5) == -9
    assert processes.of_home(home) == []


def test_a_command_that_takes_too_long_is_ended_with_what_it_started() -> None:
    on = stage.Stage("toy")
    try:
        said = on.run("sh", "-c", "echo begun; sleep 60 & wait", timeout=0.5)
        assert said.code == -9
        assert said.text == "begun\n"
        assert said.seconds < 10
    finally:
        on.close()
    assert not on.folder.exists()


def test_the_commands_of_the_demo_see_nobody_s_own_settings(tmp_path: Path) -> None:
    outer = {"GIT_DIR": "/elsewhere", "CIRANDA_HOME": "/mine", "PATH": "/bin"}
    seen = stage.environment(outer, tmp_path / "home")
    assert "GIT_DIR" not in seen
    assert seen["CIRANDA_HOME"] == str(tmp_path / "home")
    assert seen["PATH"] == "/bin"


def test_a_home_that_is_somebody_s_is_not_played_in(tmp_path: Path) -> None:
    with pytest.raises(errors.Refused):
        stage.Stage("toy", tmp_path)
