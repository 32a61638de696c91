"""Beginning a project: its files, its repository, the remote that it is pushed to, and where Git finds the token."""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app import up
from ciranda.kernel import errors
from ciranda.pipeline import tree
from ciranda.project import names, read, template
from ciranda.project.detection import detect, listing
from ciranda.project.detection.proposal import Proposal

REMOTE = "ciranda"
BRANCH = "main"


@dataclass(frozen=True, slots=True)
class Begun:
    """What was done: the project's name, the files that were written, what was there and stays, the remote's address."""

    name: str
    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]
    remote: str
    new_remote: bool


def propose(folder: Path) -> Proposal:
    """What a folder that holds something already has for a `ciranda.toml`; nothing where there is nothing, or one is there."""
    if not folder.is_dir() or (folder / read.FILE).exists():
        return Proposal()
    files = tree.working(folder).files or ()

    def contents(path: str) -> bytes:
        descriptor = os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            return file.read(listing.LARGEST + 1)

    return detect.detect(listing.bounded(files, contents))


def begin(folder: Path, name: str | None, home: homes.Home, proposal: Proposal | None = None) -> Begun:
    """Make a project of a folder: a whole working one where nothing is, else a `ciranda.toml` beside what there is.

    `proposal`: what is written into it beside the name, where something is there already.
    Nothing is overwritten; safe to repeat. Raises errors.Refused for a name that cannot be, errors.NotFound without Git.
    """
    folder.mkdir(parents=True, exist_ok=True)
    empty = all(entry.name == ".git" for entry in folder.iterdir())
    if (folder / read.FILE).exists():
        declared = read.read(folder).name
        if name not in (None, declared):
            raise errors.Refused(
                f"this project is called {declared} already",
                where=str(folder / read.FILE),
                hint="its name stands there",
            )
        name = declared
    name = name or template.name_for(folder.resolve().name)
    if problem := names.problem(name):
        raise errors.Invalid(
            f"the project cannot be called so: {problem}", hint="another name: ciranda init --name NAME"
        )
    declared_text = template.declaration(name, working=empty)
    if proposal and not empty:
        declared_text = template.proposed(name, proposal)
        read.read_text(declared_text, read.FILE)
    texts = {read.FILE: declared_text, **(template.files() if empty else {})}
    written, kept = [], []
    for path, text in texts.items():
        target = folder / path
        if target.exists():
            kept.append(path)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        written.append(path)
    if not (folder / ".git").exists():
        _git(folder, "init", "--quiet", "-b", BRANCH)
    remote = f"{_server(home)}/git/{name}.git"
    return Begun(name, folder, tuple(written), tuple(kept), remote, _remote(folder, remote, home))


def _server(home: homes.Home) -> str:
    server = up.running(home) if home.root.exists() else None
    return server.url if server else f"http://{up.HOST}:{up.PORT}"


def _remote(folder: Path, url: str, home: homes.Home) -> bool:
    """Name the server in the repository, and say for its address alone where the token lies; whether the remote is new."""
    known = _git(folder, "remote").split()
    if REMOTE in known:
        _git(folder, "remote", "set-url", REMOTE, url)
    else:
        _git(folder, "remote", "add", REMOTE, url)
    helper = f"credential.{url}.helper"
    token = shlex.quote(str(home.token))
    script = f'!f() {{ test "$1" = get && echo username=ciranda && echo "password=$(cat {token})"; }}; f'
    _git(folder, "config", "--replace-all", helper, "")  # none of the helpers of other hosts is asked, or told
    _git(folder, "config", "--add", helper, script)
    return REMOTE not in known


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        raise errors.NotFound("git is not installed", hint="install it, then: ciranda init") from None
    if done.returncode:
        raise errors.Refused(f"git {arguments[0]}: {done.stderr.strip()}", where=str(folder))
    return done.stdout
