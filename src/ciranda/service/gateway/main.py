"""The gateway process: `python -I -m ciranda.service.gateway.main STATE SOCKETS`.

It serves on the listening socket that it inherits (CIRANDA_LISTEN_FD), keeps duplicates of all that the keeper gave
it (CIRANDA_LISTENERS, JSON from name to descriptor) for the next keeper, and leaves on SIGTERM after what is in
flight.
"""

import asyncio
import gc
import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

import uvloop

from ciranda.kernel import log
from ciranda.service.counters import Counters
from ciranda.service.gateway.admin import Admin, Tables
from ciranda.service.gateway.client import ClientConnection
from ciranda.service.gateway.exchange import Gateway
from ciranda.service.gateway.force import IDLE, Force
from ciranda.service.gateway.instance import connect

_SWEEP = 0.5  # seconds between looks at what takes too long
BACKLOG = 4096


async def serve(state: Path, sockets: Path, listener: socket.socket, listeners: dict[str, int]) -> None:
    """Serve until SIGTERM or SIGINT, then until nothing is in flight."""
    loop = asyncio.get_running_loop()
    counters = Counters(state / "counters")
    if not counters.kept:
        _say("there is no room for the counters: they are not kept")
    force = Force(counters)
    tables = Tables(state / "routes.json", force)
    wrong = tables.begin()
    if wrong:
        _say(f"{wrong}; serial {force.serial} is in force")
    gateway = Gateway(loop, force, connect)
    clients: set[ClientConnection] = set()
    leaving = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leaving.set)
    server = await loop.create_server(lambda: ClientConnection(gateway, clients), sock=listener, backlog=BACKLOG)
    admin = Admin(loop, sockets / "gateway", tables, listeners, lambda: len(clients))
    while not leaving.is_set():
        _sweep(loop.time(), force, clients)
        try:
            async with asyncio.timeout(_SWEEP):
                await leaving.wait()
        except TimeoutError:
            continue
    server.close()
    gateway.closing = True
    while clients:
        for client in list(clients):
            client.drain()
        _sweep(loop.time(), force, clients)
        await asyncio.sleep(0.05)
    admin.close()


def _sweep(now: float, force: Force, clients: set[ClientConnection]) -> None:
    for client in list(clients):
        client.sweep(now)
    for upstream in force.upstreams.values():
        upstream.close_idle(now - IDLE + _SWEEP)


def _say(text: str) -> None:
    """A line in the gateway's log."""
    log.say(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}")


def main() -> None:
    """Run the process."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # every client and every instance takes one
    state, sockets = Path(sys.argv[1]), Path(sys.argv[2])
    listener = socket.socket(fileno=int(os.environ["CIRANDA_LISTEN_FD"]))
    listeners = json.loads(os.environ.get("CIRANDA_LISTENERS", "{}"))
    for descriptor in [listener.fileno(), *listeners.values()]:
        os.set_inheritable(descriptor, False)
    kept = {name: os.dup(descriptor) for name, descriptor in listeners.items()}
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # a request makes few cycles, and each look costs
    uvloop.run(serve(state, sockets, listener, kept))


if __name__ == "__main__":
    main()
