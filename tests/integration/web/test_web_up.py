"""`ciranda up` and `ciranda down`: the real command, keeper, gateway and control."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ciranda.app import home as homes
from ciranda.kernel import process, sockets
from support.git import new_clone
from support.web import request


def ciranda(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-m", "ciranda.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def up(home: Path, *more: str) -> dict[str, Any]:
    facts = json.loads(
        ciranda("up", "--home", str(home), "--port", "0", "--gateway-port", "0", "--detach", "--json", *more).stdout
    )
    assert isinstance(facts, dict)
    return facts


@contextmanager
def foreground(home: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    argv = [
        sys.executable,
        "-I",
        "-m",
        "ciranda.cli.main",
        "up",
        "--home",
        str(home),
        "--port",
        "0",
        "--gateway-port",
        "0",
        *more,
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield server
        finally:
            if server.poll() is None:
                server.terminate()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def processes_of(home: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"ciranda." in line and os.fsencode(home) in line and b"ciranda.cli" not in line:
                found.append(line.replace(b"\0", b" ").decode())
    return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "home"
    yield root
    ciranda("down", "--home", str(root), check=False)
    if root.exists():
        folder = homes.Home(root).sockets
        left = [entry.name for entry in folder.iterdir()]
        for entry in folder.iterdir():
            entry.unlink()
        folder.rmdir()
        assert processes_of(root) == []
        assert "keeper" not in left


def test_up_serves_git_and_api_and_down_leaves_nothing(home: Path, tmp_path: Path) -> None:
    facts = up(home)
    assert facts["state"] == "up"
    known = json.loads((home / "state" / "server.json").read_text())
    assert known == {key: facts[key] for key in ("url", "gateway", "pid", "since")}
    token = (home / "token").read_text().strip()
    assert stat.S_IMODE((home / "token").stat().st_mode) == 0o600
    port = port_of(facts["url"])
    assert request(port, "GET", "/api/v1/version").status == 200
    assert request(port, "GET", "/api/v1/status", token="wrong").status == 401
    assert request(port_of(facts["gateway"]), "GET", "/").status == 404
    work = new_clone(tmp_path / "work", f"http://ana:{token}@127.0.0.1:{port}/git/flights.git")
    work.commit("No declaration", {"a.txt": "1"})
    done = work.git("push", "ciranda", "main", check=False)
    assert done.returncode == 1
    assert "ciranda.toml" in done.stderr
    assert token not in subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout.replace(
        str(work.path), ""
    )

    again = ciranda("up", "--home", str(home), "--detach")
    assert f"is up already       home {home}" in again.stdout.replace("~", str(Path.home()))
    elsewhere = ciranda("up", "--home", str(home), "--port", "1", check=False)
    assert elsewhere.returncode == 1
    assert "it is up already, at http://127.0.0.1:" in elsewhere.stderr

    assert ciranda("down", "--home", str(home)).returncode == 0
    moved = ciranda(
        "up",
        "--home",
        str(home),
        "--port",
        "0",
        "--gateway-port",
        "0",
        "--ledger",
        "postgresql://nowhere/x",
        check=False,
    )
    assert "a home keeps the ledger that it was made with" in moved.stderr
    facts = up(home, "--port", str(port))

    other = ciranda("up", "--home", str(tmp_path / "other"), "--port", str(port), check=False)
    assert other.returncode == 1
    assert f"port {port} is taken by ciranda (process {facts['pid']}, home {home}, up since " in other.stderr
    assert not (tmp_path / "other").exists()

    assert json.loads(ciranda("down", "--home", str(home), "--json").stdout)["stopped"] is True
    assert processes_of(home) == []
    assert "was not up" in ciranda("down", "--home", str(home)).stdout


def test_a_port_of_somebody_else(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = ciranda("up", "--home", str(home), "--port", "0", "--gateway-port", str(port), "--detach", check=False)
    assert done.returncode == 1
    taken_by, hint = done.stderr.splitlines()
    assert taken_by.startswith(f"port {port} is taken by ")
    assert hint.strip().startswith("another port: ciranda up --gateway-port ")
    assert processes_of(home) == []


@pytest.mark.parametrize("ports", [("x", "0"), ("70000", "0"), ("-1", "0"), ("7799", "7799")])
def test_ports_that_cannot_be(home: Path, ports: tuple[str, str]) -> None:
    done = ciranda("up", "--home", str(home), f"--port={ports[0]}", f"--gateway-port={ports[1]}", check=False)
    assert done.returncode == 64
    assert not home.exists()


def test_ctrl_c_drains_everything(home: Path) -> None:
    with foreground(home) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        for line in server.stdout:
            if line.startswith("Ctrl-C"):
                break
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
        assert "stopping" in server.stderr.read()
    assert processes_of(home) == []


def test_a_killed_keeper_is_started_again_and_adopts_what_lives(home: Path) -> None:
    with foreground(home, "--json") as server:
        assert server.stdout is not None
        assert server.stderr is not None
        facts = json.loads(server.stdout.readline())
        os.kill(facts["pid"], signal.SIGKILL)
        assert "ended by signal 9; it is started again" in server.stderr.readline()
        until = time.monotonic() + 20
        while (now := json.loads((home / "state" / "server.json").read_text())) == {
            key: facts[key] for key in now
        } and time.monotonic() < until:
            time.sleep(0.02)
        assert now["pid"] != facts["pid"]
        assert now["url"] == facts["url"]
        assert request(port_of(facts["url"]), "GET", "/api/v1/version").status == 200
        server.terminate()
        assert server.wait(30) == 0
    assert processes_of(home) == []


def test_down_ends_what_a_killed_keeper_left(home: Path) -> None:
    facts = up(home)
    identity = process.of(facts["pid"])
    assert identity is not None
    process.signal(identity, signal.SIGKILL)
    while process.alive(identity):
        time.sleep(0.01)
    assert processes_of(home) != []
    assert json.loads(ciranda("down", "--home", str(home), "--json").stdout)["stopped"] is True
    assert processes_of(home) == []


def test_control_that_is_killed_comes_back_on_the_same_port(home: Path) -> None:
    facts = up(home)
    port = port_of(facts["url"])
    listed = sockets.ask(homes.Home(home).sockets / "keeper", {"type": "list"}, 5)["children"]
    (control,) = [child["identity"]["pid"] for child in listed if child["role"] == "control"]
    os.kill(control, signal.SIGKILL)
    assert request(port, "GET", "/api/v1/version").status == 200


def test_control_never_sees_its_instances_end_on_the_way_down(home: Path) -> None:
    up(home)
    keeper = homes.Home(home).sockets / "keeper"
    listed = sockets.ask(keeper, {"type": "list"}, 5)["children"]
    (control,) = [child["identity"]["pid"] for child in listed if child["role"] == "control"]
    seen = home / "seen"
    look = f"kill -0 {control} && echo alive > {seen} || echo gone > {seen}; exit"
    program = f"trap '{look}' TERM; echo > {home}/ready; while :; do sleep 0.05; done"
    request = {"type": "start", "id": "i", "argv": ["sh", "-c", program], "env": dict(os.environ), "cwd": str(home)}
    more = {"log": str(home / "logs" / "i.log"), "spec": "b3:0", "inner": False, "drain": 10}
    assert sockets.ask(keeper, {**request, **more}, 5)["ok"]
    while not (home / "ready").exists():
        time.sleep(0.01)
    ciranda("down", "--home", str(home))
    assert seen.read_text() == "gone\n"


def test_a_home_that_cannot_be_is_refused_and_nothing_runs(home: Path) -> None:
    home.mkdir()
    (home / "format").write_text("ciranda.home/9\n")
    done = ciranda("up", "--home", str(home), "--port", "0", "--gateway-port", "0", check=False)
    assert done.returncode == 1
    assert "ciranda.home/9" in done.stderr
    assert processes_of(home) == []
