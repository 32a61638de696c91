"""The handlers of the pages: who asks, from where, in which language, what they see and do; sign-in, the files, and the streams."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from ciranda.access import sessions, tokens
from ciranda.app.views import plan as plans
from ciranda.kernel import errors
from ciranda.web import api, authority
from ciranda.web.pages import actions, languages, live, rendering, site
from ciranda.web.pages.rendering import Page
from ciranda.web.port import Control, Rooms

AnyRequest = Request[Any, Any, Any]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",  # without any, a browser sends the forms of these pages with `Origin: null`
    "vary": "Accept-Language, Cookie",
    "x-content-type-options": "nosniff",
}
FOREVER = {
    "cache-control": "public, max-age=31536000, immutable",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
SLOWEST = 60  # seconds between the looks that a page may ask for
YEAR = 365 * 24 * 3600  # seconds that a browser remembers its language
_CHANGE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ELSEWHERE = ("/api", "/git", "/metrics")  # paths whose refusals are not pages


class Pages:
    """The pages of a home, over what they look at."""

    def __init__(self, looked_at: site.Site, rooms: Rooms, *, port: int) -> None:
        """`port`: cookies ignore ports, so that the one of each server has its own name."""
        self._site, self._rooms = looked_at, rooms
        self._cookie = f"ciranda_{port}"
        self._spoken = f"ciranda_{port}_language"
        self._files = rendering.files()
        self._renderers = {code: rendering.Renderer(self._files, language) for code, language in languages.ALL.items()}
        self.hub = live.Hub(looked_at.database.waiter)

    def handlers(self, control: Control) -> list[HTTPRouteHandler]:
        """Every route of the pages, and the one by which `ciranda open` asks for a link. `control` does what a form says."""
        sent = {file.name: file for file in self._files.values()}

        @get("/static/{name:str}")
        async def static(request: AnyRequest) -> Response[bytes]:
            file = sent.get(request.path_params["name"])
            if file is None:
                raise errors.NotFound("there is no such file", hint="load the page again")
            return Response(file.data, media_type=file.type, headers=FOREVER)

        @get("/login")
        async def login(request: AnyRequest) -> Response[bytes]:
            return await self._login(request)

        @post("/-/leave", status_code=200)
        async def leave(request: AnyRequest) -> Response[bytes]:
            return await self._leave(request)

        @get("/-/events")
        async def events(request: AnyRequest) -> Response[Any]:
            return await self._events(request)

        @post("/api/v1/invitations", status_code=200)
        async def invite(request: AnyRequest) -> Response[bytes]:
            return await self._invite(request)

        @get("/{project:str}/environments/{environment:str}/{act:str}")
        async def ask(request: AnyRequest) -> Response[bytes]:
            return await self._act(request, None)

        @post("/{project:str}/environments/{environment:str}/{act:str}", status_code=200)
        async def act(request: AnyRequest) -> Response[bytes]:
            return await self._act(request, control)

        pages = [self._handler(path, view) for path, view in site.ROUTES.items()]
        return [static, login, leave, events, invite, ask, act, *pages]

    def unknown(self, request: AnyRequest, error: HTTPException) -> Response[bytes]:
        """What the router refuses: JSON for programs, a page for people."""
        if request.url.path.startswith(_ELSEWHERE) or request.method not in ("GET", "HEAD"):
            return api.unknown(request, error)
        return self._answer(
            request, _problem(error.status_code, "there is nothing here", "begin at the first page"), "", "/"
        )

    def _handler(self, path: str, view: site.View) -> HTTPRouteHandler:
        @get(path, name=view.__name__)
        async def page(request: AnyRequest) -> Response[bytes]:
            return await self._page(request, view)

        return page

    async def _page(self, request: AnyRequest, view: site.View) -> Response[bytes]:
        if _foreign(request):
            return self._answer(request, _problem(403, "a page of another origin may not ask this server", ""))
        user = await self._user(request)
        if user is None:
            return self._answer(request, Page("signin", "Sign in", {}, every=0, status=401))
        project = request.path_params.get("project")
        if project is not None and not user.may("viewer", project):
            said = f"there is no project {project} that {user.name} may look at"
            return self._answer(request, _problem(404, said, "begin at the first page"), user.name)
        asked = site.Asked(request.path_params, request.query_params, user)
        return await self._rooms.call(self._shown, request, view, asked)

    def _shown(self, request: AnyRequest, view: site.View, asked: site.Asked) -> Response[bytes]:
        try:
            page = view(self._site, asked)
        except errors.CirandaError as error:
            page = _problem(api.status_of(error), str(error), error.hint)
        return self._answer(request, page, asked.user.name)

    async def _act(self, request: AnyRequest, control: Control | None) -> Response[bytes]:
        """Ask whether an act is meant, or (with a control) do it, for who may, from a page of this session alone."""
        act, session = str(request.path_params["act"]), request.cookies.get(self._cookie, "")
        project, environment = str(request.path_params["project"]), str(request.path_params["environment"])
        if _foreign(request) or (
            control is not None and request.headers.get("sec-fetch-site", "same-origin") != "same-origin"
        ):
            return self._answer(request, _problem(403, "a page of another origin may not ask this server", ""))
        user = await self._rooms.call(sessions.find, self._site.database, session) if session else None
        if user is None:
            return self._answer(request, Page("signin", "Sign in", {}, every=0, status=401))
        if act not in actions.ACTS or not user.may("viewer", project):
            return self._answer(request, _problem(404, "there is nothing here", "begin at the first page"), user.name)
        denied = authority.check_role(user, "operator", project, environment)
        if denied:
            return self._answer(request, _problem(403, denied.error, denied.hint), user.name)
        form: Mapping[str, str] = request.query_params
        if control is not None:
            form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
            if not sessions.sealed(session, form.get("seal", "")):
                said = "this form is not of this session"
                return self._answer(request, _problem(403, said, "load the page again"), user.name)
        place = actions.Place(project, environment, form, user.name)
        return await self._rooms.call(self._acted, request, act, place, control)

    def _acted(self, request: AnyRequest, act: str, place: actions.Place, control: Control | None) -> Response[bytes]:
        def planned(release: str | None) -> plans.View:
            seen = self._site
            return plans.gather(seen.database, seen.store, place.project, place.environment, release or None)

        try:
            if control is None:
                return self._answer(request, actions.shown(act, place, self._site.database, planned), place.user)
            actions.done(act, place, control, self._site.database, planned)
        except errors.CirandaError as error:
            return self._answer(request, _problem(api.status_of(error), str(error), error.hint), place.user)
        to = f"/{place.project}/environments/{place.environment}"
        return Response(b"", status_code=303, headers={**HEADERS, "location": to})

    def _answer(self, request: AnyRequest, page: Page, user: str = "", path: str | None = None) -> Response[bytes]:
        """A page in the language that is meant; a session's forms carry its seal."""
        asked = request.query_params.get("language", "")
        kept, accepted = request.cookies.get(self._spoken, ""), request.headers.get("accept-language", "")
        code = languages.chosen(asked, kept, accepted)
        session = request.cookies.get(self._cookie, "")
        query = [(name, value) for name, value in request.query_params.items() if name not in ("language", "code")]
        at = path or request.url.path
        body = self._renderers[code].html(
            page,
            user,
            at,
            seal=sessions.seal(session) if session and user else "",
            here=f"{at}?{urlencode(query)}{'&' if query else ''}",
        )
        answer = Response(body, status_code=page.status, media_type="text/html; charset=utf-8", headers=HEADERS)
        if asked in languages.LANGUAGES:
            answer.set_cookie(key=self._spoken, value=asked, max_age=YEAR, path="/", httponly=True, samesite="strict")
        return answer

    async def _user(self, request: AnyRequest) -> tokens.User | None:
        """Whoever is signed in, or whose token a program sends."""
        session = request.cookies.get(self._cookie)
        found = await self._rooms.call(sessions.find, self._site.database, session) if session else None
        token = authority.token_of(authority.headers_of(request.scope["headers"])) if found is None else None
        return await self._rooms.call(tokens.find, self._site.database, token) if token else found

    async def _login(self, request: AnyRequest) -> Response[bytes]:
        """A link is good once. The answer is a page that goes on by itself: after a redirect from elsewhere a strict cookie is not sent."""
        code = request.query_params.get("code", "")
        begin: Callable[[], str | None] = partial(self._site.database.write, lambda tx: sessions.begin(tx, code))
        session = await self._rooms.call(begin)
        if session is None:
            said = "this link was used already, or is older than a minute"
            return self._answer(request, _problem(403, said, "a new one: ciranda open"))
        answer = self._answer(request, Page("signed-in", "Signed in", {}, every=0))
        answer.set_cookie(
            key=self._cookie, value=session, max_age=sessions.SIGNED_IN, path="/", httponly=True, samesite="strict"
        )
        return answer

    async def _leave(self, request: AnyRequest) -> Response[bytes]:
        """Sign this browser out."""
        session = request.cookies.get(self._cookie, "")
        form = await request.form()
        if _foreign(request) or not sessions.sealed(session, str(form.get("seal", ""))):
            return self._answer(request, _problem(403, "this form is not of this session", "load the page again"))
        end: Callable[[], None] = partial(self._site.database.write, lambda tx: sessions.end(tx, session))
        await self._rooms.call(end)
        answer: Response[bytes] = Response(b"", status_code=303, headers={**HEADERS, "location": "/"})
        answer.delete_cookie(self._cookie, path="/")
        return answer

    async def _invite(self, request: AnyRequest) -> Response[bytes]:
        token = authority.token_of(authority.headers_of(request.scope["headers"]))
        user = await self._rooms.call(tokens.find, self._site.database, token) if token else None
        denied = authority.check_known(user, token)
        if denied or user is None:
            raise api.Forbidden(denied or authority.Denied(401, "a token is needed"))
        name, by = user.name, tokens.identity(token or "")
        make: Callable[[], str] = partial(self._site.database.write, lambda tx: sessions.invite(tx, name, token=by))
        code = await self._rooms.call(make)
        return api.answered({"code": code, "user": name, "seconds": sessions.INVITED})

    async def _events(self, request: AnyRequest) -> Response[Any]:
        if _foreign(request) or await self._user(request) is None:
            raise api.Forbidden(authority.Denied(401, "sign in first", "ciranda open"))
        if self.hub.full:
            raise errors.Unreachable("too many pages are open", hint="close some: they are live again by themselves")
        asked = request.query_params
        every, change = asked.get("every", ""), asked.get("change", "")

        async def there() -> bool:
            return await self._user(request) is not None

        return Stream(
            self.hub.stream(
                every=min(max(int(every), 1), SLOWEST) if every.isascii() and every.isdigit() and len(every) < 6 else 0,
                grows=self._lines(change) if _CHANGE.fullmatch(change) else None,
                there=there,
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
    return where not in ("same-origin", "none") and (how != "navigate" or request.method != "GET")
