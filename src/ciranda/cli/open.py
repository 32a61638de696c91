"""`ciranda open`: the page, in a browser that is signed in."""

import argparse
import json
import sys

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.kernel import errors

EXAMPLE = (
    "  ciranda open\n  ciranda open --print      # a link for another browser on this machine, good once, for a minute"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--print", action="store_true", help="print the link instead of opening a browser")


def main(given: argparse.Namespace) -> int:
    """Ask the server for a link that is good once, and open it."""
    asked = client.of_home(homes.locate(given.home))
    made = asked.post("invitations")
    link = f"{asked.url}/login?code={made['code']}"
    if given.json:
        sys.stdout.write(json.dumps({"url": link, "user": made["user"], "seconds": made["seconds"]}) + "\n")
        return 0
    if given.print:
        sys.stdout.write(f"{link}\n")
        return 0
    import webbrowser

    if not webbrowser.open(link):
        raise errors.Refused("no browser could be opened here", hint="print the link: ciranda open --print")
    sys.stdout.write(f"{asked.url} is open in your browser, signed in as {made['user']}\n")
    return 0
