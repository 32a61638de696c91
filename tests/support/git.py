"""A real Git client, a real web in a thread, and a small control that implements the port of `ciranda.web.port`."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ciranda.access import tokens
from ciranda.app import home as homes
from ciranda.app import metrics
from ciranda.app.people import People
from ciranda.kernel import errors
from ciranda.kernel.lines import Lines
from ciranda.kernel.store import Incoming, Store
from ciranda.versions import pushes, repositories
from ciranda.web import application, local, serving
from ciranda.web.port import Control, Rooms

NOTHING = pushes.NOTHING


class FakePeople(People):
    """People of a home that has one project a repository, and whose plans are all of one environment."""

    def told_of(self, id: str) -> str | None:
        return None

    def project_of(self, repository: str) -> str:
        return repository

    def planned(self, name: str) -> tuple[str, str]:
        return "flights", "prod"


@dataclass
class FakeControl:
    """Implements the port with what a test tells it: `judge` plays the gate of a change to `main` in a thread of its own."""

    home: homes.Home
    users: dict[str, tokens.User] = field(
        default_factory=lambda: {role: tokens.User(role[:3], role) for role in tokens.ROLES}
    )
    judge: Callable[["FakeControl", "Proposed"], None] = lambda control, proposed: proposed.accept()
    proposed: list["Proposed"] = field(default_factory=list)
    acts: list[tuple[Any, ...]] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def people(self) -> People:
        return FakePeople(cast(Any, None))  # no ledger is asked

    def __getattr__(self, name: str) -> Any:
        """Rooms of the port that no test of this control asks anything."""
        if name in Control.__annotations__:
            return None
        raise AttributeError(name)

    def user(self, token: str) -> tokens.User | None:
        return self.users.get(token)

    def repository(self, name: str, *, create: bool) -> Path:
        folder = repositories.path(self.home.repositories, name)
        if create:
            return repositories.ensure(self.home.repositories, name)
        if not folder.exists():
            raise errors.NotFound(f"there is no repository {name}")
        return folder

    def record_push(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self.acts.append(("push", request["user"], tuple(request["options"])))
        return {"ok": True, "updates": [self._record(request["repository"], update) for update in request["updates"]]}

    def _record(self, name: str, update: Mapping[str, str]) -> dict[str, Any]:
        repository = repositories.path(self.home.repositories, name)
        ref, old, new = update["ref"], update["old"], update["new"]
        if ref != "refs/heads/main":
            done = repositories.update_ref(repository, ref, new, old)
            return {"ref": ref, "state": "done"} if done else {"ref": ref, "state": "refused", "reason": "fetch first"}
        if new == NOTHING:
            return {"ref": ref, "state": "refused", "reason": "main is protected: it cannot be deleted"}
        if old != NOTHING and not repositories.is_ancestor(repository, old, new):
            return {"ref": ref, "state": "refused", "reason": "main is protected: it only moves forward"}
        number = len(self.proposed) + 1
        repositories.write_change_ref(repository, number, new)
        change = f"00000000-0000-7000-8000-{number:012}"
        proposed = Proposed(repository, number, ref, old, new, Lines(self.home.lines / f"{change}.jsonl"))
        self.proposed.append(proposed)
        thread = threading.Thread(target=self.judge, args=(self, proposed))
        self.threads.append(thread)
        thread.start()
        return {
            "ref": ref,
            "state": "change",
            "change": {"id": change, "number": number, "lines": str(proposed.lines.path)},
        }

    def rollback(
        self, project: str, environment: str, *, to: str | None, actor: str, reason: str, at: str = ""
    ) -> dict[str, Any]:
        if environment == "nowhere":
            raise errors.NotFound("there is no environment nowhere", hint="ciranda status")
        self.acts.append(("rollback", project, environment, to, actor, reason, *([at] if at else [])))
        return {"to": {"release": to or "r41"}}

    def hold(self, project: str, environment: str, *, release: bool, reason: str, actor: str) -> dict[str, Any]:
        self.acts.append(("hold", project, environment, release, reason, actor))
        return {"held": not release}

    def promote(
        self, project: str, environment: str, *, release: str, actor: str, emergency: str = "", plan: str = ""
    ) -> dict[str, Any]:
        self.acts.append(("promote", project, environment, release, actor, emergency, plan))
        return {}

    def scale(self, project: str, environment: str, *, service: str, instances: int, actor: str) -> dict[str, Any]:
        self.acts.append(("scale", project, environment, service, instances, actor))
        return {}

    def job_run(self, project: str, environment: str, job: str, *, actor: str) -> dict[str, Any]:
        self.acts.append(("job/run", project, environment, job, actor))
        return {}

    def job_retry(self, project: str, environment: str, job: str, *, actor: str) -> dict[str, Any]:
        self.acts.append(("job/retry", project, environment, job, actor))
        return {}

    def refresh(self, project: str, *, actor: str) -> dict[str, Any]:
        self.acts.append(("refresh", project, actor))
        return {"project": project, "id": "00000000-0000-7000-8000-000000000001"}

    @property
    def store(self) -> Store:
        return Store(self.home.store)

    def lacking(self, digests: Sequence[str]) -> list[str]:
        return [name for name in digests if not self.store.has(name)]

    def incoming(self) -> AbstractContextManager[Incoming]:
        return self.store.incoming()

    def pieces(self, digest: str) -> tuple[int, Iterator[bytes]]:
        return self.store.size(digest), self.store.pieces(digest)

    def status(self, project: str | None) -> dict[str, Any]:
        if project == "broken":
            raise ZeroDivisionError("a bug")
        return {"projects": [{"name": project or "flights"}]}

    def metrics(self) -> list[metrics.Family]:
        return [metrics.family("some", "gauge", "Some.", [({}, 1)])]

    def plan(self, project: str, environment: str, release: str | None) -> dict[str, Any]:
        return {"actions": [project, environment, release]}


@dataclass
class Proposed:
    """A change that the fake recorded, and what a test lets become of it."""

    repository: Path
    number: int
    ref: str
    old: str
    new: str
    lines: Lines

    def say(self, text: str, **facts: Any) -> None:
        self.lines.append({"text": text, **facts})

    def accept(self, *, ends: bool = True) -> None:
        assert repositories.update_ref(self.repository, self.ref, self.new, self.old)
        self.say("", settles=True, status="ok", ends=ends)

    def refuse(self, reason: str) -> None:
        self.say("", settles=True, status="ng", reason=reason, ends=True)


@dataclass
class Served:
    """A web that runs: its home, its control, and where it listens."""

    home: homes.Home
    control: FakeControl
    port: int

    def url(self, repository: str = "flights", token: str = "developer") -> str:
        return f"http://ciranda:{token}@127.0.0.1:{self.port}/git/{repository}.git"


@contextmanager
def served(root: Path, judge: Callable[[FakeControl, Proposed], None] | None = None) -> Iterator[Served]:
    """The real web over a fake control, in a thread of this process."""
    home = homes.Home(root)
    for folder in (home.repositories, home.lines, home.state):
        folder.mkdir(parents=True, exist_ok=True)
    control = FakeControl(home)
    if judge:
        control.judge = judge
    rooms = Rooms()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        windows = local.LocalServer(home.sockets / "control", {"push": control.record_push})
        app = application.build(control, rooms, port=port, lines=home.lines, windows=home.state / "windows")
        server = serving.server(app, rooms.leave)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Served(home, control, port)
        finally:
            server.should_exit = True
            thread.join()
            windows.close()
            rooms.close()
            for judging in control.threads:
                judging.join()
            shutil.rmtree(home.sockets, ignore_errors=True)


@dataclass(frozen=True)
class Clone:
    """A working copy and the ordinary git client in it, untouched by the machine's or the user's configuration."""

    path: Path

    def git(self, *arguments: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=client_environment() | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["git", *arguments],
            cwd=self.path,
            env=client_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    @staticmethod
    def kill(process: subprocess.Popen[bytes]) -> None:
        """As Ctrl-C in a terminal, only harder: the client and all of its helpers."""
        os.killpg(process.pid, signal.SIGKILL)

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            place = self.path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str, files: Mapping[str, str | bytes] | None = None) -> str:
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD").stdout.strip()


def client_environment() -> dict[str, str]:
    """What a developer's git sees, without anything of this machine's configuration; it never asks."""
    who = {"NAME": "Ana", "EMAIL": "ana@example.org"}
    names = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    rules = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true"}
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | rules | names


def new_clone(path: Path, remote: str | None = None) -> Clone:
    """An empty repository with the branch `main`, and the remote `ciranda` if an address is given."""
    path.mkdir(parents=True)
    clone = Clone(path)
    clone.git("init", "-q", "-b", "main")
    if remote:
        clone.git("remote", "add", "ciranda", remote)
    return clone
