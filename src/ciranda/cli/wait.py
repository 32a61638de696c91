"""`ciranda wait`: wait until a release is live somewhere."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app.views import project as projects
from ciranda.app.views import waiting

EXAMPLE = "  ciranda wait r42 -e prod\n  ciranda wait r42 -e prod --timeout 60"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("release", metavar="RELEASE", help="r42 or a digest")
    parser.add_argument("-e", "--environment", metavar="NAME", required=True, help="the environment")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="give up after (600)")


def main(given: argparse.Namespace) -> int:
    """0: it is live; 1: it failed, another took its place, or the time is over."""
    with homes.opened(homes.locate(given.home)) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        ended = waiting.for_release(database, store, project, given.release, given.environment, timeout=given.timeout)
    if given.json:
        sys.stdout.write(json.dumps(asdict(ended), ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(ended.text + "\n")
    return 0 if ended.state == "reached" else 1
