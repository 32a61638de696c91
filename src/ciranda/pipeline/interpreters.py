"""The Python environment of a project, built from its lock with uv and kept by its digest (ARCHITECTURE.md §8)."""

import fcntl
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.kernel import digest, errors, files
from ciranda.kernel.failpoints import failpoint
from ciranda.pipeline import locks, needs, uv_command, wheel
from ciranda.pipeline.locks import Lock, resolve
from ciranda.runtime.requirements import satisfies

__all__ = ["Interpreter", "Lock", "ensure", "resolve"]

COMPLETE = "complete"  # the file that is written last
OWN = ".own"  # marks what Ciranda itself ran in: a release without a lock goes on with what it runs in now
OURS = ("ciranda", wheel.NAME)

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An environment that a project's code runs in."""

    python: Path
    digest: str
    locked: bool  # every distribution in it was named, with its version, by the tree
    version: str  # of Python: "3.11.7"
    distributions: dict[str, str]  # what is installed: normalised name → version
    lock: str | None  # name of the file in the tree that it was built from
    predict: str | None  # why the model server cannot run in it, else None
    app: str | None = None  # why the server of ASGI applications cannot, else None


@dataclass(frozen=True, slots=True)
class Base:
    """A Python of this machine."""

    python: Path
    version: str  # "3.11.7"

    @property
    def minor(self) -> str:
        """ "3.11"."""
        return ".".join(self.version.split(".")[:2])


def ensure(lock: Lock | None, folder: Path, report: Report) -> Interpreter:
    """The interpreter of a lock, built below `folder` unless it is there; without a lock Ciranda's own, not locked.

    Concurrent builders wait for the first. Raises errors.Refused, with the lock's file and uv's message.
    """
    if lock is None:
        ours = own()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ours.digest[len(digest.PREFIX) :]).with_suffix(OWN).touch()
        return ours
    base = find_base(lock)
    runtime = wheel.runtime()
    said = {
        "lock": lock.digest,
        "python": base.minor,
        "platform": f"{sys.platform}-{platform.machine()}",
        "runtime": runtime.version,
    }
    identity = digest.of("interpreter", said)
    place = folder / identity[len(digest.PREFIX) :]
    found = _read(place, identity, lock)
    if found is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / f"{place.name}.lock", report) as held:
        found = _read(place, identity, lock)
        if found is None:
            report(f"building the interpreter from {lock.name} (Python {base.minor})")
            _build(lock, base, runtime, place, held)
            found = _read(place, identity, lock)
    if found is None:
        raise errors.Corrupt("the interpreter is gone right after it was built", where=str(place))
    return found


def find(identity: str, folder: Path) -> Path | None:
    """The Python of an interpreter that `ensure` gave before, by its digest; None: it is gone."""
    place = folder / identity[len(digest.PREFIX) :]
    if (place / COMPLETE).exists():
        return place / "bin" / "python"
    return Path(sys.executable) if place.with_suffix(OWN).exists() else None


def folders(python: Path) -> tuple[Path, ...]:
    """What has to be seen of an interpreter, should it lie where things are hidden; of Ciranda's own, Ciranda itself too."""
    found = {python.parent.parent, python.resolve().parent.parent}
    if python == Path(sys.executable):
        found.add(Path(digest.__file__).parents[2])
    return tuple(sorted(path for path in found if path.exists() and path != Path("/")))


def importable(interpreter: Interpreter, name: str) -> bool:
    """Whether a module of this first name is Python's own or installed; nothing is imported."""
    if name in sys.stdlib_module_names:
        return True
    folders = interpreter.python.parent.parent.glob("lib/python*/site-packages")
    if interpreter.python == Path(sys.executable):
        return importlib.util.find_spec(name) is not None
    return any((folder / name).is_dir() or any(folder.glob(f"{name}.*")) for folder in folders)


def own() -> Interpreter:
    """The interpreter that Ciranda itself runs in."""
    distributions = installed([Path(entry) for entry in sys.path if entry])
    said = {
        "own": distributions,
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
    }
    return Interpreter(
        python=Path(sys.executable),
        digest=digest.of("interpreter", {**said, "runtime": wheel.runtime().version}),
        locked=False,
        version=platform.python_version(),
        distributions=distributions,
        lock=None,
        predict=None,
    )


def installed(folders: Sequence[Path]) -> dict[str, str]:
    """The distributions in site-packages folders, by the names of their metadata folders; the first of a name counts."""
    found: dict[str, str] = {}
    for folder in folders:
        if not folder.is_dir():
            continue
        for entry in os.listdir(folder):
            name, dash, version = entry.removesuffix(".dist-info").partition("-")
            if dash and entry.endswith(".dist-info") and locks.normal(name) not in OURS:
                found.setdefault(locks.normal(name), version)
    return dict(sorted(found.items()))


def find_base(lock: Lock) -> Base:
    """The Python of this machine that the lock asks for: Ciranda's own where that fits. Raises errors.Refused."""
    here = platform.python_version()
    if _fits(here, lock.python):
        return Base(Path(getattr(sys, "_base_executable", "") or sys.executable), here)
    asked = lock.python
    found = uv_command.run(["python", "find", "--system", "--resolve-links", "--no-project", asked], lock.tree)
    path = found.stdout.strip()
    if found.returncode != 0 or not path:
        raise errors.Refused(
            f"the project asks for Python {asked}, and no such Python is on this machine",
            where=str(lock.file),
            hint=f"install one (uv python install {asked!r}), or change requires-python or .python-version",
        )
    told = subprocess.run(
        [path, "-I", "-c", "import platform; print(platform.python_version())"],
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode != 0:
        raise errors.Refused(f"{path}, the Python that was found for {asked}, does not run", where=str(lock.file))
    version = told.stdout.strip()
    if not satisfies(version, ">=3.9"):
        raise errors.Refused(
            f"the project asks for Python {asked}, which is {version} here; the runtime needs 3.9 or newer",
            where=str(lock.file),
        )
    return Base(Path(path), version)


def _fits(version: str, asked: str) -> bool:
    """Whether a Python version is what a `.python-version` or a specifier asks for."""
    text = asked.strip()
    if re.fullmatch(r"\d+(\.\d+){0,2}", text):
        return version == text or version.startswith(f"{text}.")
    try:
        return satisfies(version, text)
    except ValueError:
        return False


def _read(place: Path, identity: str, lock: Lock) -> Interpreter | None:
    """A complete interpreter; None where there is none, or the Python that it was built on is gone."""
    try:
        said: dict[str, Any] = json.loads((place / COMPLETE).read_bytes())
        made = Interpreter(
            python=place / "bin" / "python",
            digest=identity,
            locked=said["locked"],
            version=said["version"],
            distributions=said["distributions"],
            lock=lock.name,
            predict=said["predict"],
            app=said["app"],
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return None
    return made if os.access(made.python, os.X_OK) else None


@contextmanager
def _locked(path: Path, report: Report) -> Iterator[int]:
    """The builder's lock. uv inherits it: should we be killed, nobody builds there before uv has ended too."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another build of the same interpreter")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _build(lock: Lock, base: Base, runtime: wheel.Wheel, place: Path, held: int) -> None:
    """Build from nothing at `place`; the file `complete` makes it one. Raises errors.Refused."""
    if place.exists():
        shutil.rmtree(place)
    python = place / "bin" / "python"
    _must(["venv", "--quiet", "--no-project", "--python", str(base.python), str(place)], lock, held)
    failpoint("interpreters.created")
    _install(_requirements(lock, place, held), python, lock, held)
    site = next((place / "lib").glob("python*/site-packages"))
    before = installed([site])
    if any(site.glob("ciranda*.dist-info")):
        _must(["pip", "uninstall", "--quiet", "--python", str(python), *OURS], lock, held)
    servers = _servers(lock, python, base.version, before, held)
    failpoint("interpreters.installed")
    file = place / runtime.filename
    file.write_bytes(runtime.data())
    last = ["--compile-bytecode", "--no-deps", str(file)]  # compiles everything that is installed
    _must(["pip", "install", "--quiet", "--offline", "--python", str(python), *last], lock, held)
    file.unlink()
    said = {
        "version": base.version,
        "locked": lock.name == locks.LOCK or lock.hashed or (bool(lock.pinned) and before.keys() <= lock.pinned),
        "distributions": installed([site]),
        **servers,
    }
    files.write_atomic(place / COMPLETE, json.dumps(said, sort_keys=True, indent=1).encode())


def _requirements(lock: Lock, place: Path, held: int) -> list[str]:
    """The arguments of `uv pip install` that install what the lock says."""
    if lock.name == locks.LOCK:
        told = _must(["export", "--quiet", "--frozen", "--no-emit-project", "--no-header", "--no-annotate"], lock, held)
        local = [line for line in told.splitlines() if locks.FOLDER.match(line)]
        if local:
            raise errors.Refused(
                f"{lock.name} installs from a folder of the tree ({local[0].strip()}), which is not supported",
                where=str(lock.file),
                hint="modules of the project are found in the tree and in its src/ by themselves",
            )
        exported = place / "requirements.txt"
        exported.write_text(told, encoding="utf-8")
        return ["--no-deps", "-r", str(exported)]
    if lock.name == locks.REQUIREMENTS:
        return [*(["--require-hashes"] if lock.hashed else []), "-r", str(lock.file)]
    group = ["--group", "dev"] if locks.has_group(lock.tree, "dev") else []
    return ["-r", str(lock.file), *group]


def _servers(lock: Lock, python: Path, version: str, before: dict[str, str], held: int) -> dict[str, str | None]:
    """Add what the servers of services need and the lock lacks; by form, why one cannot run here, else None."""
    reasons: dict[str, str | None] = {form: needs.too_old(form, before, lock.name) for form in needs.FORMS}
    wanted = {form: needs.missing(form, before, version) for form in needs.FORMS if reasons[form] is None}
    every = sorted({pin for pins in wanted.values() for pin in pins})
    if _refused(every, python, lock, held) is None:
        return reasons
    for form, pins in wanted.items():
        refused = _refused(pins, python, lock, held)
        reasons[form] = (
            None if refused is None else f"no wheel of {', '.join(pins)} can be had for this Python: {refused}"
        )
    return reasons


def _refused(pins: Sequence[str], python: Path, lock: Lock, held: int) -> str | None:
    """Install wheels of these; why they cannot be had, else None."""
    if not pins:
        return None
    try:
        _install(["--no-deps", "--only-binary", ":all:", *pins], python, lock, held)
    except errors.Refused as refused:
        return str(refused)
    return None


def _install(arguments: Sequence[str], python: Path, lock: Lock, held: int) -> None:
    """`uv pip install`, from uv's cache alone where that has everything, else from the index. Raises errors.Refused."""
    command = ["pip", "install", "--quiet", "--python", str(python)]
    if uv_command.run([*command, "--offline", *arguments], lock.tree, held).returncode != 0:
        _must([*command, *arguments], lock, held)


def _must(arguments: Sequence[str], lock: Lock, held: int) -> str:
    """What uv prints. Raises errors.Refused with its message and the lock's file."""
    done = uv_command.run(arguments, lock.tree, held)
    if done.returncode != 0:
        raise errors.Refused(
            f"the interpreter cannot be built from {lock.name}: {uv_command.trimmed(done.stderr)}",
            where=str(lock.file),
            hint="lock again (uv lock), or see it fail by hand: uv sync" if lock.name == locks.LOCK else "",
        )
    return done.stdout
