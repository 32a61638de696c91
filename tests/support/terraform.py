"""Real Terraform against a real backend: a home, a project whose releases have infrastructure, and the tasks that do it."""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ciranda.access import tokens
from ciranda.app import home as homes
from ciranda.app import infra as rooms_of
from ciranda.app import runner
from ciranda.environment import moves, plans, revisions, secrets
from ciranda.environment.infra import folder, program
from ciranda.kernel import errors, sealing, tasks
from ciranda.loop import changes, infra, infra_asking
from ciranda.loop.places import Workshop
from ciranda.project import read
from ciranda.release import building, releases
from ciranda.versions import repositories, trees
from ciranda.web import infra as web
from ciranda.web import serving
from ciranda.web.port import Rooms
from support.git import Clone, new_clone

SUPPORT = Path(__file__).parent
TOML = """
    [project]
    name = "toy"
    [config.DB_HOST]
    default = "nowhere"
    [config.SIZE]
    default = "1"
    [environments.prod]
    infra = "infra/"
"""
MAIN = """
    variable "SIZE" { type = string }
    resource "terraform_data" "database" { input = "db-${var.SIZE}" }
    output "db_host" { value = terraform_data.database.output }
    output "db_password" {
      value     = "pw-${terraform_data.database.id}"
      sensitive = true
    }
"""
FILE = """
    terraform {
      required_providers {
        toy = { source = "example.com/toy/toy" }
      }
    }
    resource "toy_file" "one" {
      path    = "%(folder)s/one"
      content = "%(content)s"
    }
"""
SECOND = """
    resource "toy_file" "two" {
      path       = "%(folder)s/two"
      content    = "%(second)s"
      waits_for  = "%(folder)s/go"
      depends_on = [toy_file.one]
    }
"""


def program_or_skip() -> Path:
    """Terraform's; without it a test fails in CI and is skipped elsewhere."""
    found = program.find({"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"})
    if found is None:
        assert os.environ.get("CI") != "true", "terraform is missing: .venv/bin/python scripts/terraform.py"
        pytest.skip("terraform is not on the PATH")
    return found


def provide(home: Path) -> None:
    """Put the toy provider where the Terraform of a home looks for providers."""
    place = home / program.FOLDER
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    binary = place / "mirror" / "example.com" / "toy" / "toy" / "1.0.0" / f"{sys.platform}_{machine}"
    binary.mkdir(parents=True)
    script = binary / "terraform-provider-toy_v1.0.0"
    source = shutil.copy(SUPPORT / "terraform_provider.py", place)
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {source} "$@"\n')
    script.chmod(0o755)
    mirror = f'filesystem_mirror {{ path = "{place / "mirror"}" }}'
    (place / program.CONFIG).write_text(f"provider_installation {{ {mirror} }}\n")


@dataclass(frozen=True)
class Control:
    """As much of control as the backend asks."""

    infra: rooms_of.Infra
    workshop: Workshop

    def user(self, token: str) -> tokens.User | None:
        return tokens.find(self.workshop.database, token)


@dataclass(frozen=True)
class Ends:
    """What the backend takes of the API."""

    control: Control
    rooms: Rooms


@dataclass
class Ground:
    """A home whose backend is served, and its project `toy`, which has the environment `prod`."""

    home: homes.Home
    workshop: Workshop
    infra: rooms_of.Infra
    clone: Clone
    url: str
    token: str
    numbers: list[int] = field(default_factory=list)

    @property
    def database(self) -> Any:
        return self.workshop.database

    @property
    def key(self) -> sealing.Key:
        return sealing.load(self.home.root / secrets.FILE)

    def release(self, files: Mapping[str, str], toml: str = TOML) -> releases.Release:
        """A release of a commit with these files."""
        texts = {"ciranda.toml": _dedented(toml)} | {path: _dedented(text) for path, text in files.items()}
        commit = self.clone.commit("More", texts)
        bare = repositories.ensure(self.home.repositories, "toy")
        subprocess.run(
            ["git", "-C", str(bare), "fetch", "-q", str(self.clone.path), "+HEAD:refs/heads/main"], check=True
        )
        listing = trees.listing(bare, commit)
        declared = read.read_text(texts["ciranda.toml"], "ciranda.toml")
        content = building.build(
            declared, commit=commit, tree=repositories.commit(bare, commit).tree, interpreter="b3:i", parameters={},
            assets={}, policy="", infra={place.infra: folder.identity(listing, place.infra) for place in declared.environments},
        )  # fmt: skip
        kept = releases.keep(self.workshop.store, content)
        made: releases.Release = self.database.write(
            lambda tx: (
                moves.declare(tx, "toy", "prod"),
                releases.make(tx, manifest=content, kept=kept, change=None, actor="ana"),
            )[1]
        )
        return made

    def plan(self, release: releases.Release | None) -> plans.Plan:
        """The plan of a release's entry, or of the end of all, as it would be made now."""
        return plans.make(self.database, plans.reader(self.workshop.store), "toy", "prod", release)

    def planned(self, release: releases.Release | None, *, again: bool = False) -> plans.Plan:
        """The same, after Terraform was asked."""
        name = None if release is None else release.name
        infra_asking.plan(self.workshop, "toy", "prod", name, actor="ana", again=again)
        self.work()
        return self.plan(release)

    def apply(self, release: releases.Release | None) -> revisions.Revision:
        """Begin to apply the plan of a release: what Terraform does of it is a task."""
        read = plans.reader(self.workshop.store)
        made: revisions.Revision = self.database.write(
            lambda tx: plans.apply(tx, plans.make(tx, read, "toy", "prod", release), read, actor="ana")
        )
        return made

    def live(self, release: releases.Release) -> revisions.Revision:
        """Bring a release in, whole."""
        self.planned(release)
        made = self.apply(release)
        self.work()
        self.reach(made)
        return revisions.by_id(self.database, made.id)

    def reach(self, made: revisions.Revision) -> None:
        """What the reconcile does when everything runs."""
        self.database.write(lambda tx: moves.end(tx, revisions.by_id(tx, made.id), "reached", actor="ciranda"))

    def claim(self) -> tasks.Task | None:
        """The next task, as a runner takes it."""
        tasks.release_expired(self.database)
        return tasks.claim(self.database, worker=f"{os.getpid()}:1:x", kinds=["infra"], lease=600)

    def work(self) -> int:
        """Do what there is to do, as a runner does; how many tasks that were."""
        done = 0
        while (task := self.claim()) is not None:
            try:
                infra.perform(task, self.workshop)
            except errors.CirandaError as error:
                infra.give_up(task, self.workshop, str(error))
            done += 1
        return done

    def process(self, task: tasks.Task) -> "subprocess.Popen[bytes]":
        """A process that does a task, as a runner starts it."""
        argv = [sys.executable, "-m", "ciranda.app.runner", "--home", str(self.home.root), "--task"]
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert child.stdin is not None
        child.stdin.write(json.dumps(asdict(task)).encode())
        child.stdin.close()
        return child

    def again(self, task: tasks.Task) -> tasks.Task:
        """The task, taken again after its process died."""
        tasks.renew(self.database, task, 0.0)
        taken = self.claim()
        assert taken is not None
        return taken

    def own(self, where: Path, text: str) -> "OwnTerraform":
        """Somebody's own Terraform on the state of `prod`."""
        where.mkdir(parents=True)
        (where / "main.tf").write_text(_dedented(text) + folder.BACKEND)
        backend = program.Backend(f"{self.url}/api/v1/terraform/toy/prod", "ada", self.token)
        own = OwnTerraform(program_or_skip(), where, {**os.environ, **backend.variables(), "CHECKPOINT_DISABLE": "1"})
        own.variables["TF_CLI_CONFIG_FILE"] = str(self.home.root / program.FOLDER / program.CONFIG)
        own.run("init", "-input=false", "-no-color").check_returncode()
        return own


@dataclass
class OwnTerraform:
    """A working copy in which somebody runs Terraform by hand."""

    program: Path
    folder: Path
    variables: dict[str, str]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(self.program), *arguments], cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False
        )  # fmt: skip

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        null = subprocess.DEVNULL
        return subprocess.Popen(
            [str(self.program), *arguments], cwd=self.folder, env=self.variables, stdin=null, stdout=null, stderr=null
        )


@contextmanager
def ground(root: Path) -> Iterator[Ground]:
    """A home with a project, its backend served in a thread."""
    found = program_or_skip()
    home = homes.Home(root / "home")
    homes.create(home)
    provide(home.root)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{found.parent}{os.pathsep}{before}"
    try:
        with homes.opened(home) as (database, store), socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            (home.state / "server.json").write_text(json.dumps({"url": url, "gateway": url}))
            workshop = runner.workshop(home, database, store)
            database.write(lambda tx: changes.claim_project(tx, "toy", "toy", "refs/heads/main"))
            token = database.write(lambda tx: tokens.create(tx, user="ada", role="operator"))
            room = rooms_of.Infra(lambda: workshop, home.root / secrets.FILE)
            with _served(listener, Ends(Control(room, workshop), Rooms())):
                yield Ground(home, workshop, room, new_clone(root / "clone"), url, token)
    finally:
        os.environ["PATH"] = before
        shutil.rmtree(home.sockets, ignore_errors=True)


@contextmanager
def _served(listener: socket.socket, ends: Ends) -> Iterator[None]:
    backend = web.Backend(ends)  # type: ignore[arg-type]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await backend({**scope, "path": scope["path"].removeprefix("/api/v1/terraform")}, receive, send)

    server = serving.server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        ends.rooms.close()


def _dedented(text: str) -> str:
    lines = text.strip("\n").splitlines()
    least = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[least:] for line in lines) + "\n"
