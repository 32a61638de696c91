"""The handlers of the pages: who asks, from where, what they see; sign-in, the files, and the streams that keep pages live."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from litestar import Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from ciranda.access import sessions, tokens
from ciranda.kernel import errors
from ciranda.web import api, authority
from ciranda.web.pages import live, rendering, site
from ciranda.web.pages.rendering import Page
from ciranda.web.port import Rooms

AnyRequest = Request[Any, Any, Any]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
FOREVER = {
    "cache-control": "public, max-age=31536000, immutable",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
SLOWEST = 60  # seconds between the looks that a page may ask for
_CHANGE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ELSEWHERE = ("/api", "/git", "/metrics")  # paths whose refusals are not pages


class Pages:
    """The pages of a home, over what they look at."""

    def __init__(self, looked_at: site.Site, rooms: Rooms, *, port: int) -> None:
        """`port`: cookies ignore ports, so that the one of each server has its own name."""
        self._site, self._rooms = looked_at, rooms
        self._cookie = f"ciranda_{port}"
        self._files = rendering.files()
        self._renderer = rendering.Renderer(self._files)
        self.hub = live.Hub(looked_at.database.waiter)

    def handlers(self) -> list[HTTPRouteHandler]:
        """Every route of the pages, and the one by which `ciranda open` asks for a link."""
        sent = {file.name: file for file in self._files.values()}

        @get("/static/{name:str}")
        async def static(request: AnyRequest) -> Response[bytes]:
            file = sent.get(request.path_params["name"])
            if file is None:
                raise errors.NotFound("there is no such file", hint="load the page again")
            return Response(file.data, media_type=file.type, headers=FOREVER)

        @get("/login")
        async def login(request: AnyRequest) -> Response[bytes]:
            return await self._login(request.query_params.get("code", ""))

        @get("/-/events")
        async def events(request: AnyRequest) -> Response[Any]:
            return await self._events(request)

        @post("/api/v1/invitations", status_code=200)
        async def invite(request: AnyRequest) -> Response[bytes]:
            return await self._invite(request)

        pages = [self._handler(path, view) for path, view in site.ROUTES.items()]
        return [static, login, events, invite, *pages]

    def unknown(self, request: AnyRequest, error: HTTPException) -> Response[bytes]:
        """What the router refuses: JSON for programs, a page for people."""
        if request.url.path.startswith(_ELSEWHERE) or request.method not in ("GET", "HEAD"):
            return api.unknown(request, error)
        return self._answer(_problem(error.status_code, "there is nothing here", "begin at the first page"), "", "/")

    def _handler(self, path: str, view: site.View) -> HTTPRouteHandler:
        @get(path, name=view.__name__)
        async def page(request: AnyRequest) -> Response[bytes]:
            return await self._page(request, view)

        return page

    async def _page(self, request: AnyRequest, view: site.View) -> Response[bytes]:
        path = request.url.path
        if _foreign(request):
            return self._answer(_problem(403, "a page of another origin may not ask this server", ""), "", path)
        user = await self._user(request)
        if user is None:
            return self._answer(Page("signin", "Sign in", {}, every=0, status=401), "", path)
        asked = site.Asked(request.path_params, request.query_params)
        return await self._rooms.call(self._shown, view, asked, user.name, path)

    def _shown(self, view: site.View, asked: site.Asked, user: str, path: str) -> Response[bytes]:
        try:
            page = view(self._site, asked)
        except errors.CirandaError as error:
            page = _problem(api.status_of(error), str(error), error.hint)
        return self._answer(page, user, path)

    def _answer(self, page: Page, user: str, path: str) -> Response[bytes]:
        body = self._renderer.html(page, user, path)
        return Response(body, status_code=page.status, media_type="text/html; charset=utf-8", headers=HEADERS)

    async def _user(self, request: AnyRequest) -> tokens.User | None:
        """Whoever is signed in, or whose token a program sends."""
        session = request.cookies.get(self._cookie)
        found = await self._rooms.call(sessions.find, self._site.database, session) if session else None
        token = authority.token_of(authority.headers_of(request.scope["headers"])) if found is None else None
        return await self._rooms.call(tokens.find, self._site.database, token) if token else found

    async def _login(self, code: str) -> Response[bytes]:
        """A link is good once. The answer is a page that goes on by itself: after a redirect from elsewhere a strict cookie is not sent."""
        begin: Callable[[], str | None] = partial(self._site.database.write, lambda tx: sessions.begin(tx, code))
        session = await self._rooms.call(begin)
        if session is None:
            said = "this link was used already, or is older than a minute"
            return self._answer(_problem(403, said, "a new one: ciranda open"), "", "/login")
        answer = self._answer(Page("signed-in", "Signed in", {}, every=0), "", "/login")
        answer.set_cookie(
            key=self._cookie, value=session, max_age=sessions.SIGNED_IN, path="/", httponly=True, samesite="strict"
        )
        return answer

    async def _invite(self, request: AnyRequest) -> Response[bytes]:
        token = authority.token_of(authority.headers_of(request.scope["headers"]))
        user = await self._rooms.call(tokens.find, self._site.database, token) if token else None
        denied = authority.check_user(user, token, "viewer")
        if denied or user is None:
            raise api.Forbidden(denied or authority.Denied(401, "a token is needed"))
        name = user.name
        make: Callable[[], str] = partial(self._site.database.write, lambda tx: sessions.invite(tx, name))
        code = await self._rooms.call(make)
        return api.answered({"code": code, "user": name, "seconds": sessions.INVITED})

    async def _events(self, request: AnyRequest) -> Response[Any]:
        if _foreign(request) or await self._user(request) is None:
            raise api.Forbidden(authority.Denied(401, "sign in first", "ciranda open"))
        if self.hub.full:
            raise errors.Unreachable("too many pages are open", hint="close some: they are live again by themselves")
        asked = request.query_params
        every, change = asked.get("every", ""), asked.get("change", "")
        return Stream(
            self.hub.stream(
                every=min(max(int(every), 1), SLOWEST) if every.isascii() and every.isdigit() and len(every) < 6 else 0,
                grows=self._lines(change) if _CHANGE.fullmatch(change) else None,
            ),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-content-type-options": "nosniff"},
        )

    def _lines(self, change: str) -> Path:
        return self._site.home.lines / f"{change}.jsonl"


def _problem(status: int, what: str, hint: str) -> Page:
    title = "Not found" if status == 404 else "This could not be shown"
    return Page("problem", title, {"what": what, "hint": hint}, every=0, status=status)


def _foreign(request: AnyRequest) -> bool:
    """Whether another site's page asks, other than by a link that somebody follows (Fetch Metadata, W3C)."""
    where, how = request.headers.get("sec-fetch-site", "none"), request.headers.get("sec-fetch-mode", "navigate")
    return where not in ("same-origin", "none") and how != "navigate"
