"""The keeper's children: how they are started, recorded, found again and signalled. Standard library only."""

import contextlib
import json
import os
import select
import signal as signals
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ciranda.kernel import errors, files, process

FORMAT = "ciranda.children/1"
MARK = "CIRANDA_KEPT"  # in the environment of each child: the home and its id, so that one that was never recorded can be found
_BUBBLEWRAP = 10.0  # seconds in which it names the namespace's first process


@dataclass(frozen=True, slots=True)
class Child:
    """A process of the keeper's, living or exited."""

    id: str
    role: str  # "control", "gateway", "runner", "instance", "masker"
    identity: process.Identity
    inner: process.Identity | None  # confined: the first process of its namespace; the program is that one's child
    spec: str
    log: str
    drain: float
    started_us: int
    note: dict[str, Any]  # what whoever started it wants to know of it later
    terminated: bool = False  # was told to end
    kill_us: int | None = None  # when it is killed if it still lives
    exit: str | None = None  # "exit 1", "signal 9", "unknown"; None: it lives


def encode(children: Iterable[Child]) -> bytes:
    return json.dumps({"format": FORMAT, "children": [asdict(child) for child in children]}, indent=1).encode()


def decode(data: bytes) -> list[Child]:
    """Raises errors.Corrupt."""
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise ValueError(f"format is {document['format']!r}")
        return [_child(entry) for entry in document["children"]]
    except (ValueError, KeyError, TypeError) as error:
        raise errors.Corrupt(
            f"the record of running processes cannot be read: {error}",
            hint="remove it, and what still runs is ended: rm state/children.json",
        ) from error


def _child(entry: Mapping[str, Any]) -> Child:
    inner = entry["inner"]
    identities = {
        "identity": process.Identity(**entry["identity"]),
        "inner": None if inner is None else process.Identity(**inner),
    }
    return Child(**{**entry, **identities})


def load(path: Path) -> list[Child]:
    """What was recorded; nothing when there is no record yet. Raises errors.Corrupt."""
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:
        return []


def save(path: Path, children: Iterable[Child]) -> None:
    files.write_atomic(path, encode(children))


@dataclass(frozen=True, slots=True)
class Streams:
    """What a process reads, and where it writes when that is not its log: descriptors."""

    input: int = subprocess.DEVNULL
    output: int | None = None


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process that has just been started."""

    popen: subprocess.Popen[bytes]
    identity: process.Identity
    inner: process.Identity | None


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str,
    log: str,
    inner: bool,
    descriptors: Sequence[int] = (),
    streams: Streams = Streams(),
) -> Spawned:
    """Start a process in a session of its own, its output appended to `log`. `inner`: argv is bubblewrap's, with --info-fd.

    Raises OSError when it cannot be started.
    """
    with contextlib.ExitStack() as stack:
        output = streams.output
        if output is None:
            output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            stack.callback(os.close, output)
        passed, command, read = list(descriptors), list(argv), None
        if inner:
            read, write = os.pipe2(os.O_CLOEXEC)
            stack.callback(os.close, read)
            command[command.index("--info-fd") + 1] = str(write)
            passed.append(write)
        try:
            popen = subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=streams.input,
                stdout=output,
                stderr=output,
                pass_fds=passed,
                start_new_session=True,
            )
        finally:
            if inner:
                os.close(write)
        identity = process.of(popen.pid) or process.Identity(popen.pid, 0, "")  # it may have ended already
        return Spawned(popen, identity, None if read is None else _first(read))


def _first(read: int) -> process.Identity | None:
    """The namespace's first process as bubblewrap names it; None when it ended before."""
    said, until = b"", time.monotonic() + _BUBBLEWRAP
    while select.select([read], [], [], max(until - time.monotonic(), 0))[0]:
        chunk = os.read(read, 4096)
        if not chunk:
            break
        said += chunk
        with contextlib.suppress(ValueError):
            return process.of(int(json.loads(said)["child-pid"]))
    return None


def signal(child: Child, number: int) -> None:
    """Signal a child's whole process group; under confinement the program's, and to kill is to end the namespace."""
    if child.inner is None or not process.alive(child.inner):
        _group(child.identity, number)
    elif number == signals.SIGKILL:
        process.signal(child.inner, number)
    elif not _group(child.inner, number):
        process.signal(child.inner, signals.SIGKILL)  # still on its way to the program: there is nothing to finish


def _group(identity: process.Identity, number: int) -> bool:
    if not process.alive(identity):
        return False
    try:
        os.killpg(identity.pid, number)
    except ProcessLookupError:
        return False
    return True


def end(child: Child) -> None:
    """Kill what a child that has exited, and is not reaped yet, left behind in its group or namespace."""
    if child.inner is not None:
        process.signal(child.inner, signals.SIGKILL)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.identity.pid, signals.SIGKILL)


def words(child: Child, status: int) -> str:
    """An exit status, as Popen gives it, in words."""
    if child.inner is not None and status > 128:
        return f"signal {status - 128}"  # as bubblewrap reports the program's
    return f"signal {-status}" if status < 0 else f"exit {status}"


def strays(home: str, known: Iterable[str]) -> list[int]:
    """Processes that were started for this home and are not recorded: the keeper died between the two."""
    ours = f"{MARK}={home}:".encode()
    names = {name.encode() for name in known}
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                for variable in (folder / "environ").read_bytes().split(b"\0"):
                    if variable.startswith(ours) and variable[len(ours) :] not in names:
                        found.append(int(folder.name))
    return found
