"""Metrics on their way: to a collector over HTTP that fails and comes back, to an agent over UDP and over its socket."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from ciranda.app import home as homes
from ciranda.app import metrics
from ciranda.app.exports import pushing
from ciranda.app.metrics import Family

PATIENCE = 60.0  # seconds for what should come


@dataclass
class Collector:
    """A collector: what it answers to each request in turn (200 when nothing is left), and what it was sent."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    taken: list[tuple[str, dict[str, str], ExportMetricsServiceRequest]] = field(default_factory=list)
    asked: threading.Condition = field(default_factory=threading.Condition)
    seen: int = 0
    port: int = 0

    def until(self, reached: Callable[[], bool]) -> None:
        with self.asked:
            assert self.asked.wait_for(reached, PATIENCE)

    def requests(self) -> list[float]:
        """How many requests each taken message told of."""
        return [
            metric.sum.data_points[0].as_double
            for _, _, message in self.taken
            for metric in message.resource_metrics[0].scope_metrics[0].metrics
            if metric.name == "ciranda.requests"
        ]


@contextmanager
def _collector(*answers: tuple[int, dict[str, str]]) -> Iterator[Collector]:
    collector = Collector(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
            with collector.asked:
                status, headers = collector.answers.pop(0) if collector.answers else (200, {})
                collector.seen += 1
                if status == 200:
                    told = {name.lower(): value for name, value in self.headers.items()}
                    collector.taken.append((self.path, told, ExportMetricsServiceRequest.FromString(body)))
                collector.asked.notify_all()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    collector.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Told:
    """What a home tells: a counter that grows by one at each look; and a clock that stands still until it is moved."""

    count: int = 0
    now: float = 100.0

    def gather(self) -> list[Family]:
        self.count += 1
        return [
            metrics.family("ciranda_requests_total", "counter", "Requests.", [({"project": "toy"}, self.count)]),
            metrics.family("ciranda_tasks", "gauge", "Tasks.", [({"kind": "judge"}, 2)]),
        ]


_PUSHES: list[pushing.OtlpPush] = []


def _push(home: homes.Home, told: Told) -> pushing.OtlpPush:
    """One that is closed when the test is over."""
    _PUSHES.append(pushing.OtlpPush(home, told.gather, lambda: told.now))
    return _PUSHES[-1]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[homes.Home]:
    made = homes.Home(tmp_path)
    before = set(threading.enumerate())
    yield made
    while _PUSHES:
        _PUSHES.pop().close()
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
    assert set(threading.enumerate()) <= before
    made.sockets.rmdir()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "FIRST", 0.01)
    monkeypatch.setattr(pushing, "LONGEST", 0.02)


def _named(home: homes.Home, port: int) -> None:
    key = home.root / "otlp.key"
    key.write_text("s3cret\n")
    key.chmod(0o600)
    (home.root / "settings.toml").write_text(
        f'[export.otlp]\nurl = "http://127.0.0.1:{port}"\nevery = 15\nheaders = {{ api-key = "secret-file:otlp.key" }}\n'
    )


def test_nobody_is_sent_anything_who_is_not_named(home: homes.Home) -> None:
    told = Told()
    pushing.OtlpPush(home, told.gather).look()  # no thread is begun
    pushing.DogstatsdPush(home, told.gather).look()
    assert told.count == 0


def test_a_collector_is_sent_what_is_told_with_its_key(home: homes.Home) -> None:
    told = Told()
    with _collector() as collector:
        _named(home, collector.port)
        push = _push(home, told)
        for now in (100.0, 101.0, 114.9, 115.0):
            told.now = now
            push.look()
        collector.until(lambda: len(collector.taken) == 2)
    assert told.count == 2
    path, headers, message = collector.taken[0]
    assert path == "/v1/metrics"
    assert headers["api-key"] == "s3cret"
    assert headers["content-type"] == "application/x-protobuf"
    about = {one.key: one.value.string_value for one in message.resource_metrics[0].resource.attributes}
    assert about["service.name"] == "ciranda"
    assert about["service.instance.id"] == home.sockets.name


def test_what_is_not_taken_at_once_is_sent_again_in_order(home: homes.Home, capfd: pytest.CaptureFixture[str]) -> None:
    told = Told()
    with _collector((503, {}), (429, {"Retry-After": "0"}), (400, {}), (200, {})) as collector:
        _named(home, collector.port)
        push = _push(home, told)
        for _ in range(3):
            push.look()
            told.now += 15
        collector.until(lambda: len(collector.taken) == 2)
    assert collector.requests() == [2.0, 3.0]  # the first was refused for good: to send it again would help nobody
    said = capfd.readouterr().err
    assert "the collector answers 503" in said
    assert "the collector refuses it: 400" in said
    assert "s3cret" not in said


def test_nothing_waits_for_a_collector_that_is_away(
    home: homes.Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pushing, "MOST", 5)
    told = Told()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    _named(home, port)
    push = _push(home, told)
    for _ in range(20):
        push.look()
        told.now += 15
    assert told.count == 20
    with _collector() as collector:
        _named(home, collector.port)
        collector.until(lambda: len(collector.taken) == 5)
    assert collector.requests() == [16.0, 17.0, 18.0, 19.0, 20.0]
    assert "the oldest is lost" in capfd.readouterr().err


def test_settings_that_are_wrong_are_said_once(home: homes.Home, capfd: pytest.CaptureFixture[str]) -> None:
    (home.root / "settings.toml").write_text('[export]\notlp = { url = "x" }\ndogstatsd = { address = "x" }\n')
    pushes = pushing.OtlpPush(home, Told().gather), pushing.DogstatsdPush(home, Told().gather)
    for push in (*pushes, *pushes):
        push.look()
    said = capfd.readouterr().err
    assert said.count("export.otlp.url is not an address") == 1
    assert said.count("export.dogstatsd.address is neither") == 1


def test_an_agent_hears_datagrams(home: homes.Home) -> None:
    told = Told()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        agent.settimeout(PATIENCE)
        (home.root / "settings.toml").write_text(
            f'[export.dogstatsd]\naddress = "127.0.0.1:{agent.getsockname()[1]}"\ntags = ["team:data"]\n'
        )
        push = pushing.DogstatsdPush(home, told.gather, lambda: told.now)
        push.look()
        assert agent.recv(1 << 16) == b"ciranda.tasks:2|g|#kind:judge,team:data"
        push.look()  # it is not time yet
        told.now += 10
        push.look()
        assert agent.recv(1 << 16).split(b"\n") == [
            b"ciranda.requests:1|c|#project:toy,team:data", b"ciranda.tasks:2|g|#kind:judge,team:data",
        ]  # fmt: skip


def test_an_agent_at_a_socket_that_goes_and_comes(home: homes.Home, capfd: pytest.CaptureFixture[str]) -> None:
    told = Told()
    path = home.sockets / "dsd"
    (home.root / "settings.toml").write_text(f'[export.dogstatsd]\naddress = "unix://{path}"\n')
    push = pushing.DogstatsdPush(home, told.gather, lambda: told.now)
    for _ in range(2):
        push.look()
        told.now += 10
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as agent:
        agent.bind(str(path))
        agent.settimeout(PATIENCE)
        push.look()
        assert b"ciranda.requests:1|c|#project:toy" in agent.recv(1 << 16)
    path.unlink()
    said = capfd.readouterr().err
    assert said.count("export.dogstatsd: No such file") == 1
    assert "export.dogstatsd: it is taken again" in said
