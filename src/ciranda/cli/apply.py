"""`ciranda apply`: do what a plan says, and nothing else."""

import argparse

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import saved
from ciranda.cli import moving

EXAMPLE = """\
  ciranda plan -e prod --out prod.plan
  ciranda apply prod.plan
  ciranda apply b3:9ad1c0"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "plan", metavar="FILE|DIGEST", help="what `plan --out` wrote, or a plan's digest or its beginning"
    )
    moving.arguments(parser)


def main(given: argparse.Namespace) -> int:
    """Ask the server, which makes the plan anew and refuses another one, and wait. 0: it is so, 1: it is not."""
    home = homes.locate(given.home)
    name = saved.named(given.plan)
    with homes.opened(home) as (database, _):
        return moving.finish(given, database, client.of_home(home).post("apply", plan=name))
