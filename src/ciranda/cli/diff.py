"""`ciranda diff`: what is different between releases, environments or runs."""

import argparse
import json
import sys
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app.views import diff
from ciranda.app.views import project as projects
from ciranda.kernel import errors

EXAMPLE = """\
  ciranda diff                  # the last run and the one before it
  ciranda diff r41 r42
  ciranda diff test prod
  ciranda diff prod#16 prod#17
  ciranda diff run-117 run-118"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("before", nargs="?", metavar="BEFORE", help="r41, an environment, prod#16 or run-117")
    parser.add_argument("after", nargs="?", metavar="AFTER", help="what it is compared with")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")


def main(given: argparse.Namespace) -> int:
    """Print the difference; nothing is run."""
    if given.before and not given.after:
        raise errors.Usage(f"{given.before} is compared with what?", hint=f"ciranda diff {given.before} AFTER")
    with homes.opened(homes.locate(given.home)) as (database, store):
        here = projects.declared(Path.cwd()).get("name")  # a project that was never pushed has runs
        project = given.project or here or projects.choose(database, None, Path.cwd())
        found = diff.gather(database, store, str(project), given.before, given.after)
    if given.json:
        sys.stdout.write(json.dumps(found.document(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(diff.lines(found)) + "\n")
    return 0
