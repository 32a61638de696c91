"""`ciranda clone`: an environment outside of the promotion chain, made from what another one runs."""

import argparse
from pathlib import Path

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import project as projects
from ciranda.cli import config

EXAMPLE = "  ciranda clone prod staging\n  ciranda clone prod staging --secrets"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("environment", metavar="ENVIRONMENT", help="what is cloned: prod")
    parser.add_argument("to", metavar="NAME", help="the new environment: staging")
    parser.add_argument("--secrets", action="store_true", help="copy its secrets too; else they are set before")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--detach", action="store_true", help="do not wait until it is live")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="how long to wait (120)")


def main(given: argparse.Namespace) -> int:
    """0: the new environment is live; 1: it is not."""
    home = homes.locate(given.home)
    with homes.opened(home) as (database, _):
        project = projects.choose(database, given.project, Path.cwd())
        asked = {"to": given.to, "secrets": given.secrets}
        answer = client.of_home(home).post("clone", project=project, environment=given.environment, **asked)
        return config.follow(given, database, answer, f"{answer['to']['release']} as in {answer['from']['name']}", "")
