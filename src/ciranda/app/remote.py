"""The server that a project is pushed to: the one of this home, or another that the remote `ciranda` names."""

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from ciranda.app import client, logins
from ciranda.app import home as homes
from ciranda.kernel import errors

REMOTE = "ciranda"


def address(folder: Path) -> str | None:
    """Where the remote `ciranda` leads, when it is a server's: `http://HOST:PORT`; else None."""
    url = _git(folder, "remote", "get-url", REMOTE)
    parts = urlsplit(url or "")
    if parts.scheme not in ("http", "https") or "/git/" not in parts.path:
        return None
    before = parts.path.partition("/git/")[0]
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{before}"


def is_home(folder: Path, home: homes.Home) -> bool:
    """Whether the remote leads to the server of this home, or nowhere else."""
    named = address(folder)
    if named is None:
        return True
    try:
        return named == client.of_home(home).url
    except errors.Unreachable:
        return False


def server(folder: Path, home: homes.Home, *, timeout: float = client.TIMEOUT) -> client.Client:
    """The API of the server that the project is pushed to.

    Raises errors.Unreachable when there is none, errors.Refused when Git knows no token for it.
    """
    named = address(folder)
    if named is None or is_home(folder, home):
        return client.of_home(home, timeout=timeout)
    if (kept := logins.token(named)) is not None:
        return client.Client(named, kept, timeout)
    url = _git(folder, "remote", "get-url", REMOTE) or named
    told = _git(folder, "credential", "fill", given=f"url={url}\n\n")
    token = next((line.partition("=")[2] for line in (told or "").splitlines() if line.startswith("password=")), "")
    if not token:
        raise errors.Refused(
            "Git knows no token for this server",
            where=named,
            hint=f"push once, or: git config credential.{url}.helper …",
        )
    return client.Client(named, token, timeout)


def asked(folder: Path, home: homes.Home) -> client.Client:
    """The server that a folder's project is pushed to, where somebody has signed in to it from here; else that of the home."""
    named = address(folder)
    token = None if named is None or is_home(folder, home) else logins.token(named)
    return client.of_home(home) if named is None or token is None else client.Client(named, token)


def _git(folder: Path, *arguments: str, given: str = "") -> str | None:
    """What Git answers; None when it refuses or is not there. It never asks at the terminal."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "-c", "core.askPass=true", *arguments],
            capture_output=True, text=True, input=given, check=False, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        )  # fmt: skip
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
