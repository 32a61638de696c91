"""Infrastructure over HTTP: Terraform's `http` backend at `/api/v1/terraform/PROJECT/ENVIRONMENT`, and `/api/v1/infra/…` for people.

The protocol (https://developer.hashicorp.com/terraform/language/backend/http): GET, POST `?ID=`, DELETE, LOCK and UNLOCK;
423 with what is known of the holder. Who asks is the Terraform of one run, by that run's own password, or a user with a
token.
"""

import asyncio
import base64
import binascii
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from litestar import Response, post
from litestar.handlers import HTTPRouteHandler

from ciranda.environment.infra.states import Locked, Writer
from ciranda.kernel import errors
from ciranda.web import authority
from ciranda.web.api import AnyRequest, Api, Body, answered, status_of

LARGEST = 64 << 20  # bytes of a state
MOST = 8  # requests at once: each may hold a whole state
_PATH = re.compile(r"/(?P<project>[a-z][a-z0-9-]{0,39})/(?P<environment>[a-z][a-z0-9-]{0,39})/?")
_METHODS = ("GET", "POST", "DELETE", "LOCK", "UNLOCK")

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Plan(Body, frozen=True):
    """`release` None: that everything goes; `again`: though nothing of ours has changed."""

    release: str | None = None
    again: bool = False


class Unlock(Body, frozen=True):
    """`id`: this lock alone."""

    id: str = ""


@dataclass(frozen=True, slots=True)
class Infra:
    """The handlers for people, beside those of the API."""

    api: Api

    def handlers(self) -> list[HTTPRouteHandler]:
        """Every route of infrastructure."""
        api, room = self.api, self.api.control.infra

        @post("/api/v1/infra/plan", status_code=200)
        async def plan(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Plan)
            named: dict[str, Any] = {"release": body.release, "again": body.again, "actor": user.name}
            return answered(await api.rooms.call(partial(room.plan, body.project, body.environment, **named)))

        @post("/api/v1/infra/drift", status_code=200)
        async def drift(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Body)
            return answered(await api.rooms.call(partial(room.drift, body.project, body.environment, actor=user.name)))

        @post("/api/v1/infra/unlock", status_code=200)
        async def unlock(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Unlock)
            act = partial(room.unlock, body.project, body.environment, id=body.id, actor=user.name)
            return answered(await api.rooms.call(act))

        return [plan, drift, unlock]


class Backend:
    """Answers Terraform: an ASGI application mounted at `/api/v1/terraform`."""

    def __init__(self, api: Api) -> None:
        self._control, self._rooms, self._infra = api.control, api.rooms, api.control.infra
        self._places = asyncio.Semaphore(MOST)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        try:
            async with self._places:
                status, body = await self._answer(scope, receive)
        except Locked as locked:
            status, body = 423, locked.lock.info.encode()
        except errors.CirandaError as error:
            status, body = status_of(error), _told(str(error), error.hint)
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        if status == 401:
            headers.append((b"www-authenticate", b'Basic realm="ciranda"'))
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive) -> tuple[int, bytes]:
        found, method = _PATH.fullmatch(scope["path"]), scope["method"]
        if found is None:
            return 404, _told("there is nothing here", "a state is at /api/v1/terraform/PROJECT/ENVIRONMENT")
        if method not in _METHODS:
            return 405, _told(f"{method} is not what Terraform asks here")
        place = found["project"], found["environment"]
        headers = authority.headers_of(scope["headers"])
        writer = await self._writer(headers, *place)
        if isinstance(writer, authority.Denied):
            return writer.status, _told(writer.error, writer.hint)
        data = await _body(receive)
        if not _whole(data, headers):
            return 400, _told("the body is not what its Content-MD5 says")
        lock = parse_qs(scope["query_string"].decode("latin-1")).get("ID", [""])[0]
        match method:
            case "GET":
                state = await self._rooms.call(self._infra.fetch, *place)
                return (204, b"") if state is None else (200, state)
            case "LOCK":
                await self._rooms.call(partial(self._infra.lock, *place, data, writer=writer))
            case "UNLOCK":
                await self._rooms.call(partial(self._infra.give_back, *place, data, writer=writer))
            case _:
                state = None if method == "DELETE" else data
                await self._rooms.call(partial(self._infra.keep, *place, state, writer=writer, lock=lock))
        return 200, b""

    async def _writer(self, headers: authority.Headers, project: str, environment: str) -> Writer | authority.Denied:
        name, password = _pair(headers)
        if name and password:
            run = await self._rooms.call(self._infra.known, project, environment, name, password)
            if run is not None:
                return Writer(run.actor, run.id)
        token = authority.token_of(headers)
        user = await self._rooms.call(self._control.user, token) if token else None
        denied = authority.check_user(user, token, "operator", project, environment)
        if denied or user is None:
            return denied or authority.Denied(401, "a token is needed")
        return Writer(user.name)


def _pair(headers: authority.Headers) -> tuple[str, str]:
    """Name and password as `Basic` says them; empty where it does not."""
    scheme, _, value = headers.get(b"authorization", b"").decode("latin-1").strip().partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


async def _body(receive: Receive) -> bytes:
    """All of the body. Raises errors.Invalid for one that is too long, or ends early."""
    data = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise errors.Invalid("the body ended early")
        data += message.get("body", b"")
        if len(data) > LARGEST:
            raise errors.Invalid(f"a state has at most {LARGEST:,} bytes")
        if not message.get("more_body", False):
            return bytes(data)


def _whole(data: bytes, headers: authority.Headers) -> bool:
    """Whether the body is what Terraform says that it sent."""
    said = headers.get(b"content-md5")
    return said is None or base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()) == said.strip()


def _told(error: str, hint: str = "") -> bytes:
    return json.dumps({"error": error, "hint": hint}, ensure_ascii=False).encode()
