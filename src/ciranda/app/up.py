"""Bringing the server of a home up and down: the keeper is started, and what it keeps is waited for."""

import json
import os
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ciranda.access import tokens
from ciranda.app import client
from ciranda.app import home as homes
from ciranda.kernel import errors, files, process, sockets
from ciranda.service import children, logs
from ciranda.versions import repositories

HOST = "127.0.0.1"  # beyond loopback there is no listening without TLS, which is not built yet
PORT, GATEWAY_PORT = 7700, 7780
KEEPER = "ciranda.service.keeper"
PATIENCE = 60.0  # seconds for control and gateway to answer
ASK = 5.0  # seconds for one answer of the keeper
LOOK = 0.02  # seconds between looks for the keeper's socket
TRIES = 3  # starts of a role that are waited for


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: its two addresses, its keeper, and since when (µs UTC); as `state/server.json` has it."""

    url: str
    gateway: str
    pid: int
    since: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What `up` was asked for; port 0 is any free one."""

    home: homes.Home
    port: int = PORT
    gateway_port: int = GATEWAY_PORT
    ledger: str | None = None


def keeper_config(asked: Asked) -> dict[str, Any]:
    """What the keeper keeps for a home (its format is told in `service/keeper.py`)."""
    home, python = asked.home, [sys.executable, "-I", "-m"]
    root = str(home.root)
    gateway = [*python, "ciranda.service.gateway.main", str(home.state), str(home.sockets)]
    return {
        "format": "ciranda.keeper/1",
        "home": root,
        "state": str(home.state),
        "logs": str(home.logs),
        "sockets": str(home.sockets),
        "roles": [
            {"name": "gateway", "argv": gateway, "listen": [HOST, asked.gateway_port]},
            {"name": "control", "argv": [*python, "ciranda.web.main", "--home", root], "listen": [HOST, asked.port]},
            {"name": "runner", "argv": [*python, "ciranda.app.runner", "--home", root]},
        ],
    }


def running(home: homes.Home) -> Server | None:
    """The server of a home, if its keeper answers."""
    try:
        return _server(sockets.ask(home.sockets / "keeper", {"type": "list"}, ASK))
    except errors.Unreachable:
        return None


def start(asked: Asked, report: Callable[[str], None]) -> tuple[Server, subprocess.Popen[bytes]]:
    """Prepare the home, start its keeper, and wait until control and gateway answer. `report` gets lines for people.

    Raises errors.Refused when a port is taken, errors.Unreachable when something does not start; then nothing is left running.
    """
    home = asked.home
    repositories.check_git()
    if asked.port == asked.gateway_port != 0:
        raise errors.Usage(
            f"the server and the gateway cannot share port {asked.port}", hint="give two: --port, --gateway-port"
        )
    for port in (asked.port, asked.gateway_port):
        _refuse_neighbour(port, home)
    if asked.ledger and (home.root / "format").exists() and asked.ledger != home.ledger_url:
        raise errors.Refused(
            "a home keeps the ledger that it was made with",
            where=shown(home.root),
            hint="another home: ciranda up --home DIR --ledger URL",
        )
    if (copied := homes.upgrade(home)) is not None:
        report(f"this home was made by an older Ciranda: it is up to date now, its former ledger is {copied}")
    homes.create(home, asked.ledger)
    with homes.opened(home) as (database, _):
        tokens.first_token(database, home.token)
    files.write_atomic(home.state / "keeper.json", json.dumps(keeper_config(asked), indent=1).encode(), mode=0o600)
    keeper = start_keeper(home)
    try:
        server = _keeper_answers(home, keeper)
        _write_known(home, server)
        _all_answer(home, server)
    except BaseException:  # also Ctrl-C: nothing that was begun is left behind
        stop_keeper(keeper)
        raise
    return server, keeper


def start_keeper(home: homes.Home) -> subprocess.Popen[bytes]:
    """Start the keeper that `state/keeper.json` tells of, in a session of its own: the terminal's Ctrl-C is not for it."""
    argv = [sys.executable, "-I", "-m", KEEPER, str(home.state / "keeper.json")]
    with open(home.logs / "keeper.log", "ab") as log:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home.root, start_new_session=True
        )


def stop_keeper(keeper: subprocess.Popen[bytes]) -> int:
    """Drain everything and wait for the end of it; Ctrl-C meanwhile kills what has not left."""
    keeper.terminate()
    try:
        return keeper.wait()
    except KeyboardInterrupt:
        keeper.terminate()
        return keeper.wait()


def watch(home: homes.Home, keeper: subprocess.Popen[bytes], say: Callable[[str], None]) -> int:
    """Stay until the server ends; a keeper that was killed is started again, and adopts what lives."""
    while (status := keeper.wait()) < 0:
        say(f"the keeper was ended by signal {-status}; it is started again")
        keeper = start_keeper(home)
        _write_known(home, _keeper_answers(home, keeper))
    return status


def stop(home: homes.Home) -> bool:
    """Drain and stop the server of a home and wait for the end of it (Ctrl-C: kill what is left); False: there was none."""
    server = running(home)
    if server is not None:
        with _ended(server.pid) as wait:
            sockets.ask(home.sockets / "keeper", {"type": "stop"}, ASK)
            try:
                wait()
            except KeyboardInterrupt:
                sockets.ask(home.sockets / "keeper", {"type": "stop"}, ASK)
                wait()
        return True
    if not _has_orphans(home):
        return False
    keeper = start_keeper(home)  # the keeper was killed: a new one adopts what lives, to end it in order
    _keeper_answers(home, keeper)
    stop_keeper(keeper)
    return True


def neighbour(port: int) -> tuple[Path, Server] | None:
    """The home and the server of a Ciranda of this user's that listens on this port."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError, ValueError, KeyError, TypeError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if KEEPER.encode() not in words:
                continue
            home = Path(json.loads(Path(os.fsdecode(words[words.index(KEEPER.encode()) + 1])).read_bytes())["home"])
            server = Server(**json.loads((home / "state" / "server.json").read_bytes()))
            if server.pid == int(entry.name) and port in (urlsplit(server.url).port, urlsplit(server.gateway).port):
                return home, server
    return None


def shown(path: Path) -> str:
    """A path as people write it."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def typed(path: Path) -> str:
    """A path as a shell takes it."""
    plain = shlex.quote(str(path)) == str(path)
    return shown(path) if plain else shlex.quote(str(path))


def _refuse_neighbour(port: int, home: homes.Home) -> None:
    found = neighbour(port) if port else None
    if found is None or found[0] == home.root:
        return
    other, server = found
    since = time.strftime("%H:%M", time.localtime(server.since / 1e6))
    raise errors.Refused(
        f"port {port} is taken by ciranda (process {server.pid}, home {shown(other)}, up since {since})",
        hint=f"use it: ciranda status --home {typed(other)}       "
        f"beside it: ciranda up --home DIR --port {PORT + 10} --gateway-port {GATEWAY_PORT + 10}",
    )


def _server(listed: Mapping[str, Any]) -> Server:
    at = listed["listen"]
    return Server(_url(at["control"]), _url(at["gateway"]), int(listed["pid"]), int(listed["started_us"]))


def _url(address: tuple[str, int]) -> str:
    return f"http://{address[0]}:{address[1]}"


def _keeper_answers(home: homes.Home, keeper: subprocess.Popen[bytes]) -> Server:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        server = running(home)
        if server is not None and server.pid == keeper.pid:
            return server
        with suppress(subprocess.TimeoutExpired):
            keeper.wait(LOOK)
            what, _, hint = _last_line(home, "keeper").partition("  ")
            raise errors.Refused(what, hint=hint or f"see {shown(home.logs / 'keeper.log')}")
    raise errors.Unreachable("the keeper does not answer", where=shown(home.logs / "keeper.log"))


def _write_known(home: homes.Home, server: Server) -> None:
    files.write_atomic(home.state / "server.json", json.dumps(asdict(server)).encode())


def _all_answer(home: homes.Home, server: Server) -> None:
    """Wait for control and gateway, whose sockets listen already; one that starts again and again is given up."""
    until, starts = time.monotonic() + PATIENCE, dict[str, set[str]]()
    waiting: dict[str, Callable[[], object]] = {
        "gateway": lambda: sockets.ask(home.sockets / "gateway", {"type": "state"}, 1.0),
        "control": lambda: client.Client(server.url, timeout=1.0).get("version"),
    }
    while waiting:
        for name, ask in list(waiting.items()):
            with suppress(errors.Unreachable):
                ask()
                del waiting[name]
        for child in sockets.ask(home.sockets / "keeper", {"type": "list"}, ASK)["children"]:
            starts.setdefault(child["role"], set()).add(child["id"])
        failed = [name for name in waiting if len(starts.get(name, ())) > TRIES or time.monotonic() > until]
        if failed:
            hint = f"see {shown(home.logs / failed[0])}.log"
            raise errors.Unreachable(
                f"{failed[0]} does not start: {_last_line(home, failed[0])}", where=shown(home.root), hint=hint
            )
        if waiting:
            time.sleep(LOOK)


def _last_line(home: homes.Home, name: str) -> str:
    lines = [line.text for line in logs.tail(home.logs / f"{name}.log", 100) if line.text.strip()]
    return lines[-1] if lines else "it said nothing"


@contextmanager
def _ended(pid: int) -> Iterator[Callable[[], object]]:
    """Yields what waits for the end of a process that is not our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield lambda: None
        return
    try:
        yield lambda: select.select([descriptor], [], [])
    finally:
        os.close(descriptor)


def _has_orphans(home: homes.Home) -> bool:
    recorded = home.state / "children.json"
    known = (home.state / "keeper.json").exists() and recorded.exists()
    return known and any(process.alive(child.identity) for child in children.load(recorded))
