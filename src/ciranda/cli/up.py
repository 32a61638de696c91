"""`ciranda up`: the server of a home."""

import argparse
import json
import signal
import sys
from dataclasses import asdict

from ciranda.app import home as homes
from ciranda.app import up
from ciranda.kernel import errors
from ciranda.version import __version__

EXAMPLE = """\
  ciranda up              # stays here; Ctrl-C drains and stops everything
  ciranda up --detach     # goes to the background; stop it with: ciranda down"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "--port",
        type=_port,
        default=up.PORT,
        help=f"where the API and Git listen, on loopback (default {up.PORT}; 0: any)",
    )
    parser.add_argument(
        "--gateway-port",
        type=_port,
        default=up.GATEWAY_PORT,
        metavar="PORT",
        help=f"where services answer, on loopback (default {up.GATEWAY_PORT}; 0: any)",
    )
    parser.add_argument("--ledger", metavar="URL", help="keep the ledger of a new home in PostgreSQL: postgresql://…")
    parser.add_argument("--detach", action="store_true", help="go to the background once everything answers")


def main(given: argparse.Namespace) -> int:
    """0 when it was stopped, or is up in the background."""
    home = homes.locate(given.home)
    server = up.running(home) if home.root.exists() else None
    if server is not None:
        return _already(given, home, server)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    server, keeper = up.start(up.Asked(home, given.port, given.gateway_port, given.ledger), _say)
    if given.detach:
        _print(given, home, server, "up")
        keeper.returncode = 0  # it stays, and is nobody's child from here on
        return 0
    try:
        _print(given, home, server, "up")
        return up.watch(home, keeper, _say)
    except KeyboardInterrupt:
        _say("stopping: requests in flight are finished first (again: at once)")
        up.stop(home)
        return 0


def _already(given: argparse.Namespace, home: homes.Home, server: up.Server) -> int:
    asked = {
        f"http://{up.HOST}:{port}"
        for port, usual in ((given.port, up.PORT), (given.gateway_port, up.GATEWAY_PORT))
        if port not in (0, usual)
    }
    elsewhere = asked - {server.url, server.gateway}
    if elsewhere:
        raise errors.Refused(
            f"it is up already, at {server.url} and {server.gateway} (process {server.pid})",
            where=up.shown(home.root),
            hint="stop it first: ciranda down       another home: ciranda up --home DIR",
        )
    _print(given, home, server, "up already")
    return 0


def _print(given: argparse.Namespace, home: homes.Home, server: up.Server, state: str) -> None:
    if given.json:
        facts = {"state": state, "home": str(home.root), "token": str(home.token), **asdict(server)}
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
        return
    chosen = "" if home.root == homes.locate().root else f" --home {up.typed(home.root)}"
    sys.stdout.write(
        f"ciranda {__version__} is {state}       home {up.shown(home.root)}, process {server.pid}\n"
        f"  API and Git  {server.url}       the page: ciranda open{chosen}\n"
        f"  services     {server.gateway}\n"
        f"  token        {up.shown(home.token)}\n"
        f"next: ciranda init       then: git push ciranda main       see: ciranda status{chosen}\n"
    )
    if state == "up" and not given.detach:
        sys.stdout.write("\nCtrl-C stops everything\n")
    sys.stdout.flush()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return int(text)


def _interrupt(_number: int, _frame: object) -> None:
    """A closed terminal and SIGTERM stop the server as Ctrl-C does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise KeyboardInterrupt
