"""A real keeper with a real gateway in a temporary home, and toy instances to put behind it."""

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from ciranda.kernel import confine, errors, sockets
from ciranda.service import counters, supervisor, table
from ciranda.service.gateway.client import ClientConnection
from ciranda.service.gateway.exchange import Gateway
from ciranda.service.gateway.force import Force
from ciranda.service.gateway.instance import InstanceConnection, connect
from ciranda.service.port import Instance, InstanceSpec, Mount, Route, Target

T = TypeVar("T")
PYTHON = Path(sys.executable)
IDLE_ROLE = "import signal; signal.sigwait({signal.SIGTERM})"

# a threaded HTTP/1.1 server that says who it is; contract 1: PORT or CIRANDA_SOCKET, SIGTERM finishes what is in flight
TOY = r"""
import http.server, os, signal, socket, socketserver, sys, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = float(os.environ.get("TOY_IDLE", "60"))

    def do_GET(self):
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        if path == "/slow":
            time.sleep(float(query))
        if path == "/die":
            os._exit(3)
        if path == "/stream":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in range(int(query)):
                self.wfile.write(b"%x\r\n%s\r\n" % (65536, b"%08d" % piece * 8192))
            self.wfile.write(b"0\r\n\r\n")
            return
        if path == "/read":
            try:
                text = open(query).read()
            except OSError as error:
                text = type(error).__name__
        elif path == "/headers":
            text = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        elif path == "/size":
            text = str(len(body))
        else:
            text = f"{os.environ.get('CIRANDA_RELEASE', '')} {os.getpid()} {self.path} {body.decode('latin-1')[:200]}"
        status = int(query) if path == "/status" else 200
        data = b"" if status == 204 else text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if path == "/cookie":
            self.send_header("Set-Cookie", "mine=1")
            self.send_header("Set-Cookie", "ciranda_session=stolen")
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_GET

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()

    def log_message(self, *args):
        print(self.command, self.path, file=sys.stderr, flush=True)

    def address_string(self):
        return "-"

class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

if "PORT" in os.environ:
    http.server.ThreadingHTTPServer.request_queue_size = 128
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
else:
    server = Unix(os.environ["CIRANDA_SOCKET"], Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
time.sleep(float(os.environ.get("TOY_START", "0")))
print("ready", os.environ.get("CIRANDA_RELEASE"), flush=True)
server.serve_forever(0.05)
"""


def until(look: Callable[[], T], *, seconds: float = 15.0) -> T:
    """The first thing found that is true."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found or time.monotonic() > end:
            assert found, "it did not come about in time"
            return found
        time.sleep(0.01)


@dataclass
class Stage:
    """A home with a keeper; the roles control and runner are idle processes."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    keeper: subprocess.Popen[bytes] | None = None
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def sockets(self) -> Path:
        return sockets.folder(self.home)

    def up(self) -> None:
        """Start a keeper and wait until it and the gateway answer."""
        for name in ("state", "logs"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        tree = self.root / "tree"
        tree.mkdir(exist_ok=True)
        (tree / "toy.py").write_text(TOY)
        config = {
            "format": "ciranda.keeper/1",
            "home": str(self.home),
            "state": str(self.home / "state"),
            "logs": str(self.home / "logs"),
            "sockets": str(self.sockets),
            "roles": [
                {
                    "name": "control",
                    "argv": [sys.executable, "-I", "-c", IDLE_ROLE],
                    "listen": ["127.0.0.1", self.ports.get("control", 0)],
                },
                {
                    "name": "gateway",
                    "argv": [
                        *(sys.executable, "-I", "-m", "ciranda.service.gateway.main"),
                        *(str(self.home / "state"), str(self.sockets)),
                    ],
                    "listen": ["127.0.0.1", self.ports.get("gateway", 0)],
                },
                {"name": "runner", "argv": [sys.executable, "-I", "-c", IDLE_ROLE]},
            ],
        }
        path = self.home / "state/keeper.json"
        path.write_text(json.dumps(config))
        with open(self.home / "logs/keeper.log", "ab") as log:
            self.keeper = subprocess.Popen(
                [sys.executable, "-I", "-m", "ciranda.service.keeper", str(path)],
                env=os.environ | self.environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        until(lambda: self.answers("keeper", {"type": "list"}))
        listed = sockets.ask(self.sockets / "keeper", {"type": "list"}, 5)
        self.ports = {name: address[1] for name, address in listed["listen"].items()}
        until(lambda: self.answers("gateway", {"type": "state"}))

    def answers(self, name: str, request: dict[str, Any]) -> dict[str, Any] | None:
        assert self.keeper is None or self.keeper.poll() is None, (self.home / "logs/keeper.log").read_text()
        with contextlib.suppress(errors.Unreachable):
            return sockets.ask(self.sockets / name, request, 5)
        return None

    def down(self) -> None:
        """Stop the keeper, and make sure that nothing of it is left."""
        if self.keeper is not None and self.keeper.poll() is None:
            self.keeper.send_signal(signal.SIGTERM)
            try:
                self.keeper.wait(10)
            except subprocess.TimeoutExpired:
                self.keeper.send_signal(signal.SIGTERM)
                self.keeper.wait(10)

        shutil.rmtree(self.sockets)

    def children(self) -> dict[str, dict[str, Any]]:
        """What the keeper lists, roles by their role, instances by id."""
        listed = sockets.ask(self.sockets / "keeper", {"type": "list"}, 5)["children"]
        return {child["id"] if child["role"] == "instance" else child["role"]: child for child in listed}

    def pid(self, role: str) -> int:
        return int(self.children()[role]["identity"]["pid"])

    def again(self, role: str, before: int) -> None:
        """Wait until a role runs under another pid, and the gateway answers."""
        until(lambda: self.children().get(role, {"identity": {"pid": before}})["identity"]["pid"] != before)
        until(lambda: self.answers("gateway", {"type": "state"}))

    def kill(self, name: str) -> None:
        """kill -9 of a role, or of the keeper."""
        if name == "keeper":
            assert self.keeper is not None
            self.keeper.kill()
            self.keeper.wait()
        else:
            os.kill(self.pid(name), signal.SIGKILL)

    def spec(
        self, release: str = "r1", *, form: str = "predict", argv: tuple[str, ...] = (), **variables: str
    ) -> InstanceSpec:
        """A toy service; `variables` are given in lower case."""
        prefix = Path(sys.base_prefix)
        mounts = tuple(Mount(path) for path in {prefix, Path(sys.prefix)} if confine.available())
        return InstanceSpec(
            *("flights", "prod", "delays", release),
            form="predict" if form == "predict" else "command",
            argv=argv or (sys.executable, "-I", "toy.py"),
            variables={"CIRANDA_RELEASE": release} | {name.upper(): value for name, value in variables.items()},
            directory=self.root / "tree",
            drain=5.0,
            mounts=mounts,
        )

    def get(self, path: str = "/flights/prod/delays/", **options: Any) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["gateway"], timeout=options.pop("timeout", 20))
        with contextlib.closing(connection):
            connection.request(options.pop("method", "GET"), path, **options)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def direct(self, *addresses: str, **limits: float) -> None:
        """Route to these addresses, as if they were instances."""
        self.split(Target("r1", 100, {address: address for address in addresses}), **limits)

    def split(self, *targets: Target, sticky: str = "", **limits: float) -> None:
        """Route to these releases."""
        path = self.home / "state/routes.json"
        before = table.load(path)
        made = Route("flights", "prod", "delays", targets, dict(limits), sticky)
        table.save(path, before.replaced("flights", "prod", [made]))
        answer = self.answers("gateway", {"type": "reload", "serial": before.serial + 1})
        assert answer
        assert answer["ok"], answer

    def dial(self) -> socket.socket:
        """A connection to the gateway."""
        return socket.create_connection(("127.0.0.1", self.ports["gateway"]), timeout=20)

    def raw(self, data: bytes, *, end: bool = False) -> bytes:
        """Everything that comes back for these bytes until the gateway closes."""
        with self.dial() as connection:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
            found = b""
            while chunk := connection.recv(65536):
                found += chunk
            return found


@contextlib.contextmanager
def stage(root: Path, **environment: str) -> Iterator[Stage]:
    """A stage that is up, and afterwards gone."""
    made = Stage(root, environment)
    try:
        made.up()
        yield made
    finally:
        made.down()


@contextlib.contextmanager
def supervising(made: Stage) -> Iterator[supervisor.Supervisor]:
    """A supervisor of the stage's home, as control has one."""
    watcher = supervisor.Supervisor(made.home)
    try:
        yield watcher
    finally:
        watcher.close()


def healthy(watcher: supervisor.Supervisor, *names: str) -> dict[str, Instance]:
    """These instances once all of them are healthy."""

    def look() -> dict[str, Instance]:
        seen = {one.id: one for one in watcher.observe()}
        for name in names:
            log = seen[name].log
            assert seen[name].state != "exited", (seen[name].exit, log and log.read_text())
        return {name: seen[name] for name in names} if all(seen[name].state == "healthy" for name in names) else {}

    return until(look)


def quick(spec: InstanceSpec, *, drain: float) -> InstanceSpec:
    """The same with less patience."""
    return replace(spec, drain=drain)


def route(instances: dict[str, Instance], release: str = "r1", **limits: float) -> Route:
    """A route to these instances alone."""
    addresses = {name: one.address for name, one in instances.items()}
    return Route("flights", "prod", "delays", (Target(release, 100, addresses),), dict(limits))


class Load:
    """Steady requests over keep-alive connections from threads of their own."""

    def __init__(self, port: int, *, clients: int = 4, path: str = "/flights/prod/delays/") -> None:
        self.answered = 0
        self.failed: list[str] = []
        self.releases: set[str] = set()
        self._port, self._path = port, path
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def more(self, count: int) -> None:
        """Wait for this many more answers."""
        wanted = self.answered + count
        until(lambda: self.answered >= wanted)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._end.is_set():
            try:
                connection.request("POST", self._path, body=b"x" * 100)
                answer = connection.getresponse()
                answer.read()
                self.releases.add(answer.headers.get("X-Ciranda-Release", ""))
                if answer.status != 200:
                    self.failed.append(f"{answer.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
            self.answered += 1
        connection.close()


@dataclass(frozen=True)
class Read:
    """A request as a strict reader has it."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Pipe(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Nothing reads by itself here."""

    resume_reading = pause_reading


class Clockwork(asyncio.AbstractEventLoop):
    """A loop that runs what was called soon when it is told to."""

    def __init__(self) -> None:
        self.soon: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def time(self) -> float:
        return 0.0

    def call_soon(self, callback: Callable[..., object], *args: Any, context: object = None) -> Any:
        self.soon.append((callback, args))

    def run(self) -> None:
        while self.soon:
            callback, args = self.soon.pop(0)
            callback(*args)


class Wire:
    """One client's connection that is fed bytes, in these pieces, before an instance that answers all with 200."""

    def __init__(self, *pieces: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            counted = counters.Counters(Path(folder) / "counters")
        self.loop = Clockwork()
        force = Force(counted)
        force.put(table.Table(1, (Route("a", "b", "c", (Target("r1", 1, {"i": "tcp:127.0.0.1:1"}),)),)))
        self.gateway = Gateway(self.loop, force, connect)
        upstream = force.upstreams["i"]
        self.instances = [InstanceConnection(self.gateway, upstream) for _ in range(8)]
        for instance in self.instances:
            instance.connection_made(Pipe())
        upstream.idle.extend(self.instances)
        self.client = ClientConnection(self.gateway, set())
        self.back = Pipe()
        self.client.connection_made(self.back)
        for piece in pieces:
            if not self.back.closed:
                self.client.data_received(piece)
                self._settle()
        self._settle()
        self.client.connection_lost(None)
        counted.close()

    def _settle(self) -> None:
        self.loop.run()
        while asked := [one for one in self.instances if _is_asked(one)]:  # each answer may bring the next request
            for instance in asked:
                instance.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                self.loop.run()

    def statuses(self) -> list[int]:
        """The statuses of the answers, in order."""
        return [
            int(line.split()[1]) for line in bytes(self.back.written).split(b"\r\n") if line.startswith(b"HTTP/1.1 ")
        ]

    def requests(self) -> list[Read]:
        """What the instance was sent and is whole, by connection."""
        found = []
        for instance in self.instances:
            assert isinstance(instance.transport, Pipe)
            found += strictly(bytes(instance.transport.written))
        return found


def _is_asked(instance: InstanceConnection) -> bool:
    exchange = instance.exchange
    return exchange is not None and exchange.complete and not exchange.websocket


def strictly(data: bytes) -> list[Read]:
    """Requests as a reader has them that knows nothing but RFC 9112; what is not whole at the end is left out."""
    found = []
    while b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        assert not set(head.replace(b"\r\n", b"")) & set(b"\r\n\0"), head
        first, *lines = head.split(b"\r\n")
        method, target, version = first.split(b" ")
        assert version == b"HTTP/1.1"
        headers = []
        for line in lines:
            assert line[:1] not in b" \t:", line
            name, colon, value = line.partition(b":")
            assert colon
            assert name == name.strip()
            headers.append((name.lower(), value.strip(b" \t")))
        fields = dict(headers)
        assert len([name for name, _ in headers if name in {b"content-length", b"transfer-encoding"}]) <= 1
        body = b""
        if b"transfer-encoding" in fields:
            assert fields[b"transfer-encoding"] == b"chunked"
            while True:
                size, end, rest = data.partition(b"\r\n")
                if not end:
                    return found
                count = int(size, 16)
                if len(rest) < count + 2:
                    return found
                assert rest[count : count + 2] == b"\r\n"
                body, data = body + rest[:count], rest[count + 2 :]
                if not count:
                    break
        else:
            length = int(fields.get(b"content-length", b"0"))
            if len(data) < length:
                return found
            body, data = data[:length], data[length:]
        found.append(Read(method, target, headers, body))
    return found


class Scripted:
    """An instance whose every connection is served by a function of the test."""

    def __init__(self, serve: Callable[[socket.socket, int], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self.count = 0

    @property
    def address(self) -> str:
        return f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "Scripted":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self.count += 1
            thread = threading.Thread(target=self._one, args=(connection, self.count))
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            connection.settimeout(20)
            self._serve(connection, number)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def head(connection: socket.socket) -> bytes:
    """A request's head, and what came with it; empty at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    return data
