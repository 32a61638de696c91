"""The processes of a home, as the machine sees them: found by what they run and where, never by our own records."""

import contextlib
import os
import select
import signal
import time
from pathlib import Path

ROLES = {"control": "ciranda.web.main", "gateway": "ciranda.service.gateway.main", "keeper": "ciranda.service.keeper"}
PATIENCE = 5.0  # seconds for a killed process to be gone


def find(role: str, home: Path) -> int | None:
    """The pid of the process of this home in a role, None where none lives."""
    return next((pid for pid in of_home(home) if runs(arguments(pid), ROLES[role])), None)


def of_home(home: Path) -> list[int]:
    """Every process whose command line or environment names this home."""
    named = os.fsencode(home)
    return [
        pid
        for pid in everyone()
        if pid != os.getpid() and (named in content(pid, "cmdline") or named in content(pid, "environ"))
    ]


def runs(argv: list[str], module: str) -> bool:
    """Whether a command line is Python running this module."""
    file = module.replace(".", "/") + ".py"
    return any(part == module or part.endswith("/" + file) for part in argv)


def kill(pid: int) -> float:
    """Kill a process and wait until it is gone; returns when that was, in seconds of the monotonic clock."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            wait(descriptor)
        finally:
            os.close(descriptor)
    return time.monotonic()


def end(home: Path) -> None:
    """End every process of a home that `down` did not reach; a new one that a dying one started is ended too."""
    deadline = time.monotonic() + PATIENCE
    while (left := of_home(home)) and time.monotonic() < deadline:
        for pid in left:
            kill(pid)


def wait(descriptor: int) -> None:
    """Until the process of a pid descriptor is gone, at most some seconds."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll(PATIENCE * 1000)


def everyone() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def arguments(pid: int) -> list[str]:
    return [os.fsdecode(part) for part in content(pid, "cmdline").split(b"\0")]


def content(pid: int, name: str) -> bytes:
    """A file of a process, b"" where it is gone or somebody else's."""
    try:
        return Path("/proc", str(pid), name).read_bytes()
    except OSError:
        return b""
