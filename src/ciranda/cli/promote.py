"""`ciranda promote`: plan a release for an environment and apply the plan."""

import argparse
from pathlib import Path

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import project as projects
from ciranda.cli import moving

EXAMPLE = "  ciranda promote r42 -e prod"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("release", metavar="RELEASE", help="r42 or a digest")
    parser.add_argument("-e", "--environment", metavar="NAME", required=True, help="the environment")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    moving.arguments(parser)


def main(given: argparse.Namespace) -> int:
    """Ask the server and wait. 0: it is live, 1: it may not enter, or could not be reached."""
    home = homes.locate(given.home)
    with homes.opened(home) as (database, _):
        project = projects.choose(database, given.project, Path.cwd())
        answer = client.of_home(home).post(
            "promote", project=project, environment=given.environment, release=given.release
        )
        return moving.finish(given, database, answer)
