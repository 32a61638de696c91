"""`/api/v1/objects` and `/api/v1/refresh`: large files by digest, streamed in and out of the store; new data on request."""

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from litestar import Response, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from ciranda.kernel import errors
from ciranda.web.api import AnyRequest, Api, answered

LARGEST = 256 << 30  # bytes of one object
SPARE = 256 << 20  # bytes that stay free on the disk of the home
MOST = 10_000  # digests that are asked for at once
_HEX = re.compile(r"[0-9a-f]{64}")


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Digests of objects."""

    digests: list[str]


class Refresh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose references are looked at."""

    project: str


@dataclass(frozen=True, slots=True)
class Data:
    """The handlers, beside those of the API."""

    api: Api

    def handlers(self) -> list[HTTPRouteHandler]:
        """Every route of data."""
        api = self.api

        @post("/api/v1/objects", status_code=200)
        async def lacking(request: AnyRequest) -> Response[bytes]:
            await api.admit_somewhere(request, "developer")
            _, wanted = await api.read(request, Wanted)
            digests = [_digest(name.removeprefix("b3:")) for name in wanted.digests]
            if len(digests) > MOST:
                raise errors.Invalid(f"more than {MOST:,} digests at once", where=request.url.path)
            return answered({"lacking": await api.rooms.call(api.control.lacking, digests)})

        @put("/api/v1/objects/{name:str}", status_code=200, request_max_body_size=None)
        async def receive(request: AnyRequest) -> Response[bytes]:
            await api.admit_somewhere(request, "developer")
            name = _digest(request.path_params["name"])
            length = _length(request.headers.get("content-length", ""), request.url.path)
            await api.rooms.call(self._room, length)
            incoming = api.control.incoming()
            taken = await api.rooms.call(incoming.__enter__)
            try:
                async for piece in request.stream():
                    if taken.size + len(piece) > length:
                        raise errors.Invalid("more came than was announced", where=request.url.path)
                    await api.rooms.call(taken.write, piece)
                await api.rooms.call(taken.keep, name)
            except errors.Corrupt as error:
                raise errors.Invalid(str(error), where=request.url.path, hint=error.hint) from None
            finally:
                await api.rooms.call(partial(incoming.__exit__, None, None, None))
            return answered({"digest": name, "size": taken.size})

        @get("/api/v1/objects/{name:str}")
        async def send(request: AnyRequest) -> Stream:
            await api.admit_somewhere(request, "developer")
            size, pieces = await api.rooms.call(api.control.pieces, _digest(request.path_params["name"]))
            headers = {"content-length": str(size), "cache-control": "no-store"}
            return Stream(self._sent(pieces), media_type="application/octet-stream", headers=headers)

        @post("/api/v1/refresh", status_code=200)
        async def refresh(request: AnyRequest) -> Response[bytes]:
            user, asked = await api.act(request, Refresh, "developer")
            return answered(await api.rooms.call(partial(api.control.refresh, asked.project, actor=user.name)))

        return [lacking, receive, send, refresh]

    async def _sent(self, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        while piece := await self.api.rooms.call(next, pieces, b""):
            yield piece

    def _room(self, length: int) -> None:
        free = shutil.disk_usage(self.api.lines).free
        if length + SPARE > free:
            raise errors.StorageFull(
                f"the server has room for {max(0, free - SPARE):,} bytes, not for {length:,}",
                hint="make room on its disk",
            )


def _digest(name: Any) -> str:
    if not isinstance(name, str) or not _HEX.fullmatch(name):
        raise errors.Invalid("this is not a digest", hint="64 hexadecimal digits")
    return f"b3:{name}"


def _length(said: str, where: str) -> int:
    if not said.isdigit() or int(said) > LARGEST:
        raise errors.Invalid(
            f"an object says its length, at most {LARGEST >> 30} GiB", where=where, hint="send Content-Length"
        )
    return int(said)
