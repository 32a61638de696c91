"""`/api/v1/me`, `/users`, `/tokens` and `/audit`: who there is, what each may do where, and what each did."""

from dataclasses import dataclass
from functools import partial

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from ciranda.access.roles import Grant, Role, User
from ciranda.app import people
from ciranda.app.views import audit
from ciranda.kernel import errors
from ciranda.web.api import AnyRequest, Api, Forbidden, answered, reaching
from ciranda.web.authority import Denied


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user, and where: no project is every one, no environment all of it."""

    user: str
    project: str = ""
    environment: str = ""
    role: Role | None = None


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`user` empty: whoever asks; `days` 0: until it is revoked."""

    user: str = ""
    label: str = ""
    days: int = 90


class Revoked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name of a token: the first 16 digits after `cir_`."""

    token: str


@dataclass(frozen=True, slots=True)
class People:
    """The handlers, beside those of the API."""

    api: Api

    def handlers(self) -> list[HTTPRouteHandler]:
        """Every route of people."""
        api = self.api
        room = api.control.people

        @get("/api/v1/me")
        async def me(request: AnyRequest) -> Response[bytes]:
            return answered((await api.known(request)).document())

        @get("/api/v1/users")
        async def users(request: AnyRequest) -> Response[bytes]:
            return answered(await api.rooms.call(room.listing, await api.admit_somewhere(request, "viewer")))

        @post("/api/v1/users/{act:str}", status_code=200)
        async def change(request: AnyRequest) -> Response[bytes]:
            user, body = await api.read(request, Named)
            project, environment = people.place(body.project, body.environment)
            match request.path_params["act"]:
                case "add":
                    _over(user, project, environment, alone=body.role is None)
                    grant = None if body.role is None else Grant(project, environment, body.role)
                    act = partial(room.add, body.user, grant=grant, actor=user.name)
                case "grant" if body.role is not None:
                    _over(user, project, environment)
                    act = partial(room.grant, body.user, Grant(project, environment, body.role), actor=user.name)
                case "revoke":
                    _over(user, project, environment)
                    act = partial(room.revoke, body.user, project, environment, actor=user.name)
                case "remove":
                    reaching(user, "admin")
                    act = partial(room.remove, body.user, actor=user.name)
                case "grant":
                    raise errors.Invalid("which role is not said", where=request.url.path)
                case other:
                    raise errors.NotFound(f"a user cannot be {other[:40]}", hint="add, grant, revoke, remove")
            return answered(await api.rooms.call(act))

        @get("/api/v1/tokens")
        async def tokens(request: AnyRequest) -> Response[bytes]:
            user = await api.known(request)
            return answered(await api.rooms.call(room.tokens, None if user.may("admin") else user.name))

        @post("/api/v1/tokens", status_code=200)
        async def create(request: AnyRequest) -> Response[bytes]:
            user, body = await api.read(request, NewToken)
            owner = body.user or user.name
            if owner != user.name:
                reaching(user, "admin")
            act = partial(room.token, owner, label=body.label, days=body.days, actor=user.name)
            return answered(await api.rooms.call(act))

        @post("/api/v1/tokens/revoke", status_code=200)
        async def revoke(request: AnyRequest) -> Response[bytes]:
            user, body = await api.read(request, Revoked)
            if not user.may("admin") and await api.rooms.call(room.owner, body.token) != user.name:
                raise Forbidden(Denied(403, "this token is somebody else's", "ask an admin"))
            return answered(await api.rooms.call(partial(room.revoke_token, body.token, actor=user.name)))

        @get("/api/v1/audit")
        async def log(request: AnyRequest) -> Response[bytes]:
            user = await api.admit_somewhere(request, "viewer")
            query = request.query_params
            asked = audit.Asked(
                since_us=_number(query.get("since_us", "0")), actor=query.get("actor", ""), most=_number(query.get("most", "100")),
                project=query.get("project", ""), kind=query.get("kind", ""),
            )  # fmt: skip
            return answered(await api.rooms.call(room.audit, user, asked))

        return [me, users, change, tokens, create, revoke, log]


def _over(user: User, project: str, environment: str, *, alone: bool = False) -> None:
    """Roles in a place are given and taken by an admin of that place; users without one by an admin of everything."""
    if alone or project == "*":
        reaching(user, "admin")
    else:
        reaching(user, "admin", project, "" if environment == "*" else environment)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise errors.Invalid(f"{text[:40]!r} is not a number")
    return int(text)
