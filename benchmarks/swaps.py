"""Swaps of releases under load: how many requests fail while every instance is replaced again and again.

    python benchmarks/swaps.py [--requests 200000] [--swaps 100] [--clients 16] [--json]

A real keeper, gateway and supervisor in a temporary home. Each swap starts an instance of a new release, waits until it is healthy, routes
to it, and stops the one before, which dies at once when it is told to leave: only the order of things protects the requests. The clients
keep their connections for 200 requests each. Bound: 0 of 200,000 requests fail over 100 swaps, every release answers, and each answer
comes from the release that it names. Exits 1 if that is missed.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import uvloop

from ciranda.kernel import errors, sockets
from ciranda.service import supervisor
from ciranda.service.port import InstanceSpec, Mount, Route, Target

KEPT = 200  # requests on one connection
INSTANCE = """
import asyncio, os, signal
import httptools, uvloop

RELEASE = os.environ["CIRANDA_RELEASE"].encode()
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%b" % (len(RELEASE), RELEASE)

class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_message_complete(self):
        asyncio.get_running_loop().call_later(0.0005, self.transport.write, ANSWER)

async def main():
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    await loop.create_unix_server(Connection, os.environ["CIRANDA_SOCKET"])
    await asyncio.Event().wait()

uvloop.run(main())
"""
IDLE_ROLE = "import signal; signal.sigwait({signal.SIGTERM})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--swaps", type=int, default=100)
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
    for path in (home / "state", home / "logs", tree):
        path.mkdir(parents=True)
    (tree / "instance.py").write_text(INSTANCE)
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
    failed = {outcome: count for outcome, count in outcomes.items() if outcome != "200"}
    missing = sorted({f"r{n}" for n in range(number + 1)} - set(releases))
    short = sum(outcomes.values()) < requests or number < swaps
    return {
        "requests": sum(outcomes.values()),
        "swaps": number,
        "failed": sum(failed.values()),
        "failures": failed,
        "releases_that_never_answered": missing,
        "requests_per_s": round(sum(outcomes.values()) / lasted),
        "seconds_per_swap": round(statistics.median(seconds), 3),
        "bound": {"failed": 0, "requests": requests, "swaps": swaps},
        "missed": ["failed"] * bool(failed) + ["releases"] * bool(missing) + ["requests"] * short,
    }


def swap(watcher: supervisor.Supervisor, tree: Path, number: int, before: str | None) -> str:
    """Bring release `number` up, route to it, stop the instance before; returns the new instance."""
    release = f"r{number}"
    visible = {Path(sys.base_prefix), Path(sys.prefix)}
    spec = InstanceSpec(
        project="flights",
        environment="prod",
        service="delays",
        release=release,
        form="predict",
        argv=(sys.executable, "-I", "instance.py"),
        variables={"CIRANDA_RELEASE": release},
        directory=tree,
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
        """Outcomes of all requests, and the releases that answered."""
        self._end.set()
        outcomes, releases = self._result.get()
        self._process.join()
        return outcomes, releases


def clients_of(port: int, clients: int, count: "Synchronized[int]", end: Any, result: Any) -> None:
    """Ask until it is the end; what came of it goes into `result`."""
    outcomes: Counter[str] = Counter()
    releases: set[str] = set()

    async def ask() -> None:
        while not end.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError as error:
                outcomes[repr(error)] += 1
                continue
            for _ in range(KEPT):
                outcome = await one(reader, writer)
                outcomes[outcome] += 1
                count.value += 1
                if outcome != "200" or end.is_set():
                    break
            writer.close()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        try:
            writer.write(b"POST /flights/prod/delays/ HTTP/1.1\r\nHost: bench\r\nContent-Length: 10\r\n\r\n0123456789")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            body = await reader.readexactly(int(fields[b"Content-Length"]))
        except (OSError, EOFError, TimeoutError) as error:
            return type(error).__name__
        status = head[9:12].decode()
        if status == "200":
            release = body.decode()
            releases.add(release)
            return status if fields[b"X-Ciranda-Release"] == body else "another release than it said"
        return status

    async def everyone() -> None:
        await asyncio.gather(*(ask() for _ in range(clients)))

    uvloop.run(everyone())
    result.put((outcomes, releases))


def show(found: dict[str, Any]) -> None:
    mark = "✗" if found["missed"] else "✓"
    print(f"{mark} {found['failed']} of {found['requests']:,} requests failed over {found['swaps']} swaps")
    print(f"  {found['requests_per_s']:,} requests/s, {found['seconds_per_swap']} s a swap")
    for outcome, count in found["failures"].items():
        print(f"  {count:>7,}  {outcome}")
    if found["releases_that_never_answered"]:
        print(f"  never answered: {', '.join(found['releases_that_never_answered'])}")


if __name__ == "__main__":
    sys.exit(main())
