"""`ciranda plan`: what a release would change in an environment."""

import argparse
import json
import sys
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app.views import plan as plans
from ciranda.app.views import project as projects
from ciranda.environment import plan

EXAMPLE = "  ciranda plan -e prod         # the newest release\n  ciranda plan -e prod r42"
SOMETHING = 2


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("release", nargs="?", metavar="RELEASE", help="r42 or a digest (default: the newest one)")
    parser.add_argument("-e", "--environment", metavar="NAME", required=True, help="the environment")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")


def main(given: argparse.Namespace) -> int:
    """0: nothing to do, 2: something to do."""
    with homes.opened(homes.locate(given.home)) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        found = plans.gather(database, store, project, given.environment, given.release)
    if given.json:
        sys.stdout.write(json.dumps(found.document(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(plan.lines(found)) + "\n")
    return SOMETHING if found.changes else 0
