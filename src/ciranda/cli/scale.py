"""`ciranda scale`: set how many instances of a service run."""

import argparse
import json
import sys
import time
from pathlib import Path

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import project as projects
from ciranda.app.views import waiting

EXAMPLE = "  ciranda scale delays 3 -e prod"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("service", metavar="SERVICE", help="which one of the environment")
    parser.add_argument("instances", type=int, metavar="N", help="how many processes, from 1")
    parser.add_argument("-e", "--environment", metavar="NAME", required=True, help="the environment")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="how long to wait (120)")


def main(given: argparse.Namespace) -> int:
    """Ask the server and wait until it is so. 0: it is, 1: it could not be, or not in time."""
    home = homes.locate(given.home)
    began = time.monotonic()
    with homes.opened(home) as (database, _):
        project = projects.choose(database, given.project, Path.cwd())
        answer = client.of_home(home).post(
            "scale",
            project=project,
            environment=given.environment,
            service=given.service,
            instances=given.instances,
        )["to"]
        ended = waiting.for_revision(database, answer["id"], timeout=given.timeout)
    seconds = round(time.monotonic() - began, 2)
    done = ended.state == "reached"
    if given.json:
        said = answer | {"state": ended.state, "reason": ended.reason, "seconds": seconds}
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    elif done:
        sys.stdout.write(f"{ended.name}: {given.service} runs {given.instances} times after {seconds:.1f} s\n")
    else:
        why = ended.reason or f"it is not so after {given.timeout:g} s; see: ciranda status -e {given.environment}"
        sys.stdout.write(f"{ended.name}: {given.service} was not scaled to {given.instances}: {why}\n")
    return 0 if done else 1
