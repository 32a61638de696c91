"""Three services in one project, of all three forms: each breaks in turn, and the others answer on; watched by Prometheus."""

import http.client
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import prometheus, server
from support.project import CIRANDA, Project
from support.server import Server

NAMES = ("mean", "page", "web")
MORE = """
    [services.mean]
    predict = "service:predict"
    uses = ["average"]
    start_timeout = 20

    [services.web]
    app = "web:app"
    uses = ["average"]
    owner = "@web"
    start_timeout = 20
    drain = 5

    [services.page]
    command = "python3 page.py"
    instances = 2
    start_timeout = 20
    drain = 5

    [environments.prod]
"""
WEB = """
    import json
    import os
    import urllib.request
    from contextlib import asynccontextmanager

    import ciranda
    from fastapi import FastAPI

    found = {}

    @asynccontextmanager
    async def lifespan(app):
        found["average"] = ciranda.load("average")
        yield

    app = FastAPI(lifespan=lifespan)

    @app.api_route("/", methods=["GET", "POST"])
    def root():
        print("somebody is here")
        return {"pid": os.getpid(), "mean": found["average"]["mean"]}

    @app.get("/siblings")
    def siblings(x: float):
        request = urllib.request.Request(os.environ["CIRANDA_URL_MEAN"], json.dumps({"x": x}).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return {"mean": json.load(answer), "page": os.environ["CIRANDA_URL_PAGE"]}
"""
PAGE = """
    import http.server, os, signal, threading

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = str(os.getpid()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *anything):
            pass

    served = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=served.shutdown).start())
    served.serve_forever(0.05)
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server.up(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(scope="module")
def trio(up: Server) -> Project:
    toy = up.project("trio", files={"web.py": WEB, "page.py": PAGE}, more=MORE)
    up.push(toy).succeeds()
    return toy


def pids(up: Server) -> dict[str, set[int]]:
    """The living instances of each service, by service."""
    told = json.loads((up.home / "state" / "children.json").read_text())["children"]
    found: dict[str, set[int]] = {name: set() for name in NAMES}
    for child in told:
        if child["role"] == "instance" and child["exit"] is None:
            process = child["inner"] or child["identity"]  # confined: the first of its namespace, which leads its group
            found[child["id"].split("-")[1]].add(process["pid"])
    return found


def told(up: Server, **headers: str) -> tuple[int, bytes, str]:
    """What `/metrics` answers: status, page and its type."""
    control = http.client.HTTPConnection("127.0.0.1", int(up.said["url"].rpartition(":")[2]), timeout=30)
    control.request("GET", "/metrics", headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = control.getresponse()
    page = answer.read()
    control.close()
    return answer.status, page, answer.headers["content-type"]


class Load:
    """Steady requests to every service, one connection each, and what did not answer."""

    def __init__(self, up: Server) -> None:
        self.answered = dict.fromkeys(NAMES, 0)
        self.failed: dict[str, list[str]] = {name: [] for name in NAMES}
        self._port = int(up.said["gateway"].rpartition(":")[2])
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(name,)) for name in NAMES]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, name: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._end.wait(0.005):
            try:
                connection.request("POST", f"/trio/prod/{name}/", body=b'{"x": 1}')
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failed[name].append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                self.failed[name].append(repr(error))
                connection.close()
            self.answered[name] += 1
        connection.close()


@contextmanager
def untouched(up: Server, *broken: str) -> Iterator[Load]:
    """Under load, services that are not `broken` answer every request, from the processes that they had."""
    before = pids(up)
    with Load(up) as load:
        yield load
        seen = dict(load.answered)
        for name in NAMES:
            if name not in broken:
                server.eventually(lambda name=name: load.answered[name] > seen[name] + 20, f"{name} answers on")
    for name in NAMES:
        if name not in broken:
            assert load.failed[name] == [], name
            assert pids(up)[name] == before[name], name


def test_services_know_each_other_and_their_assets(up: Server, trio: Project) -> None:
    assert up.ask("/trio/prod/web/", {}).json["mean"] == 4.0
    gateway = up.said["gateway"]
    port = int(gateway.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/trio/prod/web/siblings?x=1")
    assert json.loads(connection.getresponse().read()) == {"mean": 5.0, "page": f"{gateway}/trio/prod/page"}
    connection.request("GET", "/trio/prod/web/openapi.json")
    assert json.loads(connection.getresponse().read())["servers"] == [{"url": "/trio/prod/web"}]
    connection.close()
    assert {name: len(found) for name, found in pids(up).items()} == {"mean": 1, "page": 2, "web": 1}


@pytest.mark.parametrize("name", NAMES)
def test_a_service_that_is_killed_comes_back_and_touches_no_other(up: Server, trio: Project, name: str) -> None:
    with untouched(up, name) as load:
        before = pids(up)[name]
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        server.eventually(lambda: len(pids(up)[name] - before) == len(before), f"{name} is started again")
        server.eventually(lambda: up.ask(f"/trio/prod/{name}/", {"x": 1}).status == 200, f"{name} answers")
    assert load.failed[name]  # it was away, and alone


def test_a_service_that_hangs_keeps_nobody_else_waiting(up: Server, trio: Project) -> None:
    (hung,) = pids(up)["web"]
    with untouched(up, "web", "mean"):
        os.killpg(hung, signal.SIGSTOP)
        try:
            ill = b'service="web",release="r1",state="unhealthy"} 1'
            server.eventually(lambda: ill in told(up)[1], "it is seen to hang")
            scaled = trio.ciranda("scale", "mean", "2", "-e", "prod", "--timeout", "30")
            back = trio.ciranda("scale", "mean", "1", "-e", "prod", "--timeout", "30")
        finally:
            os.killpg(hung, signal.SIGCONT)
        scaled.succeeds()
        back.succeeds()
        server.eventually(lambda: up.ask("/trio/prod/web/", {}).status == 200, "it goes on")
    assert pids(up)["web"] == {hung}  # it was not replaced: it came back in time


def test_scaling_one_leaves_the_others_where_they_are(up: Server, trio: Project) -> None:
    with untouched(up, "mean") as load:
        trio.ciranda("scale", "mean", "2", "-e", "prod").succeeds()
        server.eventually(lambda: len(pids(up)["mean"]) == 2, "there are two")
        trio.ciranda("scale", "mean", "1", "-e", "prod").succeeds()
        routes = json.loads((up.home / "state" / "routes.json").read_text())["routes"]
        (target,) = next(one for one in routes if one["service"] == "mean")["targets"]
        assert len(target["instances"]) == 1
    assert load.failed["mean"] == []


def test_a_release_in_which_one_service_crashes_fails_whole_and_what_ran_stays(up: Server, trio: Project) -> None:
    with untouched(up) as load:
        trio.edit("web.py", 'found["average"] = ciranda.load("average")', 'raise OSError("no database")')
        trio.commit("the web cannot start")
        said = up.push(trio).succeeds().err
    assert "web failed 3 times: exit 1: OSError: no database" in said
    assert {name: len(failed) for name, failed in load.failed.items()} == dict.fromkeys(NAMES, 0)
    log = trio.ciranda("logs", "web", "-e", "prod", "--release", "r2").succeeds().out
    assert "OSError: no database" in log
    trio.git("reset", "--quiet", "--hard", "HEAD~1").succeeds()


def test_a_service_that_starts_slowly_lets_the_old_release_answer_until_all_are_ready(
    up: Server, trio: Project
) -> None:
    trio.git("pull", "--quiet", "--no-rebase", "ciranda", "main").succeeds()
    trio.edit("web.py", 'raise OSError("no database")', 'found["average"] = ciranda.load("average")')
    trio.edit("page.py", "served = http", "import time\ntime.sleep(2)\nserved = http")
    trio.commit("slow pages")
    with Load(up) as load:
        up.push(trio).succeeds()
    assert load.failed == {name: [] for name in NAMES}
    assert up.ask("/trio/prod/page/", {}).headers["x-ciranda-release"] == "r3"


def test_a_program_that_is_not_there_is_refused_before_anything_starts(up: Server, trio: Project) -> None:
    trio.edit("ciranda.toml", 'app = "web:app"', 'app = "web:application"')
    trio.commit("another name")
    refused = up.push(trio).fails().err
    assert 'services.web.app names "web:application", and web.py has no application' in refused
    trio.git("reset", "--quiet", "--hard", "HEAD~1").succeeds()


def test_what_instances_write_can_be_read_and_followed(up: Server, trio: Project) -> None:
    up.ask("/trio/prod/web/", {})
    lines = trio.ciranda("logs", "web", "-e", "prod", "--json").succeeds().out.splitlines()
    written = [json.loads(line) for line in lines]
    assert {one["service"] for one in written} == {"web"}
    assert {one["release"] for one in written} >= {"r3"}  # and what stands by
    assert any(one["text"] == "somebody is here" for one in written)
    following = trio.start(str(CIRANDA), "logs", "web", "-e", "prod", "-f", "-n", "0")
    try:
        assert following.stdout is not None
        asked = threading.Event()

        def ask() -> None:
            while not asked.wait(0.2):
                up.ask("/trio/prod/web/", {})

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            assert following.stdout.readline().endswith("  somebody is here\n")
        finally:
            asked.set()
            asking.join()
    finally:
        following.send_signal(signal.SIGINT)
        following.communicate(timeout=20)
    assert 'did you mean "web"' in trio.ciranda("logs", "wep", "-e", "prod").fails().err
    assert "trio has no environment production" in trio.ciranda("logs", "web", "-e", "production").fails().err


def test_prometheus_reads_it_as_the_page_says(up: Server, trio: Project, tmp_path: Path) -> None:
    target = up.said["url"].removeprefix("http://")
    with prometheus.running(tmp_path / "prometheus", target) as watching, Load(up) as load:
        server.eventually(watching.answers, "Prometheus is ready")
        mine = '{project="trio",service="mean",release="r3"}'
        quick = f"sum by (le) (rate(ciranda_request_duration_seconds_bucket{mine}[10s]))"
        server.eventually(
            lambda: any(value > 1 for _, value in watching.ask(f"rate(ciranda_requests_total{mine}[10s])")), "a rate"
        )
        (_, half), *_ = watching.ask(f"histogram_quantile(0.5, {quick})")
        (_, most), *_ = watching.ask(f"histogram_quantile(0.99, {quick})")
        assert 0.0001 < half <= most < 5
        (labels, one), *_ = watching.ask('ciranda_service_info{service="web",environment="prod"}')
        assert (labels["owner"], labels["form"], labels["release"], one) == ("@web", "app", "r3", 1)
        healthy = watching.ask('ciranda_instances{state="healthy",release="r3"}')
        assert {labels["service"]: value for labels, value in healthy} == {"mean": 1, "page": 2, "web": 1}
        merged = watching.ask('ciranda_changes_total{project="trio"}')
        assert {labels["outcome"]: value for labels, value in merged} == {"merged": 3, "refused": 1}
        memory = watching.ask("ciranda_process_resident_memory_bytes")
        assert {labels["process"] for labels, _ in memory} == {"control", "gateway", "keeper", "runner"}
        assert all(1 << 20 < value < 1 << 30 for _, value in memory)
        for query in prometheus.blocks("promql"):
            watching.ask(query)
    assert load.failed == {name: [] for name in NAMES}


def test_what_is_told_keeps_prometheus_s_own_rules(up: Server, trio: Project) -> None:
    status, page, kind = told(up)
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert told(up, x_forwarded_for="203.0.113.7")[0] == 401
    token = (up.home / "token").read_text().strip()
    allowed = told(up, x_forwarded_for="203.0.113.7", authorization=f"Bearer {token}")
    assert (allowed[0], b"ciranda_requests_total{" in allowed[1]) == (200, True)
    promtool = prometheus.needed("promtool")
    checked = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr
