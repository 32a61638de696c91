"""`ciranda status`: the one screen that tells the state of the loop."""

import argparse
import json
import sys
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app.views import screen, status

EXAMPLE = "  ciranda status\n  ciranda status -e prod --json"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("-e", "--environment", metavar="NAME", help="only this environment")
    parser.add_argument("--project", metavar="NAME", help="only this project (default: all of the home)")


def main(given: argparse.Namespace) -> int:
    """Print the state; no server is needed."""
    home = homes.locate(given.home)
    with homes.opened(home) as (database, _):
        found = status.gather(home, database, given.project, environment=given.environment, folder=Path.cwd())
    if given.json:
        sys.stdout.write(json.dumps(found.document(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(screen.lines(found)) + "\n")
    return 0
