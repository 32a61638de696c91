"""`/api/v1`: the verbs of the loop over HTTP, as JSON. Each handler parses, calls one act of the port, and answers."""

import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from ciranda.access import tokens
from ciranda.app import metrics as rendering
from ciranda.kernel import errors
from ciranda.version import __version__
from ciranda.web import authority, follow
from ciranda.web.port import Control, Rooms

log = logging.getLogger(__name__)
LARGEST = 1 << 20  # bytes of a request's body
_CHANGE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_STATUS: tuple[tuple[type[errors.CirandaError], int], ...] = (
    (errors.NotFound, 404),
    (errors.Stale, 409),
    (errors.Fenced, 409),
    (errors.NotYet, 422),
    (errors.Invalid, 422),
    (errors.Refused, 409),
    (errors.Usage, 422),
    (errors.StorageFull, 507),
    (errors.Unreachable, 503),
)

B = TypeVar("B", bound=msgspec.Struct)
AnyRequest = Request[Any, Any, Any]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every act names."""

    project: str
    environment: str


class Rollback(Body, frozen=True):
    """`to` is a release ("r41"); without it, the last reached one that is older."""

    to: str | None = None
    reason: str = ""


class Hold(Body, frozen=True):
    """`release` lets go."""

    release: bool = False
    reason: str = ""


class Job(Body, frozen=True):
    """A job of what is live in the environment."""

    job: str


class Scale(Body, frozen=True):
    """How many instances of a service."""

    service: str
    instances: int


class Planned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plan by its digest, or the beginning of it; `note`: what is said of an emergency that was reviewed."""

    plan: str
    note: str = ""


class Promote(Body, frozen=True):
    """Which release enters; `emergency`: why it enters past what keeps it out."""

    release: str
    emergency: str = ""


class Destroy(Body, frozen=True):
    """`plan` is the digest of what was shown."""

    plan: str


@dataclass(frozen=True, slots=True)
class Api:
    """The handlers, over one control."""

    control: Control
    rooms: Rooms
    lines: Path

    def handlers(self) -> list[HTTPRouteHandler]:
        """Every route of the API."""

        @get("/api/v1/version", media_type="application/json")
        async def version() -> dict[str, str]:
            return {"name": "ciranda", "version": __version__}

        @get("/api/v1/status")
        async def status(request: AnyRequest) -> Response[bytes]:
            project = request.query_params.get("project")
            user = await self.known(request) if project is None else await self.admit(request, "viewer", project)
            told = await self.rooms.call(self.control.status, project)
            return answered({**told, "projects": [one for one in told["projects"] if user.may("viewer", one["name"])]})

        @get("/api/v1/plan")
        async def plan(request: AnyRequest) -> Response[bytes]:
            await self.known(request)
            asked = request.query_params
            project, environment = needed(asked, "project"), needed(asked, "environment")
            await self.admit(request, "viewer", project)
            return answered(await self.rooms.call(self.control.plan, project, environment, asked.get("release")))

        @get("/api/v1/changes/{change:str}/lines")
        async def lines(request: AnyRequest) -> Stream:
            user = await self.known(request)
            project = await self.rooms.call(self.control.people.told_of, request.path_params["change"])
            if not (user.somewhere if project is None else user.may("viewer", project)):
                reaching(user, "viewer", project or "")
            return Stream(
                self.follow(request.path_params["change"], follow_on=request.query_params.get("follow", "1") != "0"),
                media_type="application/x-ndjson",
            )

        @post("/api/v1/rollback", status_code=200)
        async def rollback(request: AnyRequest) -> Response[bytes]:
            user, body = await self.act(request, Rollback)
            act = partial(
                self.control.rollback, body.project, body.environment, to=body.to, actor=user.name, reason=body.reason
            )
            return answered(await self.rooms.call(act))

        @post("/api/v1/hold", status_code=200)
        async def hold(request: AnyRequest) -> Response[bytes]:
            user, body = await self.act(request, Hold)
            act = partial(
                self.control.hold,
                body.project,
                body.environment,
                release=body.release,
                reason=body.reason,
                actor=user.name,
            )
            return answered(await self.rooms.call(act))

        @post("/api/v1/scale", status_code=200)
        async def scale(request: AnyRequest) -> Response[bytes]:
            user, body = await self.act(request, Scale)
            named: dict[str, Any] = {"service": body.service, "instances": body.instances, "actor": user.name}
            act = partial(self.control.scale, body.project, body.environment, **named)
            return answered(await self.rooms.call(act))

        @get("/metrics")
        async def metrics(request: AnyRequest) -> Response[bytes]:
            client = request.scope.get("client")
            headers = authority.headers_of(request.scope["headers"])
            if not authority.direct(client[0] if client else "", headers):
                await self.admit(request, "viewer")
            page = await self.rooms.call(lambda: rendering.render(self.control.metrics()))
            return Response(page, headers={"content-type": rendering.CONTENT_TYPE, "cache-control": "no-store"})

        @post("/api/v1/apply", status_code=200)
        async def apply(request: AnyRequest) -> Response[bytes]:
            user, body = await self.read(request, Planned)
            reaching(user, "operator", *await self.rooms.call(self.control.people.planned, body.plan))
            return answered(await self.rooms.call(partial(self.control.apply, body.plan, actor=user.name)))

        @post("/api/v1/approve", status_code=200)
        async def approve(request: AnyRequest) -> Response[bytes]:
            user, body = await self.read(request, Planned)
            reaching(user, "operator", *await self.rooms.call(self.control.people.planned, body.plan))
            return answered(
                await self.rooms.call(partial(self.control.approve, body.plan, actor=user.name, note=body.note))
            )

        @post("/api/v1/promote", status_code=200)
        async def promote(request: AnyRequest) -> Response[bytes]:
            user, body = await self.act(request, Promote)
            named = {"release": body.release, "emergency": body.emergency, "actor": user.name}
            act = partial(self.control.promote, body.project, body.environment, **named)
            return answered(await self.rooms.call(act))

        @post("/api/v1/destroy", status_code=200)
        async def destroy(request: AnyRequest) -> Response[bytes]:
            user, body = await self.act(request, Destroy)
            act = partial(self.control.destroy, body.project, body.environment, plan=body.plan, actor=user.name)
            return answered(await self.rooms.call(act))

        @post("/api/v1/job/{act:str}", status_code=200)
        async def job(request: AnyRequest) -> Response[bytes]:
            acts = {"run": self.control.job_run, "retry": self.control.job_retry}
            named = request.path_params["act"]
            if named not in acts:
                raise errors.NotFound(f"a job cannot {named[:40]}", hint="it can run and retry")
            user, body = await self.act(request, Job)
            act = partial(acts[named], body.project, body.environment, body.job, actor=user.name)
            return answered(await self.rooms.call(act))

        return [version, status, plan, lines, apply, approve, promote, destroy, rollback, hold, scale, job, metrics]

    async def known(self, request: AnyRequest) -> tokens.User:
        """Whoever asks; raises `Forbidden` where nobody has the token."""
        token = authority.token_of(authority.headers_of(request.scope["headers"]))
        user = await self.rooms.call(self.control.user, token) if token else None
        denied = authority.check_known(user, token)
        if denied or user is None:
            raise Forbidden(denied or authority.Denied(401, "a token is needed"))
        return user

    async def admit(
        self, request: AnyRequest, role: tokens.Role, project: str = "", environment: str = ""
    ) -> tokens.User:
        """Whoever asks, if their role reaches there (everywhere, where no project is named); raises `Forbidden`."""
        return reaching(await self.known(request), role, project, environment)

    async def admit_somewhere(self, request: AnyRequest, role: tokens.Role) -> tokens.User:
        """Whoever asks, if they have this role in any place; for what is of no project, as objects are."""
        user = await self.known(request)
        if user.role_anywhere(role):
            return user
        return reaching(user, role)

    async def act(self, request: AnyRequest, shape: type[B], role: tokens.Role = "operator") -> tuple[tokens.User, B]:
        """Read the body and admit whoever has the role in the project and the environment that it names.

        Raises `Forbidden`, and errors.Invalid naming what is wrong in the body.
        """
        user, body = await self.read(request, shape)
        project, environment = getattr(body, "project", ""), getattr(body, "environment", "")
        return reaching(user, role, str(project), str(environment)), body

    async def read(self, request: AnyRequest, shape: type[B]) -> tuple[tokens.User, B]:
        """Whoever asks, and the body, which says where their role is to reach. Raises `Forbidden`, errors.Invalid."""
        user = await self.known(request)
        try:
            return user, msgspec.json.decode(await request.body(), type=shape)
        except msgspec.DecodeError as error:
            fields = ", ".join(field.name for field in msgspec.structs.fields(shape))
            raise errors.Invalid(
                f"the request is not as it should be: {error}", where=request.url.path, hint=f"it takes {fields}"
            ) from None

    def follow(self, change: str, *, follow_on: bool) -> AsyncIterator[bytes]:
        """The lines of a change as JSON lines, until its end if `follow_on`; raises errors.NotFound."""
        path = self.lines / f"{change}.jsonl"
        if not _CHANGE.fullmatch(change) or not path.exists():
            raise errors.NotFound(f"there is no change {change[:40]!r}", hint="see what there is: ciranda status")
        return follow.stream(path, self.rooms, follow_on=follow_on)


class Forbidden(Exception):
    """A request whose token does not reach."""

    def __init__(self, denied: authority.Denied) -> None:
        super().__init__(denied.error)
        self.denied = denied


def reaching(user: tokens.User, role: tokens.Role, project: str = "", environment: str = "") -> tokens.User:
    """The user, whose role reaches there; raises `Forbidden`."""
    denied = authority.check_role(user, role, project, environment)
    if denied:
        raise Forbidden(denied)
    return user


def needed(parameters: Mapping[str, str], name: str) -> str:
    """A parameter of the query that has to be there."""
    if name not in parameters:
        raise errors.Invalid(f"the parameter {name} is missing", hint=f"add ?{name}=…")
    return parameters[name]


def answered(body: Mapping[str, Any]) -> Response[bytes]:
    """A JSON answer."""
    return Response(
        json.dumps(body, ensure_ascii=False, default=str).encode(),
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


def failed(
    status: int,
    error: str,
    where: str = "",
    hint: str = "",
    kind: str = "Refused",
    headers: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """A JSON error: `error` what, `where`, `hint` the next step, `kind` the name in the tree of errors."""
    body = {"error": error, "where": where, "hint": hint, "kind": kind}
    return Response(
        json.dumps(body, ensure_ascii=False).encode(),
        status_code=status,
        media_type="application/json",
        headers=dict(headers or {}),
    )


def refused(_request: AnyRequest, error: errors.CirandaError) -> Response[bytes]:
    """An expected error as JSON."""
    return failed(status_of(error), str(error), error.where, error.hint, type(error).__name__)


def status_of(error: errors.CirandaError) -> int:
    """The HTTP status of an expected error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def forbidden(_request: AnyRequest, error: Forbidden) -> Response[bytes]:
    """A token that does not reach, as JSON."""
    denied = error.denied
    headers = {"www-authenticate": 'Bearer realm="ciranda"'} if denied.status == 401 else {}
    return failed(denied.status, denied.error, hint=denied.hint, headers=headers)


def unknown(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """What the router itself refuses: a path or a method that is not there, a body that is too long."""
    kind = "NotFound" if error.status_code == 404 else "Invalid"
    said = "there is nothing here" if error.status_code == 404 else error.detail
    return failed(
        error.status_code,
        said,
        where=f"{request.method} {request.url.path}",
        hint="the API is at /api/v1, a repository at /git/NAME.git",
        kind=kind,
    )


def broken(request: AnyRequest, error: Exception) -> Response[bytes]:
    """A fault of ours: the traceback goes to the log, not to the client."""
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return failed(
        500,
        "Ciranda has made a mistake",
        where=request.url.path,
        hint="its traceback is in logs/control.log",
        kind="Unreachable",
    )


HANDLERS: dict[int | type[Exception], Callable[..., Response[Any]]] = {
    errors.CirandaError: refused,
    Forbidden: forbidden,
    HTTPException: unknown,
    Exception: broken,
}
