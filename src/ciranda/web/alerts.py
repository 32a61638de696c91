"""`/api/v1/alerts/…`: what people say to alerts, and what an Alertmanager tells."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from litestar import Response, post
from litestar.handlers import HTTPRouteHandler

from ciranda.kernel import errors
from ciranda.web.api import AnyRequest, Api, answered

LARGEST = 4 << 20  # bytes of one call of an Alertmanager


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An alert that fires, by its rule; or a silence."""

    project: str
    name: str
    note: str = ""


class Silence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`length` as people write it: "2 h"."""

    project: str
    length: str
    reason: str
    environment: str = ""
    rule: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Alerting:
    """The handlers, beside those of the API."""

    api: Api

    def handlers(self) -> list[HTTPRouteHandler]:
        """Every route of alerts."""
        api = self.api

        @post("/api/v1/alerts/ack", status_code=200)
        async def ack(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Named)
            act = partial(api.control.alerts.acknowledge, body.project, body.name, note=body.note, actor=user.name)
            return answered(await api.rooms.call(act))

        @post("/api/v1/alerts/silence", status_code=200)
        async def silence(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Silence)
            named = {name: getattr(body, name) for name in ("environment", "rule", "service", "length", "reason")}
            act = partial(api.control.alerts.silence, body.project, **named, actor=user.name)
            return answered(await api.rooms.call(act))

        @post("/api/v1/alerts/unsilence", status_code=200)
        async def unsilence(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Named)
            act = partial(api.control.alerts.unsilence, body.project, body.name, actor=user.name)
            return answered(await api.rooms.call(act))

        @post("/api/v1/alerts/alertmanager", status_code=200, request_max_body_size=LARGEST)
        async def told(request: AnyRequest) -> Response[bytes]:
            user = await api.admit_somewhere(request, "operator")
            try:
                payload: dict[str, Any] = msgspec.json.decode(await request.body(), type=dict[str, Any])
            except msgspec.DecodeError as error:
                raise errors.Invalid(f"the call is not JSON: {error}", where=request.url.path) from None
            may = partial(user.may, "operator")
            return answered(await api.rooms.call(partial(api.control.alerts.told, payload, may=may)))

        return [ack, silence, unsilence, told]
