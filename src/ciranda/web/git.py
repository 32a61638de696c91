"""Git over HTTP: `/git/NAME.git`, by `git http-backend`, whose answer is passed on as it comes, so that a push shows its lines."""

import asyncio
import os
import re
import signal
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ciranda.access import tokens
from ciranda.kernel import errors
from ciranda.web import authority, cgi
from ciranda.web.authority import Denied
from ciranda.web.port import Control, Rooms

PIECE = 1 << 16  # bytes passed on at once
PATIENCE = 2.0  # seconds between SIGTERM and SIGKILL for a Git whose client is gone
MOST = 64  # Git processes at once
_PATH = re.compile(
    r"/(?P<name>[^/]+)\.git/(?P<path>info/refs|git-upload-pack|git-receive-pack)/?"
)  # Litestar adds the last slash
_SERVICES: Mapping[str, tokens.Role] = {"git-upload-pack": "viewer", "git-receive-pack": "developer"}

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Git:
    """Answers Git's clients: an ASGI application mounted at `/git`."""

    def __init__(self, control: Control, rooms: Rooms, windows: Path) -> None:
        """`windows` is a private folder for the files that the hooks of one push share."""
        self._control, self._rooms, self._windows = control, rooms, windows
        self._places = asyncio.Semaphore(MOST)
        windows.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in windows.iterdir():
            left.unlink()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        asked = await self._admit(scope)
        if isinstance(asked, Denied):
            await answer_denied(asked, send)
            return
        window = self._windows / uuid.uuid4().hex
        try:
            async with self._places:
                await serve(asked, cgi.environment(asked, window), receive, send)
        finally:
            window.unlink(missing_ok=True)

    async def _admit(self, scope: MutableMapping[str, Any]) -> cgi.Asked | Denied:
        headers = authority.headers_of(scope["headers"])
        query = scope["query_string"].decode("latin-1")
        found = _PATH.fullmatch(scope["path"])
        if found is None:
            return Denied(404, "there is nothing here", "a repository is at /git/NAME.git")
        name, path = found["name"], found["path"]
        service = query.removeprefix("service=") if path == "info/refs" else path
        if service not in _SERVICES:
            return Denied(403, "only Git's smart protocol is spoken here", "use a Git of this century")
        if scope["method"] != ("GET" if path == "info/refs" else "POST"):
            return Denied(405, f"{scope['method']} is not what Git asks here")
        token = authority.token_of(headers)
        user = await self._rooms.call(self._control.user, token) if token else None
        project = await self._rooms.call(self._control.people.project_of, name)
        denied = authority.check_user(user, token, _SERVICES[service], project)
        if denied or user is None:
            return denied or Denied(401, "a token is needed")
        try:
            repository = await self._rooms.call(self._control.repository, name, create=service == "git-receive-pack")
        except errors.NotFound as error:
            return Denied(404, str(error), error.hint)
        except errors.CirandaError as error:
            return Denied(422, str(error), error.hint)
        peer = scope.get("client") or ("", 0)
        return cgi.Asked(scope["method"], repository, path, query, user.name, str(peer[0]), headers)


async def serve(asked: cgi.Asked, environment: dict[str, str], receive: Receive, send: Send) -> None:
    """Run http-backend for one request: the body goes in and the answer comes out at the same time; when the client leaves, it is ended."""
    process = await asyncio.create_subprocess_exec(
        *cgi.ARGV,
        cwd=asked.repository,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    client = asyncio.create_task(_pass_in(process, receive))
    backend = asyncio.create_task(_pass_out(process, send))
    try:
        await asyncio.wait((client, backend), return_when=asyncio.FIRST_COMPLETED)
        if backend.done():
            backend.result()
        if backend.done() or not client.result():  # it has answered, or its input has ended early: it leaves by itself
            await _ended(process)
    finally:
        if process.returncode is None:
            _signal(process.pid, signal.SIGTERM)  # at once, before anything else can be cancelled
        for task in (client, backend):
            task.cancel()
        await asyncio.gather(client, backend, return_exceptions=True)
        if not await _ended(process):
            _signal(process.pid, signal.SIGKILL)
            await process.wait()


async def answer_denied(denied: Denied, send: Send) -> None:
    """Plain text, which Git's client prints."""
    text = denied.error + (f"\n{denied.hint}" if denied.hint else "") + "\n"
    headers = [(b"content-type", b"text/plain"), (b"cache-control", b"no-cache")]
    if denied.status == 401:
        headers.append((b"www-authenticate", b'Basic realm="ciranda"'))
    await send({"type": "http.response.start", "status": denied.status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


async def _pass_in(process: asyncio.subprocess.Process, receive: Receive) -> bool:
    """The request's body to the program; returns when the client has gone: whether the body had come whole."""
    stdin = process.stdin
    assert stdin is not None
    whole = False
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            stdin.close()
            return whole
        if not whole and (body := message.get("body", b"")):
            with suppress(BrokenPipeError, ConnectionResetError):  # it has answered without reading all
                stdin.write(body)
                await stdin.drain()
        if not whole and not message.get("more_body", False):
            whole = True
            stdin.close()


async def _pass_out(process: asyncio.subprocess.Process, send: Send) -> None:
    """The program's answer to the client, each piece when it comes."""
    stdout = process.stdout
    assert stdout is not None
    data = b""
    while (parts := cgi.split_head(data)) is None:
        piece = await stdout.read(PIECE)
        if not piece:
            await answer_denied(Denied(500, "Git ended without an answer", "see logs/control.log in the home"), send)
            return
        data += piece
    head = cgi.parse_head(parts[0])
    await send({"type": "http.response.start", "status": head.status, "headers": list(head.headers)})
    if parts[1]:
        await send({"type": "http.response.body", "body": parts[1], "more_body": True})
    while piece := await stdout.read(PIECE):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _ended(process: asyncio.subprocess.Process) -> bool:
    """Wait a moment for the end of a program; False: it goes on."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await process.wait()
    return process.returncode is not None


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)
