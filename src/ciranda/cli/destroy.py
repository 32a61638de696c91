"""`ciranda destroy`: take everything out of an environment; its history stays."""

import argparse
import json
import os
import sys
from pathlib import Path

from ciranda.app import client, nearest
from ciranda.app import home as homes
from ciranda.app.views import plan as views
from ciranda.app.views import project as projects
from ciranda.cli import furnished, moving
from ciranda.environment import plans
from ciranda.environment.infra import runs
from ciranda.kernel import errors

EXAMPLE = "  ciranda destroy -e prod\n  ciranda destroy -e prod --yes"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("-e", "--environment", metavar="NAME", required=True, help="the environment")
    parser.add_argument("--yes", action="store_true", help="do not ask for its name")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    moving.arguments(parser)


def main(given: argparse.Namespace) -> int:
    """Show what goes, ask for the environment's name, and wait. 0: it is gone, 1: it is not."""
    home = homes.locate(given.home)
    with homes.opened(home) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        furnished.plan(home, database, store, project, given.environment, None)
        found = views.destruction(database, store, project, given.environment)
        shown = "\n".join(views.lines(found)) + "\n"
        if found.plan.empty:
            sys.stdout.write(json.dumps(found.document(), ensure_ascii=False) + "\n" if given.json else shown)
            return 0
        name = database.write(lambda tx: plans.save(tx, found.plan, actor=nearest.actor()))
        if not given.json:
            sys.stdout.write(shown)
            sys.stdout.flush()
        if not given.yes:
            confirm(given.environment)
        answer = client.of_home(home).post("destroy", project=project, environment=given.environment, plan=name)
        ended = moving.finish(given, database, answer)
        run = runs.changing(database, project, given.environment)
        if ended == 0 and run is not None and run.destroy:
            furnished.ended(database, run.id, given.environment, timeout=given.timeout)
            if not given.json:
                sys.stdout.write(f"{given.environment}: its infrastructure is gone\n")
        return ended


def confirm(environment: str) -> None:
    """Ask for the name of what goes. Raises errors.Refused for anything else, errors.Usage where nobody can be asked."""
    if not sys.stdin.isatty() or os.environ.get("CI"):
        raise errors.Usage(
            f"nobody can be asked whether {environment} goes", hint=f"ciranda destroy -e {environment} --yes"
        )
    sys.stderr.write(f"to destroy it, type its name: {environment}\n> ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != environment:
        raise errors.Refused(f"that is not {environment}: nothing was done")
