"""`ciranda hold`: let no new release into an environment, or let them in again."""

import argparse
import json
import sys
from pathlib import Path

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import project as projects
from ciranda.environment import revisions
from ciranda.release import releases

EXAMPLE = '  ciranda hold prod --reason "the fair is on"\n  ciranda hold prod --release'


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("environment", metavar="ENVIRONMENT", help="which one: prod")
    parser.add_argument("--release", action="store_true", help="let new releases in again")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for everybody who asks")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")


def main(given: argparse.Namespace) -> int:
    """Ask the server; repair, restart and scaling go on while it is held."""
    home = homes.locate(given.home)
    with homes.opened(home) as (database, _):
        project = projects.choose(database, given.project, Path.cwd())
        answer = client.of_home(home).post(
            "hold", project=project, environment=given.environment, release=given.release, reason=given.reason
        )
        live = revisions.live(database, project, given.environment)
        release = "nothing" if live is None else releases.by_id(database, live.release).name
    name = given.environment
    if given.json:
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    elif given.release:
        text = f"{name} is open: new releases enter again" if answer["changed"] else f"{name} was not held"
        sys.stdout.write(text + "\n")
    elif answer["changed"]:
        sys.stdout.write(f"{name} is held at {release}: nothing new enters until  ciranda hold {name} --release\n")
    else:
        sys.stdout.write(f"{name} was held already; to let new releases in:  ciranda hold {name} --release\n")
    return 0
