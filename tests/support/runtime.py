"""A real worker and a real model server on a tree that a test writes."""

import http.client
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ciranda.runtime import protocol

WAIT = 60  # seconds after which a worker that says nothing is a failed test


def write_tree(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below `root`, text dedented; returns `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).lstrip("\n").encode())
    return root


@dataclass
class WorkerProcess:
    """A worker as the engine sees it: frames in, frames out."""

    process: subprocess.Popen[bytes]
    read: int
    write: int
    folder: Path
    logs: list[dict[str, Any]] = field(default_factory=list)

    def send(self, payload: bytes = b"", **header: Any) -> None:
        protocol.send(self.write, header, payload)

    def answer(self) -> tuple[dict[str, Any], bytes]:
        """The next frame that is no log; logs are kept."""
        while True:
            frame = protocol.receive(self.read)
            assert frame is not None, "the worker closed the stream"
            if frame[0]["type"] != "log":
                return frame
            self.logs.append(frame[0])

    def ask(self, payload: bytes = b"", **header: Any) -> tuple[dict[str, Any], bytes]:
        self.send(payload, **header)
        return self.answer()

    def step(
        self, name: str, inputs: Mapping[str, Any] | None = None, payload: bytes = b"", **more: Any
    ) -> tuple[dict[str, Any], bytes]:
        """Run a step; its result goes to `out/<name>`."""
        header = {
            "type": "step",
            "id": name,
            "step": name,
            "inputs": inputs or {},
            "parameters": {},
            "out": f"out/{name}",
        }
        return self.ask(payload, **{**header, **more})

    def check(
        self, function: str, asset: str, inputs: Mapping[str, Any] | None = None, payload: bytes = b"", **more: Any
    ) -> dict[str, Any]:
        """Run a check and return its outcome (or failure)."""
        name = function.partition(":")[2]
        header = {
            "type": "check",
            "id": name,
            "check": name,
            "asset": asset,
            "function": function,
            "inputs": inputs or {},
        }
        return self.ask(payload, **{**header, "parameters": {}, **more})[0]

    def printed(self, stream: str = "stdout") -> str:
        return "".join(log["text"] for log in self.logs if log["stream"] == stream)


@contextmanager
def worker(
    tree: Path, folder: Path, pipeline: str = "pipeline.py", python: str = sys.executable, hello: bool = True
) -> Iterator[WorkerProcess]:
    """A worker subprocess on `tree`; said goodbye and waited for at the end."""
    for name in ("in", "out"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    theirs_read, ours_write = os.pipe()
    ours_read, theirs_write = os.pipe()
    process = subprocess.Popen(
        [python, "-I", "-m", "ciranda.runtime.worker", str(theirs_read), str(theirs_write)],
        pass_fds=(theirs_read, theirs_write),
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    os.close(theirs_read)
    os.close(theirs_write)
    started = WorkerProcess(process, ours_read, ours_write, folder)
    try:
        if hello:
            run = {"id": "run-1", "commit": "c0ffee", "dirty": 0}
            said, _ = started.ask(
                type="hello", protocol=1, tree=str(tree), pipeline=pipeline, folder=str(folder), run=run
            )
            assert said["type"] == "hello", said
        yield started
        if process.poll() is None:
            with suppress(BrokenPipeError):
                assert started.ask(type="bye")[0] == {"type": "bye"}
    finally:
        os.close(ours_write)
        os.close(ours_read)
        try:
            process.wait(WAIT)
        finally:
            process.kill()
            process.wait()


@dataclass
class ServerProcess:
    """A model server, spoken to over its socket."""

    process: subprocess.Popen[bytes]
    socket: Path
    log: Path

    def connect(self) -> socket.socket:
        """A connection of one's own."""
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(WAIT)
        made.connect(str(self.socket))
        return made

    def ask(
        self, body: Any = None, method: str = "POST", path: str = "/", **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """One request on a connection of its own: status, JSON, headers in lower case."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.connect() as made:
            client = http.client.HTTPConnection("localhost")
            client.sock = made
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            client.request(method, path, data if method == "POST" else None, named)
            answer = client.getresponse()
            text = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, json.loads(text) if text else None, found

    def raw(self, data: bytes) -> bytes:
        """Everything that is answered to these bytes until the server closes."""
        with self.connect() as made:
            made.sendall(data)
            return everything(made)


def everything(made: socket.socket) -> bytes:
    """What is read from a socket until its end."""
    parts = []
    while data := made.recv(1 << 16):
        parts.append(data)
    return b"".join(parts)


@contextmanager
def server(
    tree: Path,
    folder: Path,
    assets: Mapping[str, tuple[Path, str]] | None = None,
    name: str = "service:predict",
    python: str = sys.executable,
    told: Mapping[str, str] | None = None,
) -> Iterator[ServerProcess]:
    """A model server on `tree` that has said that it is ready; `assets` are name → (path, codec), `told` variables.

    Killed at the end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place, log = folder / "s", folder / "log"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("CIRANDA_")}
    variables |= {"CIRANDA_SOCKET": str(place), **(told or {})}
    for asset, (path, codec) in (assets or {}).items():
        variables[f"CIRANDA_ASSET_{asset.upper()}"] = str(path)
        variables[f"CIRANDA_CODEC_{asset.upper()}"] = codec
    said, saying = os.pipe()
    process = subprocess.Popen(
        [python, "-I", "-m", "ciranda.runtime.server", name],
        cwd=tree,
        env=variables,
        stderr=saying,
        stdin=subprocess.DEVNULL,
    )
    os.close(saying)
    ready = threading.Event()

    def follow() -> None:
        with open(said, "rb") as lines, log.open("wb", buffering=0) as file:
            for line in lines:
                file.write(line)
                if line.rstrip().endswith(b"is ready"):
                    ready.set()
        ready.set()

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        assert ready.wait(WAIT)
        yield ServerProcess(process, place, log)
    finally:
        process.kill()
        process.wait()
        follower.join()
