"""The stage: a temporary home and repository, a server on free ports of 127.0.0.1, driven as a person drives them: by command."""

import contextlib
import copy
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ciranda.demo import processes
from ciranda.demo.judge import Said
from ciranda.kernel import errors

REMOTE = "ciranda"
PERSON = "Ada of the flights"
UP = 60.0  # seconds until the server answers
TOLD = 12  # lines of a command that should have worked
DOWN = 60.0  # seconds until it has drained and left


class Stage:
    """Everything that the play touches lies in one temporary folder and ends with it."""

    def __init__(self, project: str, home: Path | None = None) -> None:
        """`home`: a folder that is not there yet; without it, one in the temporary folder. Raises errors.Refused."""
        if home and home.exists():
            raise errors.Refused(
                "the demo wants a home of its own", where=str(home), hint="name a folder that is not there yet"
            )
        self.project = project
        self.folder = Path(tempfile.mkdtemp(prefix="ciranda-demo-"))
        self.home = home or self.folder / "home"
        self.tree = self.folder / project
        self.tree.mkdir()
        self.port, self.gateway_port = free_ports(2)
        self.environment = environment(os.environ, self.home)

    def beside(self, project: str) -> "Stage":
        """The same home and server, with another project beside the first one; it ends with that."""
        other = copy.copy(self)
        other.project, other.tree = project, self.folder / project
        other.tree.mkdir()
        return other

    @property
    def folders(self) -> list[Path]:
        """What is removed at the end."""
        return [self.folder] if self.home.is_relative_to(self.folder) else [self.home, self.folder]

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    def run(
        self, *command: str, timeout: float, show: Callable[[str], None] | None = None, home: Path | None = None
    ) -> Said:
        """Run a command in the project's folder and return what it said; `show` gets each line as it comes."""
        began = time.monotonic()
        variables = self.environment | ({"CIRANDA_HOME": str(home)} if home else {})
        process = subprocess.Popen(
            command, cwd=self.tree, env=variables, text=True, encoding="utf-8", errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        lines: list[str] = []
        with process, ending(process, timeout):
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if show:
                    show(line.rstrip())
            process.wait()
        return Said(process.returncode, "".join(lines), time.monotonic() - began)

    def ciranda(
        self,
        *arguments: str,
        timeout: float = 60.0,
        show: Callable[[str], None] | None = None,
        home: Path | None = None,
    ) -> Said:
        """The command line of the Ciranda that plays."""
        return self.run(*ciranda(*arguments), timeout=timeout, show=show, home=home)

    def told(self, *arguments: str, timeout: float = 60.0, codes: Collection[int] = (0,)) -> dict[str, Any]:
        """What a command tells as JSON; empty where it ends otherwise than with one of `codes`, or tells nothing."""
        said = self.ciranda(*arguments, "--json", timeout=timeout)
        try:
            found = json.loads(said.text) if said.code in codes else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def git(self, *arguments: str, timeout: float = 60.0, show: Callable[[str], None] | None = None) -> Said:
        """An ordinary Git client."""
        return self.run("git", *arguments, timeout=timeout, show=show)

    def must(self, said: Said, what: str) -> str:
        """What a command said that has to work before anything can be played. Raises errors.Refused."""
        if said.code:
            last = "\n".join(said.text.strip().splitlines()[-TOLD:])
            raise errors.Refused(f"{what} ended with {said.code}; the last that it said:\n{last}")
        return said.text.strip()

    def up(self, show: Callable[[str], None] | None = None) -> None:
        """Start the server; it is in the background once it answers. Raises errors.Refused."""
        ports = ("--port", str(self.port), "--gateway-port", str(self.gateway_port))
        self.must(self.ciranda("up", *ports, "--detach", timeout=UP, show=show), "ciranda up")

    def abandon(self) -> None:
        """Kill the keeper, which would start everything again: what breaks the act of the kills on purpose."""
        keeper = self.process("keeper")
        if keeper:
            processes.kill(keeper)

    def repository(self) -> None:
        """A Git repository with the server as the remote `ciranda`; its password is the first token of the home."""
        helper = f'!f() {{ echo username=ada; echo "password=$(cat {shlex.quote(str(self.home / "token"))})"; }}; f'
        self.must(self.git("init", "-q", "-b", "main"), "git init")
        self.must(self.git("config", "credential.helper", helper), "git config")
        self.must(
            self.git("remote", "add", REMOTE, f"http://127.0.0.1:{self.port}/git/{self.project}.git"), "git remote add"
        )

    def commit(self, subject: str) -> str:
        """Commit what the working tree has; returns the commit."""
        self.must(self.git("add", "-A"), "git add")
        self.must(self.git("commit", "-q", "-m", subject), "git commit")
        return self.head()

    def uncommit(self) -> None:
        """Take the last commit back."""
        self.must(self.git("reset", "-q", "--hard", "HEAD~1"), "git reset")

    def head(self) -> str:
        return self.must(self.git("rev-parse", "HEAD"), "git rev-parse")

    def main(self) -> str:
        """Where the server says that main is, as any client sees it; "" where it says nothing."""
        said = self.git("ls-remote", REMOTE, "refs/heads/main", timeout=30.0)
        return said.text.split("\t")[0].strip() if said.code == 0 else ""

    def process(self, role: str) -> int | None:
        """The pid of the control or the gateway of this home, as the machine sees it."""
        return processes.find(role, self.home)

    def close(self, *, keep: bool = False) -> None:
        """Stop the server, end whatever is left of it, remove the folder; with `keep` nothing of that. Safe to repeat."""
        if keep or not self.folder.exists():
            return
        if self.home.exists():
            with contextlib.suppress(subprocess.SubprocessError, OSError):
                self.ciranda("down", timeout=DOWN)
        processes.end(self.home)
        for made in self.folders:
            if made.exists():
                remove(made)


@contextlib.contextmanager
def ending(process: "subprocess.Popen[str]", timeout: float) -> Iterator[None]:
    """End a command and what it started when it takes too long, or when whoever waits for it is interrupted."""

    def end() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(timeout, end)
    timer.start()
    try:
        yield
    except BaseException:
        end()
        raise
    finally:
        timer.cancel()
        timer.join()


def remove(folder: Path) -> None:
    """Remove a folder, read-only folders in it too."""
    for path, _, _ in os.walk(folder):
        os.chmod(path, 0o700)
    shutil.rmtree(folder)


def ciranda(*arguments: str) -> list[str]:
    """The command line of the Ciranda that is running now, whatever the PATH says."""
    return [sys.executable, "-m", "ciranda.cli.main", *arguments]


def environment(outer: Mapping[str, str], home: Path) -> dict[str, str]:
    """The variables of every command: nobody's own Git configuration, no prompt, the temporary home."""
    kept = {name: value for name, value in outer.items() if not name.startswith(("GIT_", "CIRANDA_"))}
    return kept | {
        "CIRANDA_HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": PERSON,
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": PERSON,
        "GIT_COMMITTER_EMAIL": "ada@example.org",
        "LC_ALL": "C.UTF-8",
    }


def free_ports(count: int) -> list[int]:
    """As many ports of 127.0.0.1 that nobody listens on now."""
    with contextlib.ExitStack() as held:
        listeners = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
