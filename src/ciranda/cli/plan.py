"""`ciranda plan`: what a release would change in an environment, under a digest by which it can be approved and applied."""

import argparse
import json
import sys
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app import nearest
from ciranda.app.views import plan as views
from ciranda.app.views import project as projects
from ciranda.app.views import saved
from ciranda.cli import furnished
from ciranda.environment import plans
from ciranda.release import releases

EXAMPLE = """\
  ciranda plan -e prod         # the newest release; ends with 2 where there is something to do
  ciranda plan -e prod r42 --out prod.plan
  ciranda apply prod.plan"""
SOMETHING = 2


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("release", nargs="?", metavar="RELEASE", help="r42 or a digest (default: the newest one)")
    parser.add_argument("-e", "--environment", metavar="NAME", required=True, help="the environment")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write a file that names the plan, for `ciranda apply FILE`"
    )
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")


def main(given: argparse.Namespace) -> int:
    """0: nothing to do, 2: something to do."""
    home = homes.locate(given.home)
    with homes.opened(home) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        newest = releases.latest(database, project)
        wanted = given.release or (None if newest is None else newest.name)
        if wanted is not None:
            furnished.plan(home, database, store, project, given.environment, wanted)
        found = views.gather(database, store, project, given.environment, given.release, folder=home.repositories)
        if not found.plan.empty or given.out:
            database.write(lambda tx: plans.save(tx, found.plan, actor=nearest.actor()))
    if given.out:
        saved.write(given.out, found.plan)
    if given.json:
        sys.stdout.write(json.dumps(found.document(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(views.lines(found)) + "\n")
    return 0 if found.plan.empty else SOMETHING
