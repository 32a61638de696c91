"""`/api/v1/incidents`, `items`, `notify` and `delivery`: what people are told, what went wrong, what is planned, how it is delivered."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ciranda.feedback.incidents import NEWEST
from ciranda.kernel import errors
from ciranda.project.notify import LANGUAGES
from ciranda.web.api import AnyRequest, Api, answered, needed


class Opened(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An incident by hand. `since_us`: when it began, if not now."""

    project: str
    environment: str
    title: str
    service: str = ""
    severity: str = "page"
    owner: str = ""
    since_us: int | None = None


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of an incident: a note, how it ended, a whole review."""

    project: str
    number: int
    text: str = ""


class Planned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of work; `incident` is the number of the one that it was born from."""

    project: str
    title: str
    owner: str = ""
    incident: int | None = None


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of work that is done."""

    project: str
    number: int


class Tested(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel that gets a test."""

    project: str
    channel: str


@dataclass(frozen=True, slots=True)
class Feedback:
    """The handlers, beside those of the API."""

    api: Api

    def handlers(self) -> list[HTTPRouteHandler]:
        """Every route of feedback."""
        return [*self._views(), *self._acts()]

    def _views(self) -> list[HTTPRouteHandler]:
        api, feedback = self.api, self.api.control.feedback

        @get("/api/v1/incidents")
        async def incidents(request: AnyRequest) -> Response[bytes]:
            project = await self._project(request)
            look = partial(feedback.incidents, project, unresolved=_flag(request, "open"), before=_before(request))
            return answered(await api.rooms.call(look))

        @get("/api/v1/incidents/{number:int}")
        async def incident(request: AnyRequest) -> Response[bytes]:
            project, language = await self._project(request), request.query_params.get("language", "en")
            if language not in LANGUAGES:
                raise errors.Invalid(f"{language[:20]!r} is no language of this", hint=f"one of {', '.join(LANGUAGES)}")
            return answered(await api.rooms.call(feedback.incident, project, request.path_params["number"], language))

        @get("/api/v1/items")
        async def items(request: AnyRequest) -> Response[bytes]:
            project = await self._project(request)
            look = partial(feedback.items, project, unclosed=_flag(request, "open"), before=_before(request))
            return answered(await api.rooms.call(look))

        @get("/api/v1/delivery")
        async def delivery(request: AnyRequest) -> Response[bytes]:
            project, asked = await self._project(request), request.query_params
            days = _number(asked.get("days", "30"))
            return answered(await api.rooms.call(feedback.delivery, project, asked.get("environment", ""), days))

        @get("/api/v1/notify")
        async def channels(request: AnyRequest) -> Response[bytes]:
            return answered(await api.rooms.call(feedback.channels, await self._project(request)))

        return [incidents, incident, items, delivery, channels]

    def _acts(self) -> list[HTTPRouteHandler]:
        api, feedback = self.api, self.api.control.feedback

        @post("/api/v1/incident/open", status_code=200)
        async def opened(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Opened, "developer")
            named = {
                "service": body.service,
                "severity": body.severity,
                "owner": body.owner,
                "started_us": body.since_us,
            }
            act = partial(feedback.open, body.project, body.environment, title=body.title, actor=user.name, **named)
            return answered(await api.rooms.call(act))

        @post("/api/v1/incident/{act:str}", status_code=200)
        async def said(request: AnyRequest) -> Response[bytes]:
            acts = {"note": feedback.note, "resolve": feedback.resolve, "review": feedback.review}
            name = request.path_params["act"]
            if name not in acts:
                raise errors.NotFound(f"nobody can {name[:40]} an incident", hint="open, note, resolve, review")
            user, body = await api.act(request, Said, "developer")
            act = partial(acts[name], body.project, body.number, text=body.text, actor=user.name)
            return answered(await api.rooms.call(act))

        @post("/api/v1/item/add", status_code=200)
        async def added(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Planned, "developer")
            named: dict[str, Any] = {
                "title": body.title,
                "owner": body.owner,
                "incident": body.incident,
                "actor": user.name,
            }
            return answered(await api.rooms.call(partial(feedback.item_add, body.project, **named)))

        @post("/api/v1/item/close", status_code=200)
        async def closed(request: AnyRequest) -> Response[bytes]:
            user, body = await api.act(request, Closed, "developer")
            act = partial(feedback.item_close, body.project, body.number, actor=user.name)
            return answered(await api.rooms.call(act))

        @post("/api/v1/notify/test", status_code=200)
        async def tested(request: AnyRequest) -> Response[bytes]:
            _, body = await api.act(request, Tested)
            return answered(await api.rooms.call(feedback.test, body.project, body.channel))

        return [opened, said, added, closed, tested]

    async def _project(self, request: AnyRequest) -> str:
        """The project that is asked about, by whoever may look at it."""
        project = needed(request.query_params, "project")
        await self.api.admit(request, "viewer", project)
        return project


def _flag(request: AnyRequest, name: str) -> bool:
    return request.query_params.get(name, "") not in ("", "0", "false")


def _before(request: AnyRequest) -> int:
    text = request.query_params.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else NEWEST


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise errors.Invalid(f"{text[:20]!r} is not a number of days", hint="days=30") from None
