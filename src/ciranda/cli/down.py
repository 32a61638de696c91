"""`ciranda down`: stop the server of a home."""

import argparse
import json
import sys

from ciranda.app import home as homes
from ciranda.app import up

EXAMPLE = "  ciranda down            # finishes what is in flight, then stops services, gateway and control"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb has no options of its own."""


def main(given: argparse.Namespace) -> int:
    """0 when nothing of it runs any more."""
    home = homes.locate(given.home)
    stopped = up.stop(home) if home.root.exists() else False
    if given.json:
        sys.stdout.write(json.dumps({"home": str(home.root), "stopped": stopped}) + "\n")
    else:
        said = "is down; nothing of it runs" if stopped else "was not up"
        sys.stdout.write(f"ciranda {said}       home {up.shown(home.root)}\n")
    return 0
