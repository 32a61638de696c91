"""Listening sockets: opened, found taken, or taken over from the process that holds them. Standard library only."""

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from ciranda.kernel import errors

BACKLOG = 4096
_ANSWER = 2.0  # seconds for the gateway to hand over its sockets


def on_port(host: str, port: int, option: str = "--port") -> socket.socket:
    """A socket that listens there. Raises errors.Refused naming the port, who has it, and the `option` that names another."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        who = holder(port)
        taken = f"port {port} is taken" + (f" by {who}" if who else "")
        raise errors.Refused(
            taken if error.errno == 98 else f"port {port} cannot be listened on: {error.strerror}",
            hint=f"another port: ciranda up {option} {port + 10 if port < 65526 else 0}",
        ) from error
    return listener


def on_path(path: Path) -> socket.socket:
    """A unix socket that listens at this path; one that a dead process left is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(os.fspath(path))
    listener.listen(128)
    return listener


def taken_over(path: Path, wanted: Mapping[str, tuple[str, int]]) -> dict[str, socket.socket]:
    """The gateway's duplicates of the wanted listeners; empty when it does not answer or has others."""
    with (
        contextlib.suppress(OSError, ValueError, KeyError),
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking,
    ):
        asking.settimeout(_ANSWER)
        asking.connect(os.fspath(path))
        asking.sendall(b'{"type": "listeners"}\n')
        data, descriptors, _, _ = socket.recv_fds(asking, 1 << 16, 16)
        listeners = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        found = dict(zip(json.loads(data)["listeners"], listeners, strict=True))
        if found.keys() == wanted.keys() and all(_is_at(found[name], *wanted[name]) for name in wanted):
            return found
        for listener in listeners:
            listener.close()
    return {}


def _is_at(listener: socket.socket, host: str, port: int) -> bool:
    there = listener.getsockname()
    return bool(there[0] == host and port in {0, there[1]})


def holder(port: int) -> str:
    """The process that listens on this TCP port: `nginx (process 4121)`; empty when that cannot be seen."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for folder in Path("/proc").iterdir() if inodes else ():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if any(os.readlink(entry) in inodes for entry in (folder / "fd").iterdir()):
                    return f"{(folder / 'comm').read_text().strip()} (process {folder.name})"
    return ""
