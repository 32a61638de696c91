"""An application in an interpreter that was built from a project's lock, with what Ciranda adds to it."""

import http.client
import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from websockets.sync.client import unix_connect

from ciranda.kernel import errors
from ciranda.pipeline import interpreters, needs
from support.runtime import WAIT, write_tree
from support.service import until

# A lock that has no server: the newest FastAPI that runs on every Python that the runtime does.
LOCK = "fastapi==0.115.14\nstarlette==0.46.2\npydantic==2.11.7\n"
APP = """
    import sys
    from contextlib import asynccontextmanager

    import uvicorn
    from fastapi import FastAPI, WebSocket

    @asynccontextmanager
    async def lifespan(app):
        yield
        print("the lifespan ends")

    app = FastAPI(lifespan=lifespan)

    @app.get("/about")
    async def about():
        return {"python": list(sys.version_info[:2]), "uvicorn": uvicorn.__version__, "root": app.url_path_for("about")}

    @app.websocket("/talk")
    async def talk(socket: WebSocket):
        await socket.accept()
        await socket.send_text(await socket.receive_text() + "!")
        await socket.close()
"""


def get(place: Path, path: str) -> tuple[int, bytes]:
    """One request over a unix socket."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(WAIT)
    try:
        connection.sock.connect(str(place))
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def answers(place: Path) -> bool:
    """Whether somebody listens there already."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        return made.connect_ex(str(place)) == 0


@pytest.mark.parametrize("version", ["3.9", "3.11", "3.13"])
def test_an_app_whose_lock_has_no_server_is_served(tmp_path: Path, version: str) -> None:
    try:
        interpreters.find_base(interpreters.Lock(Path.cwd(), "requirements.txt", "", version))
    except errors.Refused:
        pytest.skip(f"no Python {version} on this machine")
    tree = write_tree(
        tmp_path / "tree", {"requirements.txt": LOCK, ".python-version": f"{version}\n", "src/shop/web.py": APP}
    )
    found = interpreters.ensure(interpreters.resolve(tree), tmp_path / "i", lambda text: None)
    assert (found.app, found.distributions["uvicorn"]) == (None, needs.APP["uvicorn"])
    place, log = tmp_path / "s", tmp_path / "log"
    variables = {"CIRANDA_SOCKET": str(place), "CIRANDA_BASE_PATH": "/toy/prod/web", "PATH": os.environ["PATH"]}
    with log.open("wb") as written:
        process = subprocess.Popen(
            [str(found.python), "-I", "-m", "ciranda.runtime.asgi", "shop.web:app", "5"],
            cwd=tree,
            env=variables,
            stdout=written,
            stderr=written,
        )
    try:
        until(lambda: answers(place) or process.poll() is not None, seconds=WAIT)
        status, body = get(place, "/about")
        about = json.loads(body)
        assert (status, about["uvicorn"]) == (200, needs.APP["uvicorn"]), log.read_text()
        assert ".".join(map(str, about["python"])) == version
        assert b"'/toy/prod/web/openapi.json'" in get(place, "/docs")[1]
        with unix_connect(str(place), uri="ws://localhost/talk", open_timeout=WAIT) as talk:
            talk.send("hello")
            assert talk.recv(timeout=WAIT) == "hello!"
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0, log.read_text()
        assert log.read_text().splitlines()[-1] == "the lifespan ends"
    finally:
        process.kill()
        process.wait()


def test_what_is_installed_can_be_told_without_importing_it(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"requirements.txt": "six==1.17.0\n"})
    built = interpreters.ensure(interpreters.resolve(tree), tmp_path / "i", lambda text: None)
    own = interpreters.ensure(None, tmp_path / "i", lambda text: None)
    for name, there in (("six", True), ("json", True), ("uvicorn", True), ("polars", False)):
        assert interpreters.importable(built, name) == there, name
    for name, there in (("polars", True), ("sys", True), ("nothing_of_this_name", False)):
        assert interpreters.importable(own, name) == there, name
