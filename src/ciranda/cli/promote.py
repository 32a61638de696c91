"""`ciranda promote`: plan a release for an environment and apply the plan."""

import argparse
import sys
from pathlib import Path

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import project as projects
from ciranda.cli import furnished, moving

EXAMPLE = '  ciranda promote r42 -e prod\n  ciranda promote r42 -e prod --emergency "late flights are scored as early"'


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("release", metavar="RELEASE", help="r42 or a digest")
    parser.add_argument("-e", "--environment", metavar="NAME", required=True, help="the environment")
    parser.add_argument(
        "--emergency",
        metavar="REASON",
        default="",
        help="enter past a freeze, a hold, approvals and the environment before; it is recorded until somebody else has reviewed it",
    )
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    moving.arguments(parser)


def main(given: argparse.Namespace) -> int:
    """Ask the server and wait. 0: it is live, 1: it may not enter, or could not be reached."""
    home = homes.locate(given.home)
    with homes.opened(home) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        furnished.plan(home, database, store, project, given.environment, given.release)
        asked = {"environment": given.environment, "release": given.release, "emergency": given.emergency}
        answer = client.of_home(home).post("promote", project=project, **asked)
        ended = moving.finish(given, database, answer)
    if given.emergency and not given.json:
        sys.stdout.write("\n".join(lines(answer.get("emergency"))) + "\n")
    return ended


def lines(told: dict[str, object] | None) -> list[str]:
    """What was passed, and who is to look at it."""
    if told is None:
        return ["nothing stood in the way: no emergency was recorded"]
    passed = told["passed"]
    assert isinstance(passed, list)
    return [*(f"passed: {text}" for text in passed), f"somebody else reviews it: ciranda approve {told['name']}"]
