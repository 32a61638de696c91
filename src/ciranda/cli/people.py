"""What the verbs about people share: which server they ask, and how a moment and a role are said."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ciranda.access.roles import ALL, Grant
from ciranda.app import client, logins, remote
from ciranda.app import home as homes
from ciranda.kernel import errors


def server_option(parser: argparse.ArgumentParser) -> None:
    """`--server`."""
    parser.add_argument(
        "--server", metavar="URL", help="a server that you signed in to (default: the project's, else the home's)"
    )


def server(given: argparse.Namespace) -> client.Client:
    """The server that is meant. Raises errors.Refused where nobody has signed in to it from here."""
    home = homes.locate(given.home)
    if not given.server:
        return remote.asked(Path.cwd(), home)
    url = logins.address(given.server)
    token = logins.token(url)
    if token is None:
        raise errors.Refused("you have not signed in there", where=url, hint=f"ciranda login {url}")
    return client.Client(url, token)


def place(grant: dict[str, Any]) -> str:
    """`operator in flights/prod`, `admin of everything`."""
    if (grant["project"], grant["environment"]) == (ALL, ALL):
        return f"{grant['role']} of everything"
    return f"{grant['role']} in {Grant(grant['project'], grant['environment'], grant['role']).place}"


def day(at_us: int) -> str:
    """`2026-11-23 14:02`, UTC."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
