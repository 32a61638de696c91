"""`/api/v1/reaction/approve` and `decline`: a person's word on what would be done by itself."""

from dataclasses import dataclass
from functools import partial

import msgspec
from litestar import Response, post
from litestar.handlers import HTTPRouteHandler

from ciranda.kernel import errors
from ciranda.web.api import AnyRequest, Api, answered


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reaction by its number in the project."""

    project: str
    number: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reacting:
    """The handlers, beside those of the API."""

    api: Api

    def handlers(self) -> list[HTTPRouteHandler]:
        """Every route of reactions."""
        api = self.api

        @post("/api/v1/reaction/{act:str}", status_code=200)
        async def reaction(request: AnyRequest) -> Response[bytes]:
            named = request.path_params["act"]
            if named not in ("approve", "decline"):
                raise errors.NotFound(f"a reaction cannot {named[:40]}", hint="it takes approve and decline")
            user, body = await api.act(request, Word)
            act = partial(
                api.control.reaction, body.project, body.number, approve=named == "approve", reason=body.reason,
                actor=user.name,
            )  # fmt: skip
            return answered(await api.rooms.call(act))

        return [reaction]
