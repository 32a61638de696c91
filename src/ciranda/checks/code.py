"""Code checks: commands that run on the change's tree and pass with exit status 0."""

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ciranda.checks import passes
from ciranda.kernel import clock, confine, digest
from ciranda.kernel.database import Database

TAIL = 12  # lines of a failing command that are shown; the whole output is kept as evidence
_COUNTED = re.compile(r"\b(\d+) passed\b")  # pytest, cargo, node: what their closing line says


@dataclass(frozen=True, slots=True)
class CodeOutcome:
    """What one command found. `passed` is None when it could not be started or ran out of time."""

    command: str
    passed: bool | None
    seconds: float
    summary: str
    output: bytes = b""
    cached: bool = False
    failed: int = 0  # how often it failed on the very same tree and interpreter, this time included
    tried: int = 0  # and how often it was run on them; a command that did both, fail and pass, is flaky

    @property
    def tail(self) -> list[str]:
        """The last lines of its output, for people."""
        lines = [line for line in self.output.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-TAIL:]

    @property
    def tests(self) -> int | None:
        """How many tests it says passed, where it says so."""
        counted = _COUNTED.findall(self.output.decode("utf-8", "replace"))
        return int(counted[-1]) if counted else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where code checks run: a tree of their own that they may write, and an interpreter that is first on the PATH."""

    tree: Path
    python: Path
    home: Path  # hidden from what runs
    readable: tuple[Path, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    mask: Callable[[bytes], bytes] = bytes  # what takes secrets out of the output, before anybody sees it


def key(command: str, *, tree: str, interpreter: str) -> str:
    """The key under which a pass of this command is remembered: tree digest, interpreter digest and command decide it."""
    return digest.of("key", {"command": command, "tree": tree, "interpreter": interpreter, "format": "code/1"})


def run_all(
    commands: Sequence[str],
    place: Place,
    *,
    timeout: float,
    database: Database,
    tree: str,
    interpreter: str,
    eased: Collection[str] = (),
) -> list[CodeOutcome]:
    """Run the commands in order; stops after the first that does not pass. Passes are remembered, failures never.

    `eased` are commands after which it goes on when they could not be judged.
    """
    outcomes: list[CodeOutcome] = []
    for command in commands:
        name = key(command, tree=tree, interpreter=interpreter)
        summary = passes.find(database, name)
        if summary is not None:
            before = passes.failures(database, name)
            outcomes.append(
                CodeOutcome(command, True, 0.0, summary, summary.encode(), cached=True, failed=before, tried=before + 1)
            )
            continue
        outcome = run(command, place, timeout=timeout)
        before = passes.failures(database, name)
        failed = before + (0 if outcome.passed else 1)
        outcomes.append(replace(outcome, failed=failed, tried=before + 1))
        if outcome.passed is not True:
            passes.count_failure(database, name, clock.now_us())
            if outcome.passed is False or command not in eased:
                break
        passes.keep(database, name, outcome.summary, clock.now_us())
    return outcomes


def run(command: str, place: Place, *, timeout: float) -> CodeOutcome:
    """Run one command in `place`, confined where the machine can. Output is standard output and error together."""
    started = time.monotonic()
    argv = shlex.split(command)
    if not argv:
        return CodeOutcome(command, None, 0.0, "the command is empty")
    if confine.available():
        argv = confine.wrap(
            argv,
            readable=place.readable,
            writable=[place.tree],
            hidden=[place.home],
            directory=place.tree,
            die_with_parent=True,
        )
    try:
        process = subprocess.Popen(
            argv, cwd=place.tree, env=_environment(place), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return CodeOutcome(command, None, time.monotonic() - started, f"it cannot start: {error}")
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        said = f"it did not end within {timeout:g} s"
        return CodeOutcome(command, None, time.monotonic() - started, said, place.mask(output))
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    outcome = CodeOutcome(command, process.returncode == 0, time.monotonic() - started, "", place.mask(output))
    return replace(outcome, summary=_summary(outcome, process.returncode))


def _summary(outcome: CodeOutcome, status: int) -> str:
    if outcome.tests is not None and status == 0:
        return f"{outcome.tests} passed"
    return "passed" if status == 0 else f"exit status {status}"


def _environment(place: Place) -> dict[str, str]:
    scripts = place.python.parent
    return {
        "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(place.tree),
        "VIRTUAL_ENV": str(scripts.parent),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "OMP_WAIT_POLICY": "PASSIVE",  # as in a worker: threads that spin starve what is live beside them
        "CI": "true",
        **place.variables,
    }
