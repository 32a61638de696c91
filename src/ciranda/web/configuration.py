"""`/api/v1/config`, `/api/v1/secret` and `/api/v1/clone`: what an environment is made of, changed."""

import base64
import binascii
from dataclasses import dataclass
from functools import partial
from typing import Any

from litestar import Response, post
from litestar.handlers import HTTPRouteHandler

from ciranda.kernel import errors
from ciranda.web.api import AnyRequest, Api, Body, answered, reaching


class Config(Body, frozen=True):
    """Values as a person writes them, and names whose values are taken back."""

    set: dict[str, str] = {}
    unset: list[str] = []


class Secret(Body, frozen=True):
    """`value` is base64; `declared`: whoever asks has declared this environment, so it need not be known yet."""

    name: str
    value: str
    declared: bool = False


class Clone(Body, frozen=True):
    """`secrets`: they are copied too."""

    to: str
    secrets: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """The handlers, beside those of the API."""

    api: Api

    def handlers(self) -> list[HTTPRouteHandler]:
        """Every route of configuration."""
        api = self.api

        @post("/api/v1/config", status_code=200)
        async def config(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Config)
            act = partial(
                api.control.config, body.project, body.environment, assign=body.set, unset=body.unset, actor=user.name
            )
            return answered(await api.rooms.call(act))

        @post("/api/v1/secret", status_code=200)
        async def secret(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Secret)
            try:
                value = base64.b64decode(body.value, validate=True)
            except (binascii.Error, ValueError):
                raise errors.Invalid("the value is not base64", where=request.url.path) from None
            named: dict[str, Any] = {"name": body.name, "value": value, "declared": body.declared, "actor": user.name}
            return answered(await api.rooms.call(partial(api.control.secret, body.project, body.environment, **named)))

        @post("/api/v1/clone", status_code=200)
        async def clone(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Clone)
            reaching(user, "operator", body.project, body.to)
            named: dict[str, Any] = {"to": body.to, "secrets": body.secrets, "actor": user.name}
            return answered(await api.rooms.call(partial(api.control.clone, body.project, body.environment, **named)))

        return [config, secret, clone]
