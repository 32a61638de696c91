"""What `apply`, `promote` and `destroy` share: wait for the end of a revision and say it."""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from ciranda.app.views import waiting
from ciranda.kernel.database import Database

TIMEOUT = 300.0  # seconds to wait


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of waiting."""
    parser.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT,
        metavar="SECONDS",
        help=f"how long to wait ({TIMEOUT:g}; 0: not at all)",
    )


def finish(given: argparse.Namespace, database: Database, answer: Mapping[str, Any]) -> int:
    """Wait for what control began. 0: it is so, 1: it could not be, or not in time."""
    target = answer["to"]
    ended = waiting.for_revision(database, target["id"], timeout=given.timeout)
    began = given.timeout <= 0 and ended.state == "target"
    seconds = None if ended.ended_us is None else round((ended.ended_us - ended.created_us) / 1e6, 2)
    if given.json:
        said = {**answer, "to": target | {"state": ended.state, "reason": ended.reason, "seconds": seconds}}
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    else:
        goal = "nothing" if ended.gone else target["release"]
        name = f"{ended.environment} #{ended.number} ({goal})"
        if not answer["changed"] and ended.state == "reached":
            text = f"{name}: nothing to do"
        elif ended.state == "reached":
            text = f"{name}: {'all of it is gone' if ended.gone else 'live'} after {seconds:.1f} s"
        elif ended.state == "target":
            wait = f"ciranda wait {target['release']} -e {ended.environment}"
            text = f"{name} is on its way; wait for it: {wait}" if not ended.gone else f"{name} is on its way"
        else:
            text = f"{name}: {ended.state}: {ended.reason}"
        sys.stdout.write(text + "\n")
    return 0 if ended.state == "reached" or began else 1
