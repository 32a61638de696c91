"""Servers that somebody has signed in to from here: for each address a file of its own with the token (0600), which Git reads too."""

import os
import shlex
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from ciranda.kernel import errors, files


def address(url: str) -> str:
    """`http://HOST:PORT` of what somebody wrote. Raises errors.Usage."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise errors.Usage(f'"{url}" is no address of a server', hint="for example: ciranda login http://host:7700")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"


def path(url: str) -> Path:
    """Where the token for a server lies."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "ciranda" / "logins" / address(url).replace("://", "-").replace(":", "-").strip("[]")


def token(url: str) -> str | None:
    """The token for a server; None: nobody has signed in to it from here."""
    try:
        return path(url).read_text().strip() or None
    except (FileNotFoundError, errors.Usage):
        return None


def keep(url: str, given: str) -> Path:
    """Keep a token for a server."""
    place = path(url)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    files.write_atomic(place, given.encode() + b"\n", mode=0o600)
    return place


def drop(url: str) -> bool:
    """Forget the token for a server; False: there was none."""
    there = path(url).exists()
    path(url).unlink(missing_ok=True)
    return there


def teach_git(folder: Path, url: str) -> bool:
    """Say in a repository's own configuration where the token for this server alone lies; False: this is no repository."""
    helper = f"credential.{address(url)}.helper"
    read = f"cat {shlex.quote(str(path(url)))}"
    script = f'!f() {{ test "$1" = get && echo username=ciranda && echo "password=$({read})"; }}; f'
    return all(
        subprocess.run(
            ["git", "-C", str(folder), "config", *arguments], capture_output=True, stdin=subprocess.DEVNULL, check=False
        ).returncode == 0
        for arguments in (("--replace-all", helper, ""), ("--add", helper, script))
    )  # fmt: skip
