"""A server that is killed again and again: its home, its commands, its processes as the machine sees them, its fuses."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ciranda.app import client
from ciranda.kernel import errors, process, sockets

CIRANDA = Path(sys.executable).with_name("ciranda")
PATIENCE = 90.0  # seconds for one command
LOOK = 0.02  # seconds between looks at what has no way to tell
TRIES = 20  # at a server that is killed while it starts
ROLES = {
    "keeper": "ciranda.service.keeper",
    "gateway": "ciranda.service.gateway.main",
    "control": "ciranda.web.main",
    "window": "ciranda.app.window",
    "worker": "ciranda.runtime.worker",
    "instance": "ciranda.runtime.server",
    "runner": "ciranda.app.runner",
}
ALWAYS = ("gateway", "control", "runner")


class Broken(AssertionError):
    """What must hold does not."""


@dataclass(frozen=True)
class Kill:
    """A process that was killed; times in seconds of the monotonic clock: the signal, and when it was gone."""

    process: str
    point: str
    pid: int
    at: float
    gone: float


@dataclass(frozen=True)
class Said:
    """What a command said and how it ended."""

    code: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text[self.text.index("{") :])


@dataclass(frozen=True)
class Fuse:
    """The file that says at which point the next process dies (`CIRANDA_FAILPOINT=@path`)."""

    path: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"CIRANDA_FAILPOINT": f"@{self.path}"}

    def arm(self, point: str, pid: int | None = None) -> None:
        fresh = self.path.with_name(f"fresh-{self.path.name}")
        fresh.write_text(point if pid is None else f"{point} {pid}")
        fresh.rename(self.path)

    def disarm(self) -> bool:
        """False: it was too late."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        return True

    def burnt(self, point: str) -> Kill | None:
        """Who died at the point; waits until it is gone."""
        for taken in self.path.parent.glob(f"{self.path.name}.*"):
            pid = int(taken.name.rpartition(".")[2])
            wait_gone(pid)
            gone = time.monotonic()
            at = gone - (time.time() - taken.stat().st_mtime)
            argv = taken.read_text().split("\0")
            taken.unlink()
            return Kill(role_of(argv) or "other", point, pid, min(at, gone), gone)
        return None


@dataclass
class Site:
    """One home and its server, driven by commands alone."""

    folder: Path
    ports: tuple[int, int]
    fuse: Fuse
    keeper: int = 0
    started: float = 0.0  # when the server was last brought up, in seconds of the monotonic clock
    ups: list[Said] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.ports[1]}"

    def run(self, *argv: str | Path, cwd: Path | None = None, timeout: float = PATIENCE, **variables: str) -> Said:
        """Run a command to its end; one that takes too long is killed with all that it started."""
        with self.start(*argv, cwd=cwd, **variables) as started:
            try:
                out, _ = started.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(started.pid, signal.SIGKILL)
                out, _ = started.communicate()
                raise Broken(f"{' '.join(map(str, argv))} took longer than {timeout:g} s:\n{out}") from None
        return Said(started.returncode, out)

    def start(self, *argv: str | Path, cwd: Path | None = None, **variables: str) -> "subprocess.Popen[str]":
        """Start a command in a session of its own."""
        return subprocess.Popen(
            [str(word) for word in argv], cwd=cwd or self.folder, env=environment(self.folder, self.home) | variables,
            text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    def ciranda(self, *arguments: str, cwd: Path | None = None, **variables: str) -> Said:
        return self.run(CIRANDA, *arguments, cwd=cwd, **variables)

    def up(self) -> None:
        """Start the server, and again when it is killed while it starts."""
        api, gateway = (str(port) for port in self.ports)
        for _ in range(TRIES):
            said = self.ciranda(
                "up", "--detach", "--json", "--port", api, "--gateway-port", gateway, **self.fuse.variables
            )
            self.ups.append(said)
            if said.code == 0:
                self.keeper, self.started = int(said.json["pid"]), time.monotonic()
                return
        raise Broken(f"the server does not come up: {[one.text for one in self.ups[-3:]]}")

    def ensure(self) -> bool:
        """Start the server again if its keeper is gone; True when it was."""
        if process.of(self.keeper) is not None:
            return False
        self.up()
        return True

    def down(self) -> Said:
        return self.ciranda("down")

    # -- what runs

    def family(self) -> dict[int, list[str]]:
        """Every process of this home and its children, with its command line."""
        named, parents, found = os.fsencode(self.folder), dict[int, int](), dict[int, list[str]]()
        for pid in everyone():
            content = read(pid, "cmdline"), read(pid, "environ")
            stat = read(pid, "stat").rpartition(b")")[2].split()
            if pid == os.getpid() or not stat or stat[0] in (b"Z", b"X"):
                continue
            parents[pid] = int(stat[1])
            if named in content[0] or named in content[1]:
                found[pid] = words(content[0])
        for pid in sorted(parents):
            line, at = [], pid
            while at in parents and at not in found:
                line.append(at)
                at = parents[at]
            if at in found:
                found |= {each: words(read(each, "cmdline")) for each in line}
        return found

    def find(self, role: str) -> list[int]:
        """The processes of a role."""
        return [pid for pid, argv in self.family().items() if role_of(argv) == role]

    def instances(self, environment: str, release: str) -> list[int]:
        """The processes that serve a release in an environment."""
        ours = f"CIRANDA_KEPT={self.home}:{environment}-delays-{release}-".encode()
        return [pid for pid in self.find("instance") if ours in read(pid, "environ")]

    def children(self) -> list[dict[str, Any]]:
        """What the keeper keeps. Raises errors.Unreachable."""
        return list(sockets.ask(sockets.folder(self.home) / "keeper", {"type": "list"}, 5.0)["children"])

    def restarted(self) -> float:
        """When the youngest of keeper and roles began, in seconds of the monotonic clock."""
        shift = time.time() - time.monotonic()
        return max(
            [self.started, *(child["started_us"] / 1e6 - shift for child in self.children() if child["role"] in ALWAYS)]
        )

    def role(self, name: str) -> int | None:
        """The pid of a role, as the keeper knows it."""
        if name == "keeper":
            return self.keeper
        with contextlib.suppress(errors.Unreachable):
            for child in self.children():
                if child["role"] == name and child["exit"] is None:
                    return int(child["identity"]["pid"])
        return None

    # -- what it says

    def answers(self, role: str) -> bool:
        """Whether the socket of the keeper or the gateway answers."""
        request = {"type": "state" if role == "gateway" else "list"}
        try:
            return bool(sockets.ask(sockets.folder(self.home) / role, request, 2.0)["ok"])
        except errors.Unreachable:
            return False

    def status(self) -> dict[str, Any]:
        """As the API tells it. Raises errors.Unreachable, errors.Refused."""
        token = (self.home / "token").read_text().strip()
        return client.Client(f"http://127.0.0.1:{self.ports[0]}", token, 5.0).get("status")

    def ledger(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What the ledger has, read by nobody's code but SQLite's."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.home / 'ledger.db'}?mode=ro", uri=True, timeout=5)
        ) as opened:
            return opened.execute(statement, values).fetchall()

    def unrest(self) -> str:
        """Why the server is not at rest; "" when everything is done that there was to do."""
        try:
            living = {child["role"] for child in self.children() if child["exit"] is None}
            if missing := [role for role in ALWAYS if role not in living]:
                return f"no {' and no '.join(missing)}"
            for number, state in self.ledger("SELECT number, state FROM change WHERE ended_us IS NULL"):
                return f"change {number} is {state}"
            for environment, number in self.ledger("SELECT environment, number FROM revision WHERE state = 'target'"):
                return f"{environment}#{number} is a target"
            for kind, state in self.ledger("SELECT kind, state FROM task WHERE state NOT IN ('done', 'failed')"):
                return f"a task {kind} is {state}"
            if not self.answers("gateway"):
                return "the gateway does not answer"
            return self.short_of_instances()
        except (errors.CirandaError, sqlite3.Error) as error:
            return str(error)

    def short_of_instances(self) -> str:
        """Which service is not routed to as many instances as it wants."""
        for project in self.status()["projects"]:
            for place in project["environments"]:
                for service in place["services"]:
                    if service["routed"] != service["wanted"] or service["instead"]:
                        return f"{place['name']}: {service['routed']} of {service['wanted']} {service['name']}"
        return ""

    def timeline(self, seconds: float) -> str:
        """What the ledger says happened in the last seconds."""
        now_us = time.time() * 1e6
        rows = self.ledger(
            "SELECT at_us, kind, body FROM event WHERE at_us > ? UNION ALL "
            "SELECT routed_us, 'routed', environment FROM revision WHERE routed_us > ? UNION ALL "
            "SELECT exited_us, 'exited', instance FROM ending WHERE exited_us > ? ORDER BY 1",
            *[now_us - seconds * 1e6] * 3,
        )
        return "\n".join(f"{(at - now_us) / 1e6:8.2f}  {kind} {body[:120]}" for at, kind, body in rows)

    def told(self) -> str:
        """What the logs and the ledger say, for whoever has to find out."""
        lines = [f"unrest: {self.unrest()}"]
        there = Counter(role_of(argv) or Path(argv[0]).name for argv in self.family().values() if argv)
        lines.append(f"processes: {dict(there)}")
        for name in ("keeper", "control", "gateway", "runner"):
            with contextlib.suppress(FileNotFoundError):
                tail = (self.home / "logs" / f"{name}.log").read_text(errors="replace").splitlines()[-25:]
                lines += [f"── {name}", *tail]
        with contextlib.suppress(sqlite3.Error):
            lines.append("── changes")
            lines += [
                str(row)
                for row in self.ledger(
                    "SELECT project, number, state, reason, head FROM change ORDER BY id DESC LIMIT 5"
                )
            ]
            lines.append("── revisions")
            lines += [
                str(row)
                for row in self.ledger(
                    "SELECT environment, number, state, cause, reason FROM revision ORDER BY created_us DESC LIMIT 8"
                )
            ]
        return "\n".join(lines)

    def end(self) -> None:
        """End whatever is left and remove everything."""
        until = time.monotonic() + 10
        while (left := self.family()) and time.monotonic() < until:
            for pid in left:
                kill(pid)
        shutil.rmtree(sockets.folder(self.home), ignore_errors=True)
        remove(self.folder)


def role_of(argv: Sequence[str]) -> str | None:
    """What a command line is in Ciranda: a role, "run" (a task's process or `ciranda run`), "up", another command; None: nothing of it."""
    if not argv or Path(argv[0]).name == "bwrap":
        return None
    for role, module in ROLES.items():
        if any(module in word for word in argv):
            return "run" if role == "runner" and "--task" in argv else role
    for at, word in enumerate(argv[:-1]):
        if word == str(CIRANDA):
            return argv[at + 1]
    return None


def kill(pid: int) -> tuple[float, float]:
    """Kill a process; returns when, and when it was gone."""
    at = time.monotonic()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    return at, time.monotonic()


def wait_gone(pid: int, patience: float = 10.0) -> None:
    """Until a process is gone, or waits to be reaped."""
    until = time.monotonic() + patience
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([descriptor], [], [], max(until - time.monotonic(), 0))
    finally:
        os.close(descriptor)


def environment(folder: Path, home: Path) -> Mapping[str, str]:
    """What commands see: nothing of this machine's configuration."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    user = folder / "user"
    user.mkdir(exist_ok=True)
    git = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
    who = {
        f"GIT_{role}_{what}": f"{what.lower()}@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return {**kept, **git, **who, "HOME": str(user), "CIRANDA_HOME": str(home), "LC_ALL": "C.UTF-8"}


def free_ports() -> tuple[int, int]:
    """Two ports of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def everyone() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def read(pid: int, name: str) -> bytes:
    """A file of a process; nothing when it is gone or somebody else's."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def words(cmdline: bytes) -> list[str]:
    return [os.fsdecode(word) for word in cmdline.split(b"\0") if word]


def remove(folder: Path) -> None:
    """Remove a folder, read-only folders in it too."""
    for path, names, _ in os.walk(folder):
        for name in names:
            inner = os.path.join(path, name)
            if not os.path.islink(inner):
                os.chmod(inner, 0o700)
    shutil.rmtree(folder)
