"""Swaps of releases under load: how many requests fail while every instance is replaced again and again.

    python benchmarks/swaps.py [--requests 1000000] [--swaps 200] [--clients 16] [--json]

A real keeper, gateway and supervisor in a temporary home. Each swap starts an instance of a new release, waits until it is healthy, routes
to it, and stops the one before, which dies at once when it is told to leave: only the order of things protects the requests. Every other
release is a Node.js server that closes idle connections after a tenth of a second, where there is Node.js; the others are a small server
in Python. Beside short requests (kept connections of 200 requests each) there are bodies in chunks both ways, answers that take 30 seconds,
WebSockets that talk for two seconds, and clients that pause until their upstream's connection is about to be closed.
Bound: 0 of 1,000,000 requests fail over 200 swaps, every release answers, each answer comes from the release that it names, and each
kind of request was made. Exits 1 if that is missed.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import uvloop

from ciranda.kernel import errors, sockets
from ciranda.service import supervisor
from ciranda.service.port import InstanceSpec, Mount, Route, Target

KEPT = 200  # requests on one connection
SLOW = 30.0  # seconds that a slow answer takes
DRAIN = 60.0  # seconds that an instance may take to finish what is in flight
IDLE = 0.1  # seconds after which the Node.js server closes an idle connection
PIECE = b"0123456789abcdef" * 512
KINDS = {"short": 0, "chunked": 2, "slow": 6, "websocket": 4, "pausing": 4}  # clients of each; of short ones as asked
IDLE_ROLE = "import signal; signal.sigwait({signal.SIGTERM})"
FILES = Path(__file__).resolve().parent / "swaps"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ciranda-swaps-") as folder:
        found = measure(Path(folder), asked.requests, asked.swaps, asked.clients)
    print(json.dumps(found)) if asked.json else show(found)
    return 1 if found["missed"] else 0


def measure(folder: Path, requests: int, swaps: int, clients: int) -> dict[str, Any]:
    """Swap under load, and count."""
    home, tree = folder / "home", folder / "tree"
    for path in (home / "state", home / "logs"):
        path.mkdir(parents=True)
    shutil.copytree(FILES, tree)
    seconds: list[float] = []
    with keeper(home) as port:
        watcher = supervisor.Supervisor(home)
        try:
            before = swap(watcher, tree, 0, None)
            load = Load(port, clients)
            began = time.monotonic()
            number = 0
            while number < swaps or load.answered() < requests:
                number += 1
                at = time.monotonic()
                before = swap(watcher, tree, number, before)
                seconds.append(time.monotonic() - at)
                load.wait(number * requests // swaps)  # spread over all of the load
            outcomes, releases = load.end()
            lasted = time.monotonic() - began
        finally:
            watcher.close()
    failed = {outcome: count for outcome, count in outcomes.items() if not outcome.endswith(" 200")}
    missing = sorted({f"r{n}" for n in range(number + 1)} - set(releases))
    kinds = {kind: sum(count for outcome, count in outcomes.items() if outcome.startswith(kind)) for kind in KINDS}
    short = sum(outcomes.values()) < requests or number < swaps
    return {
        "requests": sum(outcomes.values()),
        "kinds": kinds,
        "swaps": number,
        "node": shutil.which("node") is not None,
        "failed": sum(failed.values()),
        "failures": failed,
        "releases_that_never_answered": missing,
        "requests_per_s": round(sum(outcomes.values()) / lasted),
        "seconds_per_swap": round(statistics.median(seconds), 3),
        "bound": {"failed": 0, "requests": requests, "swaps": swaps},
        "missed": ["failed"] * bool(failed)
        + ["releases"] * bool(missing)
        + ["requests"] * short
        + ["kinds"] * (min(kinds.values()) == 0),
    }


def swap(watcher: supervisor.Supervisor, tree: Path, number: int, before: str | None) -> str:
    """Bring release `number` up, route to it, stop the instance before; returns the new instance."""
    release = f"r{number}"
    node = shutil.which("node") if number % 2 else None
    program = (sys.executable, "-I", "instance.py") if node is None else (node, "instance.js")
    visible = {Path(sys.base_prefix), Path(sys.prefix), *([Path(node).resolve().parents[1]] if node else [])}
    spec = InstanceSpec(
        project="flights",
        environment="prod",
        service="delays",
        release=release,
        form="predict" if node is None else "command",
        argv=program,
        variables={"CIRANDA_RELEASE": release, "IDLE_MS": str(round(IDLE * 1000)), "PATH": os.environ["PATH"]},
        directory=tree,
        drain=DRAIN,
        mounts=tuple(Mount(path) for path in sorted(visible)),
    )
    name = watcher.start(spec)
    one = next(one for one in watcher.observe() if one.id == name)
    until = time.monotonic() + 30
    while one.state != "healthy":
        if one.state == "exited" or time.monotonic() > until:
            raise RuntimeError(f"{name} is {one.state}: {one.log and one.log.read_text()}")
        time.sleep(0.01)
        one = next(one for one in watcher.observe() if one.id == name)
    watcher.route("flights", "prod", [Route("flights", "prod", "delays", (Target(release, 100, {name: one.address}),))])
    if before is not None:
        watcher.stop(before)
    for old in watcher.observe():
        if old.state == "exited":
            watcher.forget(old.id)
    return name


@contextlib.contextmanager
def keeper(home: Path) -> Iterator[int]:
    """A keeper of this home; gives the gateway's port."""
    at = sockets.folder(home)
    gateway = [sys.executable, "-I", "-m", "ciranda.service.gateway.main", str(home / "state"), str(at)]
    roles: list[dict[str, Any]] = [
        {"name": "gateway", "argv": gateway, "listen": ["127.0.0.1", 0]},
        {"name": "control", "argv": [sys.executable, "-I", "-c", IDLE_ROLE], "listen": ["127.0.0.1", 0]},
    ]
    paths = {"home": home, "state": home / "state", "logs": home / "logs", "sockets": at}
    config = {"format": "ciranda.keeper/1", **{key: str(path) for key, path in paths.items()}, "roles": roles}
    (home / "state/keeper.json").write_text(json.dumps(config))
    command = [sys.executable, "-I", "-m", "ciranda.service.keeper", str(home / "state/keeper.json")]
    with open(home / "logs/keeper.log", "ab") as log:
        process = subprocess.Popen(command, stderr=log, start_new_session=True)
    try:
        yield listening(at)
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(at)


def listening(at: Path) -> int:
    """The gateway's port once keeper and gateway answer."""
    for _ in range(500):
        with contextlib.suppress(errors.Unreachable):
            sockets.ask(at / "gateway", {"type": "state"}, 5)
            return int(sockets.ask(at / "keeper", {"type": "list"}, 5)["listen"]["gateway"][1])
        time.sleep(0.02)
    raise RuntimeError("the keeper does not answer")


class Load:
    """Clients in a process of their own."""

    def __init__(self, port: int, clients: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._count: Synchronized[int] = context.Value("q", 0)
        self._end = context.Event()
        self._result = context.SimpleQueue()
        self._process = context.Process(target=clients_of, args=(port, clients, self._count, self._end, self._result))
        self._process.start()
        self.wait(1)

    def answered(self) -> int:
        return int(self._count.value)

    def wait(self, count: int) -> None:
        """Until this many requests are over."""
        while self.answered() < count:
            if not self._process.is_alive():
                raise RuntimeError("the clients ended by themselves")
            time.sleep(0.005)

    def end(self) -> tuple[Counter[str], set[str]]:
        """Outcomes of all requests, and the releases that answered; waits for what is in flight."""
        self._end.set()
        outcomes, releases = self._result.get()
        self._process.join()
        return outcomes, releases


class Clients:
    """All the clients: each kind is a loop over connections of its own until the end."""

    def __init__(self, port: int, count: "Synchronized[int]", end: Any) -> None:
        self.outcomes: Counter[str] = Counter()
        self.releases: set[str] = set()
        self._port, self._count, self._end = port, count, end

    async def run(self, short: int) -> None:
        await asyncio.gather(*(self._loop(kind) for kind, count in KINDS.items() for _ in range(count or short)))

    async def _loop(self, kind: str) -> None:
        ask: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, str]]
        ask = getattr(self, f"_{kind}")
        while not self._end.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError as error:
                self._note(kind, repr(error))
                continue
            for _ in range(1 if kind == "websocket" else KEPT):
                try:
                    outcome = await asyncio.wait_for(ask(reader, writer), SLOW + 30)
                except (OSError, EOFError, TimeoutError) as error:
                    outcome = type(error).__name__
                self._note(kind, outcome)
                if outcome != "200" or self._end.is_set():
                    break
            writer.close()

    def _note(self, kind: str, outcome: str) -> None:
        self.outcomes[f"{kind} {outcome}"] += 1
        self._count.value += 1

    async def _short(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(b"POST /flights/prod/delays/ HTTP/1.1\r\nHost: bench\r\nContent-Length: 10\r\n\r\n0123456789")
        return await self._answer(reader)

    async def _pausing(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """As long after the last answer as the upstream waits before it hangs up."""
        await asyncio.sleep(IDLE)
        return await self._short(reader, writer)

    async def _slow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(b"GET /flights/prod/delays/slow?%d HTTP/1.1\r\nHost: bench\r\n\r\n" % round(SLOW * 1000))
        return await self._answer(reader)

    async def _chunked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Sixteen pieces, of which the answer brings back as many bytes, in chunks."""
        writer.write(
            b"POST /flights/prod/delays/echo HTTP/1.1\r\nHost: bench\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/octet-stream\r\n\r\n"
        )
        for _ in range(16):
            writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        status, fields = await head_of(reader)
        if status != "200":
            return status
        if fields.get(b"transfer-encoding") != b"chunked":
            return "not in chunks"
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
        release, _, echoed = body.partition(b" ")
        return self._from(release, fields) if echoed == PIECE * 16 else "another body than was sent"

    async def _websocket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """The echo of forty messages (RFC 6455 frames, masked with zeros) in two seconds."""
        writer.write(
            b"GET /flights/prod/delays/socket HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        status, _ = await head_of(reader)
        if status != "101":
            return status
        for number in range(40):
            said = b"message %d" % number
            writer.write(b"\x81" + bytes([0x80 | len(said)]) + bytes(4) + said)
            opcode, length = await reader.readexactly(2)
            if opcode != 0x81 or await reader.readexactly(length) != said:
                return "another message than was sent"
            await asyncio.sleep(0.05)
        return "200"

    async def _answer(self, reader: asyncio.StreamReader) -> str:
        status, fields = await head_of(reader)
        body = await reader.readexactly(int(fields[b"content-length"]))
        return self._from(body, fields) if status == "200" else status

    def _from(self, release: bytes, fields: dict[bytes, bytes]) -> str:
        self.releases.add(release.decode())
        return "200" if fields[b"x-ciranda-release"] == release else "another release than it said"


async def head_of(reader: asyncio.StreamReader) -> tuple[str, dict[bytes, bytes]]:
    """The status and the fields of an answer, their names in small letters."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = (line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    return head[9:12].decode(), {name.lower(): value for name, value in fields}


def clients_of(port: int, short: int, count: "Synchronized[int]", end: Any, result: Any) -> None:
    """Ask until it is the end; what came of it goes into `result`."""
    clients = Clients(port, count, end)
    uvloop.run(clients.run(short))
    result.put((clients.outcomes, clients.releases))


def show(found: dict[str, Any]) -> None:
    mark = "✗" if found["missed"] else "✓"
    print(f"{mark} {found['failed']} of {found['requests']:,} requests failed over {found['swaps']} swaps")
    print("  " + ", ".join(f"{count:,} {kind}" for kind, count in found["kinds"].items()))
    print(f"  {found['requests_per_s']:,} requests/s, {found['seconds_per_swap']} s a swap")
    for outcome, count in found["failures"].items():
        print(f"  {count:>7,}  {outcome}")
    if found["releases_that_never_answered"]:
        print(f"  never answered: {', '.join(itertools.islice(found['releases_that_never_answered'], 20))}")
    if not found["node"]:
        print("  without Node.js: no upstream that closes idle connections")


if __name__ == "__main__":
    sys.exit(main())
