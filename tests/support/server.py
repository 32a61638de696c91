"""A real server of a home of its own, and projects that push to it, driven as a person would: `ciranda` and `git`."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.kernel import sockets
from support import project as projects
from support import web

PATIENCE = 60.0  # seconds for what must come about

PIPELINE = """
    from ciranda import check, dataset, log, model

    @dataset
    def doubled(numbers: str) -> list:
        return [2 * int(line) for line in numbers.split()]

    @check(doubled)
    def positive(doubled):
        return [{"place": place, "value": value} for place, value in enumerate(doubled) if value <= 0]

    @model
    def average(doubled: list) -> dict:
        mean = sum(doubled) / len(doubled)
        log(mean=mean)
        return {"mean": mean}

    @check(average, at_most=100.0)
    def not_too_high(average):
        return average["mean"]
"""
SERVICE = """
    from dataclasses import dataclass

    @dataclass
    class Row:
        x: float

    def predict(rows: list[Row], average) -> list[float]:
        return [row.x + average["mean"] for row in rows]
"""
MORE = """
    [checks]
    code = ["python tests/unit.py"]

    [services.mean]
    predict = "service:predict"
    uses = ["average"]
    start_timeout = 15

    [environments.test]

    [environments.prod]
    after = "test"
"""
FILES = {
    "data/numbers.txt": "1\n2\n3\n",
    "service.py": SERVICE,
    "tests/unit.py": "assert 1 + 1 == 2\nprint('1 passed')\n",
}


@dataclass(frozen=True)
class Server:
    """A server that is up; `variables` are those that its commands see."""

    folder: Path
    variables: Mapping[str, str]

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def said(self) -> dict[str, Any]:
        """What it wrote of itself: url, gateway, pid."""
        found: dict[str, Any] = json.loads((self.home / "state" / "server.json").read_text())
        return found

    def project(self, name: str, **changes: Any) -> projects.Project:
        """A toy project whose remote is this server; `changes` go to projects.make."""
        made = projects.make(
            self.folder,
            changes.pop("pipeline", PIPELINE),
            name=name,
            sources={"numbers": "data/*.txt"},
            files=FILES | changes.pop("files", {}),
            more=changes.pop("more", MORE),
            variables=self.variables,
        )
        made.git("remote", "add", "ciranda", f"{self.said['url']}/git/{name}.git").succeeds()
        helper = f'!f() {{ echo username=ada; echo "password=$(cat {self.home}/token)"; }}; f'
        made.git("config", f"credential.{self.said['url']}.helper", helper).succeeds()
        return made

    def push(self, toy: projects.Project, *arguments: str) -> projects.Ran:
        """`git push ciranda main`; what the server said is in `err`."""
        return toy.git("push", *arguments, "ciranda", "main")

    def head(self, toy: projects.Project) -> str:
        """Where the server's main is; empty: nowhere."""
        told = toy.git("ls-remote", "ciranda", "refs/heads/main").succeeds().out
        return told.partition("\t")[0]

    def ask(self, path: str, body: object) -> web.Answer:
        """One request through the gateway."""
        port = int(self.said["gateway"].rpartition(":")[2])
        return web.request(port, "POST", path, body=body)

    def children(self, role: str) -> list[int]:
        """The numbers of the keeper's processes of a role."""
        told = json.loads((self.home / "state" / "children.json").read_text())
        return [
            child["identity"]["pid"] for child in told["children"] if child["role"] == role and child["exit"] is None
        ]

    def kill(self, role: str) -> None:
        """kill -9 of every process of a role."""
        for pid in self.children(role):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def up(folder: Path, *arguments: str, **variables: str) -> Iterator[Server]:
    """A server on free ports, taken down at the end."""
    (folder / "user").mkdir(exist_ok=True)
    started = Server(folder, variables)
    seed = projects.Project(folder, folder / "home", variables)
    seed.ciranda("up", "--detach", "--port", "0", "--gateway-port", "0", *arguments).succeeds()
    try:
        yield started
    finally:
        seed.ciranda("down").succeeds()
        shutil.rmtree(sockets.place(started.home), ignore_errors=True)


def eventually(true: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Look until it is true, or fail."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {patience:g} s"
        time.sleep(0.05)


def killed(process: "subprocess.Popen[str]") -> None:
    """kill -9 of a command that was started, and the end of it."""
    process.kill()
    process.communicate()
