"""The server of ASGI applications: `python -I -m ciranda.runtime.asgi module:name DRAIN`, after instance contract 1.

uvicorn answers on CIRANDA_SOCKET once the application's lifespan has begun. The application is as it is elsewhere: its
`root_path` is CIRANDA_BASE_PATH, its client and scheme are what the gateway says they are.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import ipaddress
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Iterable, MutableMapping
from pathlib import Path
from typing import Any, Callable

import uvicorn

from ciranda.runtime import describe, output, traces

OWN_END = 2.0  # seconds of the drain that are the application's, after the last request; of a short one a quarter
IDLE = 30  # seconds without a request after which a connection is closed; the gateway closes its own before

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Callable[..., Awaitable[Any]], Callable[..., Awaitable[Any]]], Awaitable[Any]]


class Unservable(Exception):
    """What cannot be served; the message says why."""


class Forwarded:
    """An application whose client and scheme are the gateway's: nobody else reaches the socket.

    The client is the last address of X-Forwarded-For that is not this machine's: what stands before it may be made up.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] in ("http", "websocket"):
            headers = dict(scope["headers"])
            secure = headers.get(b"x-forwarded-proto") == b"https"
            plain = "http" if scope["type"] == "http" else "ws"
            scope["scheme"] = f"{plain}s" if secure else plain
            sent = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
            address = client(",".join(sent).split(","))
            scope["client"] = None if address is None else (address, 0)
        await self._application(scope, receive, send)


def client(forwarded: Iterable[str]) -> str | None:
    """Whose request it is, from the addresses that it was sent on for; None: nobody says."""
    here = None
    for said in reversed([one.strip() for one in forwarded]):
        try:
            address = ipaddress.ip_address(said.strip("[]"))
        except ValueError:
            break  # whatever stands before it cannot be trusted either
        here = str(address)
        if not address.is_loopback:
            break
    return here


def load(name: str) -> Application:
    """The application "module:name", or what the function of that name makes. Raises Unservable, or what the module raises."""
    module, _, attribute = name.partition(":")
    there = importlib.import_module(module)
    if not attribute or not hasattr(there, attribute):
        raise Unservable(f"{module} has no {attribute or 'application'}")
    found = getattr(there, attribute)
    if _taken(found) == 0:
        found = found()
    if not callable(found):
        raise Unservable(f"it is of the type {type(found).__name__}, which is not an ASGI application")
    taken = _taken(found)
    if taken == 2:
        raise Unservable(
            "it takes what WSGI gives, and an app is ASGI; a command serves WSGI, with a server of its own"
        )
    if taken not in (3, None):
        raise Unservable(f"an ASGI application takes scope, receive and send; it takes {taken} values")
    return found  # type: ignore[no-any-return]


def _taken(found: Any) -> int | None:
    """How many values it has to be called with; None where that is not told."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    variable = any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters)
    return None if variable else sum(1 for one in parameters if one.kind in positional and one.default is one.empty)


def server(application: Application, socket: Path, base: str, drain: float) -> uvicorn.Server:
    """uvicorn for one application. After SIGTERM it finishes what is in flight, and leaves within `drain` seconds."""
    return uvicorn.Server(
        uvicorn.Config(
            Forwarded(application),
            uds=str(socket),
            root_path=base,
            interface="asgi3",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=IDLE,
            timeout_graceful_shutdown=max(1, int(drain - min(OWN_END, drain / 4))),
        )
    )


def _said_already(record: logging.LogRecord) -> bool:
    """The last line of a log is how the end of an instance is told: the reason, not that it ends."""
    return record.getMessage() != "Application startup failed. Exiting."


def _leave(_number: int, _frame: object) -> None:
    sys.exit(0)


def main() -> int:
    """Load, bind, answer; 0 after a clean end, 1 where the application cannot start."""
    began = time.perf_counter()
    output.by_line()
    tree = Path.cwd()
    describe.enter(describe.roots(tree))
    if len(sys.argv) != 3 or "CIRANDA_SOCKET" not in os.environ:
        _say("usage: CIRANDA_SOCKET=PATH python -I -m ciranda.runtime.asgi module:name DRAIN")
        return 64
    name, drain = sys.argv[1], float(sys.argv[2])
    try:
        application = load(name)
    except Unservable as error:
        _say(f"{name} cannot be served: {error}")
        return 1
    except BaseException as error:  # noqa: BLE001 - importing the user's module
        _say(traces.shown(error, str(tree)))
        return 1
    _say(f"{name} loaded in {time.perf_counter() - began:.1f} s")
    logging.getLogger("uvicorn.error").addFilter(_said_already)
    running = server(application, Path(os.environ["CIRANDA_SOCKET"]), os.environ.get("CIRANDA_BASE_PATH", ""), drain)
    signal.signal(signal.SIGTERM, _leave)  # uvicorn has its own while it runs, and raises the signal again at the end
    with contextlib.suppress(SystemExit):  # ours at the end, or uvicorn's where the application does not start
        running.run()
    return 0 if running.started else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the service's log


if __name__ == "__main__":
    sys.exit(main())
