"""A release that fails one request in twenty is caught at its first step and goes back by itself; a good one passes, whoever is killed."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from support import server
from support.project import CIRANDA, Project
from support.server import Server, eventually

DECLARED = """
    [services.page]
    command = "python3 page.py"
    instances = 2
    start_timeout = 20
    drain = 5

    [environments.prod]
    rollout = { steps = [25, 100], at_most = 600, objective = 0.04 }
"""
PAGE = """
    import http.server, itertools, os, signal, threading

    EVERY = 0
    asked = itertools.count(1)

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            bad = EVERY and self.path == "/work" and next(asked) % EVERY == 0
            body = os.environ["CIRANDA_RELEASE"].encode()
            self.send_response(500 if bad else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *anything):
            pass

    served = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=served.shutdown).start())
    served.serve_forever(0.05)
"""


@dataclass
class Clients:
    """Programs that ask again and again, each on a connection of its own; what they got by release, and when one got nothing."""

    port: int
    got: Counter[tuple[str, int]] = field(default_factory=Counter)
    lost: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self.stop.is_set():
            try:
                connection.request("GET", "/toy/prod/page/work")
                answer = connection.getresponse()
                answer.read()
                self.got[answer.getheader("X-Ciranda-Release") or "", answer.status] += 1
            except (OSError, http.client.HTTPException):
                self.lost.append(time.monotonic())
                connection.close()
            self.stop.wait(0.02)
        connection.close()


@contextmanager
def asking(up: Server, programs: int = 12) -> Iterator[Clients]:
    clients = Clients(int(up.said["gateway"].rpartition(":")[2]))
    threads = [threading.Thread(target=clients.ask) for _ in range(programs)]
    for one in threads:
        one.start()
    try:
        yield clients
    finally:
        clients.stop.set()
        for one in threads:
            one.join()


def test_a_bad_release_is_caught_and_a_good_one_passes(tmp_path: Path) -> None:
    with server.up(tmp_path) as up:
        toy = up.project("toy", files={"page.py": PAGE}, more=DECLARED)
        up.push(toy).succeeds()
        with asking(up) as clients:
            toy.edit("page.py", "EVERY = 0", "EVERY = 20")
            toy.commit("Count what is asked")
            told = up.push(toy).succeeds().err
            assert "25 % ✗" in told
            assert "back to r1" in told
            asked = json.loads(toy.ciranda("rollout", "-e", "prod", "--json").succeeds().out)["rollouts"][0]
            assert (asked["release"], asked["state"], asked["goes_on"]) == ("r2", "failed", False)
            assert asked["services"][0]["canary"]["failed"] >= 5
            assert "requests failed" in toy.ciranda("wait", "r2", "-e", "prod").fails(1).out
            assert clients.got["r1", 500] == 0
            bad, all_of_them = clients.got["r2", 500], sum(clients.got.values())
            assert 0 < bad < all_of_them / 20
            assert (
                json.loads(toy.ciranda("status", "--json").succeeds().out)["projects"][0]["environments"][0]["held"]
                == ""
            )

            toy.edit("page.py", "EVERY = 20", "EVERY = 0  # mended")
            toy.commit("Mend it")
            up.push(toy, "-o", "detach")
            eventually(lambda: share(toy) == ("r3", 25), "r3 gets its share")
            toy.ciranda("rollout", "pause", "-e", "prod").succeeds()
            assert "at 25 %, paused" in toy.ciranda("status").succeeds().out
            page = shown(toy, "/toy/environments/prod")
            assert 'aria-current="step"><strong>25 %' in page
            assert 'id="rollout-page-r3"' in page
            kills = []
            for role in ("control", "gateway"):
                kills.append(time.monotonic())
                up.kill(role)
                eventually(lambda role=role: up.children(role), f"{role} is back")  # type: ignore[misc]
            before = sum(clients.got.values())
            eventually(lambda: sum(clients.got.values()) > before + 50, "answers again")
            assert share(toy) == ("r3", 25)
            following = toy.start(str(CIRANDA), "rollout", "--follow")
            eventually(lambda: toy.ciranda("rollout", "resume", "-e", "prod").code == 0, "control takes words")
            followed, _ = following.communicate(timeout=120)
            assert following.returncode == 0, followed
            toy.ciranda("wait", "r3", "-e", "prod").succeeds()
            assert "prod 100 %  passed" in followed
        assert clients.got["r3", 500] == 0
        assert all(any(0 <= lost - kill < 10 for kill in kills) for lost in clients.lost)
        assert len(clients.lost) <= 12 * len(kills)


def share(toy: Project) -> tuple[str, int]:
    """Which release enters prod, and the percent that it has."""
    found = json.loads(toy.ciranda("rollout", "-e", "prod", "--json").succeeds().out)["rollouts"][0]
    return found["release"], found["weight"]


def shown(toy: Project, path: str) -> str:
    """A page, as whoever owns the home sees it."""
    link = urlsplit(toy.ciranda("open", "--print").succeeds().out.strip())
    connection = http.client.HTTPConnection(link.hostname or "", link.port, timeout=20)
    connection.request("GET", f"{link.path}?{link.query}")
    answer = connection.getresponse()
    answer.read()
    cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
    connection.request("GET", path, headers={"Cookie": cookie})
    page = connection.getresponse().read().decode()
    connection.close()
    return page
