"""Workers: processes in the project's interpreter that run steps, spoken to in frames over two pipes (ARCHITECTURE.md §8).

Nothing that a worker says is trusted: frames are bounded, results are looked for where the engine said, digests are ours.
"""

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.kernel import confine
from ciranda.runtime import protocol

# `-I` would make Python ignore PYTHONHASHSEED as well: the same, but for that.
_START = "import sys; sys.path[:] = [p for p in sys.path if p]; from ciranda.runtime.worker import main; main()"
_PASSED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "CUDA_VISIBLE_DEVICES")
_HELLO = 60.0  # seconds that a worker has to say hello
_LAST_WORDS = 2000  # characters of what a dying worker wrote


@dataclass(frozen=True, slots=True)
class Place:
    """Where workers run: the interpreter, the tree that they see, the run's folder, what they must not see."""

    python: Path
    tree: Path
    folder: Path  # holds in/ (read-only to a worker) and out/
    pipeline: str
    hidden: tuple[Path, ...]
    readable: tuple[Path, ...]
    confined: bool
    facts: Mapping[str, Any]  # id, commit, dirty: what run() gives


class Gone(Exception):
    """The worker has died, or speaks no protocol; the message says how."""


class Worker:
    """One process. Frames go out whole; what comes in is read as it comes."""

    def __init__(self, place: Place, number: int) -> None:
        self.held: dict[str, str] = {}  # asset → digest of what it keeps for the next step
        self._buffer = bytearray()
        self._errors = place.folder / f"worker-{number}.txt"
        from_engine, self._write = os.pipe()
        self.read, to_engine = os.pipe()
        argv = [str(place.python), "-s", "-c", _START, str(from_engine), str(to_engine)]
        home = place.folder / "out" / "home"
        home.mkdir(exist_ok=True)
        if place.confined:
            argv = confine.wrap(
                argv,
                readable=[*place.readable, place.tree, place.folder / "in"],
                writable=[place.folder / "out"],
                hidden=place.hidden,
                directory=place.tree,
                die_with_parent=True,
            )
        with open(self._errors, "wb") as errors:
            self._process = subprocess.Popen(
                argv,
                cwd=place.folder / "out",
                env=environment(place.python, home),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=(from_engine, to_engine),
                start_new_session=True,
            )
        os.close(from_engine)
        os.close(to_engine)
        self._hello_by = time.monotonic() + _HELLO
        self._greeted = False
        self.send(
            {
                "type": "hello",
                "protocol": protocol.PROTOCOL,
                "tree": str(place.tree),
                "pipeline": place.pipeline,
                "folder": str(place.folder),
                "run": dict(place.facts),
            }
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, header: Mapping[str, Any], payload: bytes = b"") -> None:
        """Send a frame. Raises Gone."""
        try:
            protocol.send(self._write, dict(header), payload)
        except (BrokenPipeError, protocol.ProtocolError) as error:
            raise Gone(self.last_words()) from error

    def receive(self) -> list[tuple[dict[str, Any], bytes]]:
        """The frames that are there, after one read; its own hello is not among them. Raises Gone."""
        data = os.read(self.read, 1 << 20)
        if not data:
            raise Gone(self.last_words())
        self._buffer += data
        frames = []
        while (frame := self._frame()) is not None:
            if frame[0]["type"] == "hello" and not self._greeted:
                self._greeted = True
            else:
                frames.append(frame)
        return frames

    def overdue(self) -> bool:
        """Whether it should have said hello by now."""
        return not self._greeted and time.monotonic() > self._hello_by

    def ask(self, header: Mapping[str, Any], timeout: float) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Send a frame to an idle worker and wait for the answer: log frames, and the one that ends them.

        Raises Gone, TimeoutError.
        """
        self.send(header)
        logs: list[dict[str, Any]] = []
        until = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self.read, selectors.EVENT_READ)
            while selector.select(max(0.0, until - time.monotonic())):
                for answer, _ in self.receive():
                    if answer["type"] != "log":
                        return logs, answer
                    logs.append(answer)
        raise TimeoutError

    def last_words(self) -> str:
        """How it ended, as far as that is known."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1.0)
        code = self._process.returncode
        if code is None:
            return "it closed its end without ending"
        # under bubblewrap a signal shows as 128 + its number
        number = -code if code < 0 else code - 128 if code > 128 else 0
        how = f"exit status {code}"
        if number:
            with suppress(ValueError):
                how = f"killed by {signal.Signals(number).name}"
        with suppress(OSError):
            text = self._errors.read_text(errors="replace").strip()
            if text:
                how += "\n" + text[-_LAST_WORDS:]
        return how

    def bye(self) -> None:
        """Ask it to leave; `end` makes sure."""
        with suppress(Gone, OSError):
            self.send({"type": "bye"})

    def end(self, patience: float = 0.0) -> None:
        """See to it that it and all that it started are gone, after at most `patience` seconds of waiting."""
        with suppress(OSError):
            os.close(self._write)
        try:
            if patience:
                self._process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            with suppress(OSError):
                os.close(self.read)

    def _frame(self) -> tuple[dict[str, Any], bytes] | None:
        start = protocol.LENGTHS.size
        if len(self._buffer) < start:
            return None
        of_header, of_payload = protocol.LENGTHS.unpack_from(self._buffer)
        if of_header > protocol.LIMIT or of_payload > protocol.LIMIT:
            raise Gone("it sent what is no frame")
        end = start + of_header + of_payload
        if len(self._buffer) < end:
            return None
        try:
            header = protocol.header(bytes(self._buffer[start : start + of_header]))
        except protocol.ProtocolError as error:
            raise Gone(f"it sent what is no frame: {error}") from error
        payload = bytes(self._buffer[start + of_header : end])
        del self._buffer[:end]
        return header, payload


def environment(python: Path, home: Path) -> dict[str, str]:
    """The variables that a worker has: few, so that what it makes depends on nothing unseen."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.pathsep.join([str(python.parent), "/usr/local/bin", "/usr/bin", "/bin"])
    # Threads of OpenMP wait asleep: beside live services and other workers, spinning ones train ten times longer.
    fixed = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return {**passed, "PATH": path, "HOME": str(home), **fixed}


def message(answer: Mapping[str, Any]) -> str:
    """What a `failed` frame says, as a person reads it: the user's traceback, else the message."""
    return str(answer.get("traceback") or answer.get("message") or json.dumps(dict(answer)))
