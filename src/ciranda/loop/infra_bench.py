"""Where Terraform works: the files of a release in a folder of their own, the credentials of one run, and its processes.

A process of Terraform sees neither the home nor the user's credentials where the machine can confine it; it ends with the
task that started it.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ciranda.environment import resolve, secrets
from ciranda.environment.infra import folder as folders
from ciranda.environment.infra import places, program, runs
from ciranda.environment.infra.runs import Run
from ciranda.kernel import confine, errors, files, process, sealing
from ciranda.loop import changes, restore, tell, veil
from ciranda.loop.places import Workshop
from ciranda.project import layers
from ciranda.release import releases
from ciranda.release.manifest import Manifest
from ciranda.service import children, masking
from ciranda.versions import repositories, trees

PROCESS, ERRORED = (
    "process.json",
    "errored.tfstate",
)  # in the folder of a run; in that of its module (Terraform writes it)
BACKEND = "api/v1/terraform"  # of control's address
GRACE = 60.0  # seconds in which a Terraform whose task was killed may end by itself


class Failed(errors.Refused):
    """Terraform says no."""


@dataclass(slots=True)
class Running:
    """The process that runs now, and whether it was asked to end."""

    child: children.Child | None = None
    interrupted: bool = False

    def interrupt(self, *_: object) -> None:
        """Let it finish what it is doing, keep its state and give back its lock."""
        self.interrupted = True
        if self.child is not None:
            children.signal(self.child, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Bench:
    """One run on the bench. `own`: Ciranda keeps the state; `variables` hold secrets and are told to nobody."""

    run: Run
    content: Manifest
    folder: Path
    module: Path
    program: Path
    variables: Mapping[str, str]
    own: bool
    key: sealing.Key
    mask: Callable[[bytes], bytes]
    workshop: Workshop
    running: Running

    def terraform(
        self, argv: Sequence[str], *, accepts: Sequence[int] = (0,), heard: Callable[[bytes], None] | None = None
    ) -> tuple[int, bytes]:
        """Run one command; `heard` gets each line as it comes. Raises Failed with what it says for another status."""
        status, output = self._run(argv, heard)
        if status not in accepts:
            said = self.mask(output).decode("utf-8", "replace").splitlines()
            tell.Teller(self.workshop.lines, self.run.id).say(*said)
            raise Failed(program.said(said))
        return status, output

    def init(self) -> None:
        """Fetch what it needs; providers are kept in the home, and fetched by one at a time."""
        place = self.workshop.home / program.FOLDER
        with open(place / "plugins.lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.terraform(program.init(self.program))

    def _run(self, argv: Sequence[str], heard: Callable[[bytes], None] | None) -> tuple[int, bytes]:
        confined = bool(confine.available())
        command = self._confined(argv) if confined else list(argv)
        read, write = os.pipe2(os.O_CLOEXEC)
        try:
            spawned = children.spawn(
                command, env=self.variables, cwd=str(self.module), log=os.devnull, inner=confined,
                streams=children.Streams(output=write),
            )  # fmt: skip
        except OSError as error:
            os.close(read)
            raise Failed(f"{self.program.name} cannot start: {error}") from None
        finally:
            os.close(write)
        self.running.child = children.Child(
            self.run.id, "task", spawned.identity, spawned.inner, "", "", GRACE, 0, {}
        )  # fmt: skip
        files.write_atomic(self.folder / PROCESS, json.dumps(asdict(spawned.identity)).encode(), 0o600)
        try:
            output = self._heard(read, heard)
        except BaseException:
            children.signal(self.running.child, signal.SIGKILL)
            raise
        finally:
            status = spawned.popen.wait()
            self.running.child = None
        return status, output

    def _heard(self, read: int, heard: Callable[[bytes], None] | None) -> bytes:
        if self.running.interrupted:
            self.running.interrupt()
        said = []
        with os.fdopen(read, "rb") as stream:
            for line in stream:
                said.append(line)
                if heard is not None:
                    heard(line)
        return b"".join(said)

    def _confined(self, argv: Sequence[str]) -> list[str]:
        place = self.workshop.home / program.FOLDER
        own = Path(sys.prefix)  # providers that are written in Python may run in ours, wherever it lies
        return confine.wrap(
            argv, readable=[place, own, self.program.resolve().parent], writable=[self.folder, self.module, place / "plugins"],
            hidden=[self.workshop.home], directory=self.module, die_with_parent=True, info_fd=0,
        )  # fmt: skip


@contextmanager
def prepared(run: Run, workshop: Workshop, folder: Path) -> Iterator[Bench]:
    """A bench for a run, in `folder`, which stays for whoever takes the run up after a crash.

    Raises errors.Refused where there is no Terraform, or what its secrets are sealed with.
    """
    found = program.needed()
    release = releases.by_id(workshop.database, run.release)
    content = restore.manifest(workshop, release)
    known = changes.project(workshop.database, run.project)
    declared = content.infra.get(run.environment)
    if known is None or declared is None:
        raise errors.NotFound(f"{release.name} of {run.project} has no infrastructure for {run.environment}")
    repository = repositories.path(workshop.repositories, known.repository)
    trees.write(repository, content.commit, folder / "tree", store=workshop.store, own=True)
    module = folder / "tree" / declared.folder
    written = texts(module)
    own = not folders.backend(written)
    if own:
        folders.refuse_override(written)
        (module / folders.OVERRIDE).write_text(folders.BACKEND)
    key = secrets.ensure_key(workshop.database, workshop.home / secrets.FILE)
    given = _given(run, content, workshop, key)
    password = runs.start(workshop.database, run)
    masked = veil.mask(workshop, run.project)
    running = Running()
    earlier = signal.getsignal(signal.SIGTERM)
    with suppress(ValueError):  # not in the main thread: whoever ends the process ends this
        signal.signal(signal.SIGTERM, running.interrupt)
    try:
        yield Bench(
            run, content, folder, module, found, _variables(run, workshop, folder, given, password, own=own), own, key,
            lambda data: masking.mask(masked(data), [password.encode()]), workshop, running,
        )  # fmt: skip
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, earlier)


def texts(module: Path) -> dict[str, str]:
    """What Terraform reads in a folder of a tree, by path."""
    paths = [path.relative_to(module).as_posix() for path in sorted(module.rglob("*")) if path.is_file()]
    return {path: (module / path).read_text(errors="replace") for path in folders.configuration(paths)}


def earlier(run: Run, workshop: Workshop, own: Path) -> list[Path]:
    """The folders that killed processes of a run have left, but for this one's."""
    return sorted(path for path in workshop.runs.glob(f"{runs.TASK}-{run.id}-*") if path != own)


def outlast(folder: Path) -> None:
    """See to it that the Terraform that worked in a folder has ended: its task is gone, so it may only finish what it does."""
    try:
        left = process.Identity(**json.loads((folder / PROCESS).read_text()))
        descriptor = os.pidfd_open(left.pid)
    except (FileNotFoundError, ProcessLookupError, ValueError, TypeError):
        return
    try:
        if not process.signal(left, signal.SIGINT):
            return
        if not select.select([descriptor], [], [], GRACE)[0]:
            process.signal(left, signal.SIGKILL)
            select.select([descriptor], [], [], GRACE)
    finally:
        os.close(descriptor)


def _given(run: Run, content: Manifest, workshop: Workshop, key: sealing.Key) -> program.Given:
    database, environment = workshop.database, run.environment
    plain = resolve.plain(database, content, environment)
    place = content.environments.get(environment)
    there = secrets.versions(database, run.project, environment)
    applied = places.get(database, run.project, environment)
    own = applied.secrets if applied is not None else frozenset()
    named = {name: there[name] for name in (place.secrets if place else ()) if name in there and name not in own}
    values = secrets.unsealed(database, key, run.project, environment, named)
    return program.Given(
        run.project,
        environment,
        {name: layers.text(one.value) for name, one in plain.items()},
        {name: value.decode("utf-8", "surrogateescape") for name, value in values.items()},
    )


def _variables(
    run: Run, workshop: Workshop, folder: Path, given: program.Given, password: str, *, own: bool
) -> dict[str, str]:
    place = workshop.home / program.FOLDER
    for made in (place / "plugins", folder / "home", folder / "data"):
        made.mkdir(parents=True, exist_ok=True)
    config = place / program.CONFIG
    if not config.exists():
        config = folder / program.CONFIG
        config.write_text("")
    common = program.variables(os.environ, folder, config=config, plugins=place / "plugins")
    told = json.loads((workshop.home / "state" / "server.json").read_text())
    backend = program.Backend(f"{told['url']}/{BACKEND}/{run.project}/{run.environment}", run.id, password)
    return {**given.variables(), **(backend.variables() if own else {}), **common}


def leave(folder: Path) -> None:
    """Remove what a run worked in."""
    shutil.rmtree(folder, ignore_errors=True)
