"""The ASGI application of control: the pages, the API and Git behind one check of host and origin."""

from pathlib import Path

from litestar import Litestar, asgi
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

from ciranda.web import (
    alerts,
    api,
    authority,
    configuration,
    data,
    exports,
    feedback,
    git,
    infra,
    people,
    reacting,
    rollouts,
)
from ciranda.web.pages import handlers as page_handlers
from ciranda.web.port import Control, Rooms


def build(
    control: Control,
    rooms: Rooms,
    *,
    port: int,
    lines: Path,
    windows: Path,
    pages: page_handlers.Pages | None = None,
) -> Litestar:
    """`port` is where it listens; `lines` the folder of the changes' lines; `windows` a private folder for the hooks of pushes.

    Without `pages` there are the API and Git alone.
    """
    server = git.Git(control, rooms, windows)

    @asgi("/git", is_mount=True, copy_scope=True)
    async def git_mount(scope: Scope, receive: Receive, send: Send) -> None:
        await server(scope, receive, send)  # type: ignore[arg-type]

    acts = api.Api(control, rooms, lines)
    backend = infra.Backend(acts)

    @asgi("/api/v1/terraform", is_mount=True, copy_scope=True)
    async def terraform(scope: Scope, receive: Receive, send: Send) -> None:
        await backend(scope, receive, send)  # type: ignore[arg-type]

    known = authority.addresses(port)

    def guarded(app: ASGIApp) -> ASGIApp:
        async def guard(scope: Scope, receive: Receive, send: Send) -> None:
            denied = authority.check_source(authority.headers_of(scope["headers"]), known)
            if denied:
                raise api.Forbidden(denied)
            await app(scope, receive, send)

        return guard

    return Litestar(
        [
            git_mount,
            terraform,
            *acts.handlers(),
            *data.Data(acts).handlers(),
            *configuration.Configuration(acts).handlers(),
            *rollouts.Rollouts(acts).handlers(),
            *infra.Infra(acts).handlers(),
            *people.People(acts).handlers(),
            *alerts.Alerting(acts).handlers(),
            *feedback.Feedback(acts).handlers(),
            *reacting.Reacting(acts).handlers(),
            *exports.Exports(acts).handlers(),
            *(pages.handlers(control) if pages else ()),
        ],
        middleware=[guarded],
        exception_handlers=api.HANDLERS | ({HTTPException: pages.unknown} if pages else {}),
        openapi_config=None,
        request_max_body_size=api.LARGEST,
        logging_config=None,
    )
