"""Processes told apart even when their numbers are used again. Standard library only. Linux."""

import os
import signal as signals
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    """A process: its number, its start in clock ticks since boot, and the boot it belongs to."""

    pid: int
    start: int
    boot: str


def of(pid: int) -> Identity | None:
    """The identity of the process that has this number now; None: there is none, or it waits to be reaped."""
    found = _state_and_start(pid)
    return None if found is None or found[0] in "ZX" else Identity(pid, found[1], _boot())


def alive(identity: Identity) -> bool:
    """Whether that very process still runs."""
    return of(identity.pid) == identity


def signal(identity: Identity, number: int) -> bool:
    """Send a signal to that very process, never to another that has its number now; False: it is gone."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not alive(identity):
            return False
        with suppress(ProcessLookupError):
            signals.pidfd_send_signal(descriptor, number)
            return True
        return False
    finally:
        os.close(descriptor)


def _state_and_start(pid: int) -> tuple[str, int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return fields[0].decode(), int(fields[19])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
