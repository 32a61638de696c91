"""`/api/v1/rollout`: how far a release is on its way in, and who pauses, resumes or aborts that."""

from dataclasses import dataclass
from functools import partial

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ciranda.web.api import AnyRequest, Api, Body, answered, needed


class Rollout(Body, frozen=True):
    """`reason` is why it is aborted."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rollouts:
    """The handlers, beside those of the API."""

    api: Api

    def handlers(self) -> list[HTTPRouteHandler]:
        """Every route of rollouts."""
        api = self.api
        room = api.control.rollouts

        @get("/api/v1/rollout")
        async def listing(request: AnyRequest) -> Response[bytes]:
            project = needed(request.query_params, "project")
            environment = request.query_params.get("environment", "")
            await api.admit(request, "viewer", project, environment)
            return answered(await api.rooms.call(room.listing, project, environment))

        @post("/api/v1/rollout/{act:str}", status_code=200)
        async def act(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Rollout)
            named = request.path_params["act"]
            asked = partial(room.act, named, body.project, body.environment, actor=user.name, reason=body.reason)
            return answered(await api.rooms.call(asked))

        return [listing, act]
