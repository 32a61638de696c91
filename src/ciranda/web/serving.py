"""Serving: the application on a listener that is there already, and the `control` socket beside it."""

import socket
from collections.abc import Callable, Sequence

import uvicorn

from ciranda.versions import repositories
from ciranda.web import application, local
from ciranda.web.pages import handlers, site
from ciranda.web.port import Control, Rooms

GRACE = 1  # seconds for requests under way when control is asked to stop; a window that is cut off loses nothing but its view


def serve(acts: Control, looked_at: site.Site, listener: socket.socket) -> None:
    """Answer on the listener and on the `control` socket until a signal ends it; `looked_at` is what the pages show."""
    home, port = looked_at.home, listener.getsockname()[1]
    repositories.sweep(home.repositories)
    rooms = Rooms()
    pages = handlers.Pages(looked_at, rooms, port=port)
    windows = local.LocalServer(
        home.sockets / "control", {"push": acts.record_push, "ping": lambda _request: {"ok": True}}
    )
    try:
        looked_at.traffic.start()
        app = application.build(acts, rooms, port=port, lines=home.lines, windows=home.state / "windows", pages=pages)
        server(app, rooms.leave, pages.hub.leave).run(sockets=[listener])
    finally:
        pages.hub.close()
        looked_at.traffic.stop()
        windows.close()
        rooms.close()


class Server(uvicorn.Server):
    """uvicorn that says when it begins to leave: streams that would never end can end then."""

    def __init__(self, config: uvicorn.Config, leaving: Sequence[Callable[[], None]]) -> None:
        super().__init__(config)
        self._leaving = leaving

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for leave in self._leaving:
            leave()
        await super().shutdown(sockets)


def server(app: object, *leaving: Callable[[], None]) -> uvicorn.Server:
    """uvicorn as control runs it: no access log, no WebSockets, no header of its own. `leaving` is called when it begins to stop."""
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        access_log=False,
        log_config=None,
        lifespan="off",
        ws="none",
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=30,
    )
    return Server(config, leaving)
