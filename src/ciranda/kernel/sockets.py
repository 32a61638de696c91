"""Where sockets lie, and one question with one answer over them. Standard library only."""

import hashlib
import json
import os
import socket
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ciranda.kernel import errors

_LONGEST = 80  # bytes of a folder's path: an address ends at 107, and a socket's name needs some


def folder(root: Path) -> Path:
    """The private (0700) folder of the sockets of what lives at `root`, made when it is missing.

    Raises errors.Refused if it belongs to somebody else.
    """
    return private(place(root))


def place(root: Path) -> Path:
    """Where that folder is looked for by this process; nothing is made. Raises errors.Refused where there is no place for it."""
    bases = [os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("TMPDIR"), "/tmp"]
    for base in bases:
        if base and os.access(base, os.W_OK) and len(os.fspath(within(Path(base), root))) <= _LONGEST:
            return within(Path(base), root)
    raise errors.Refused(
        "there is no folder for sockets: /tmp cannot be written",
        hint="name one with a short path: export XDG_RUNTIME_DIR=/run/user/$(id -u)",
    )


def within(base: Path, root: Path) -> Path:
    """The folder under `base` that belongs to this user and to what lives at `root`: `ciranda-<uid>/<8 hex>`."""
    name = hashlib.blake2b(os.fsencode(os.path.realpath(root)), digest_size=4).hexdigest()
    return base / f"ciranda-{os.geteuid()}" / name


def private(folder: Path) -> Path:
    """Make such a folder and its parent (0700). Raises errors.Refused if one belongs to somebody else."""
    for path in (folder.parent, folder):
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise errors.Refused(
                "a folder that must be private is not yours alone",
                where=str(path),
                hint=f"look who made it: ls -ld {path}",
            )
    return folder


def ask(path: Path, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Send one JSON line over a stream socket and return the line that answers. `timeout` is in seconds, for all of it.

    Raises errors.Unreachable if nobody listens, or no whole answer comes in time.
    """
    until = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.settimeout(timeout)
            connection.connect(os.fspath(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = bytearray()
            while not answer.endswith(b"\n"):
                connection.settimeout(max(until - time.monotonic(), 0.001))
                chunk = connection.recv(1 << 16)
                if not chunk:
                    raise errors.Unreachable(f"{path.name} went away before it answered", where=str(path))
                answer += chunk
        except TimeoutError as error:
            raise errors.Unreachable(f"{path.name} did not answer within {timeout:g} s", where=str(path)) from error
        except OSError as error:
            raise errors.Unreachable(f"{path.name} is not there", where=str(path)) from error
    try:
        reply = json.loads(answer)
    except ValueError:
        reply = None
    if not isinstance(reply, dict):
        raise errors.Unreachable(f"{path.name} answered what is not an answer", where=str(path))
    return reply
