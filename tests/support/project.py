"""Toy projects: a Git repository with `ciranda.toml` and `pipeline.py`, and the installed `ciranda` driven by subprocess.

toy = project.make(tmp_path, PIPELINE, sources={"raw": "data/raw.txt"}, files={"data/raw.txt": "1"})
toy.ciranda("run").succeeds()
toy.write({"pipeline.py": ...}); toy.commit("better")
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

CIRANDA = Path(sys.executable).with_name("ciranda")
TIMEOUT = 120.0  # seconds for one command


@dataclass(frozen=True)
class Ran:
    """What one command did."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    def succeeds(self) -> "Ran":
        """Itself, if the exit status is 0."""
        assert self.code == 0, f"{' '.join(self.argv)}: exit status {self.code}\n{self.out}\n{self.err}"
        return self

    def fails(self, code: int = 1) -> "Ran":
        """Itself, if the exit status is this one and nothing of ours is in a traceback."""
        assert self.code == code, f"{' '.join(self.argv)}: exit status {self.code}\n{self.out}\n{self.err}"
        assert f"{os.sep}ciranda{os.sep}" not in self.err, self.err
        return self

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Project:
    """A project's folder and the home that its commands use."""

    root: Path
    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What the commands see: nothing of this machine's configuration."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "CIRANDA_CONFINE") if name in os.environ}
        user = self.home.parent / "user"
        user.mkdir(exist_ok=True)
        git = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _WHO.items()}
        return {**kept, **git, **who, "HOME": str(user), "CIRANDA_HOME": str(self.home), **self.variables}

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files of the project."""
        for path, text in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text if isinstance(text, bytes) else dedent(text).lstrip("\n").encode())

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that a file has once."""
        text = (self.root / path).read_text()
        assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
        (self.root / path).write_text(text.replace(old, new))

    def git(self, *arguments: str) -> Ran:
        return self.run("git", "-c", "init.defaultBranch=main", *arguments)

    def commit(self, message: str = "a change") -> str:
        """Commit everything; returns the commit."""
        self.git("add", "--all").succeeds()
        self.git("commit", "--quiet", "--allow-empty", "--message", message).succeeds()
        return self.git("rev-parse", "HEAD").succeeds().out.strip()

    def ciranda(self, *arguments: str, **variables: str) -> Ran:
        """Run the installed command line in the project."""
        return self.run(str(CIRANDA), *arguments, **variables)

    def start(self, *argv: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a command whose output is read by the caller, who waits for it."""
        return subprocess.Popen(
            argv, cwd=self.root, env={**self.environment, **variables}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *argv: str, **variables: str) -> Ran:
        done = subprocess.run(
            argv, cwd=self.root, env={**self.environment, **variables}, text=True, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT,
        )  # fmt: skip
        return Ran(argv, done.returncode, done.stdout, done.stderr)


_WHO = {"NAME": "Ada", "EMAIL": "ada@example.org"}


def declaration(name: str = "toy", *, sources: Mapping[str, str] | None = None, more: str = "") -> str:
    """A `ciranda.toml`."""
    listed = "".join(f'{key} = {{ files = "{files}" }}\n' for key, files in (sources or {}).items())
    return (
        f'[project]\nname = "{name}"\npipeline = "pipeline.py"\n'
        + (f"[sources]\n{listed}" if listed else "")
        + dedent(more)
    )


def make(
    folder: Path,
    pipeline: str,
    *,
    name: str = "toy",
    sources: Mapping[str, str] | None = None,
    files: Mapping[str, str | bytes] | None = None,
    more: str = "",
    variables: Mapping[str, str] | None = None,
) -> Project:
    """A committed project in `folder`/NAME whose home is `folder`/home. `more` is further text of `ciranda.toml`."""
    toy = Project(folder / name, folder / "home", variables or {})
    toy.root.mkdir(parents=True)
    toy.git("init", "--quiet").succeeds()
    toy.write({"ciranda.toml": declaration(name, sources=sources, more=more), "pipeline.py": pipeline, **(files or {})})
    toy.commit("begin")
    return toy
