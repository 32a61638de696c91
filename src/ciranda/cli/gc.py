"""`ciranda gc`: take away what a home need not keep, and say why."""

import argparse
import json
import sys
import time
from functools import partial

from ciranda.app import collecting
from ciranda.app import home as homes
from ciranda.cli import words

EXAMPLE = "  ciranda gc --dry-run       # what would go, and why\n  ciranda gc"
SHOWN = 6  # releases that are named


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")


def main(given: argparse.Namespace) -> int:
    """0 when it is done, or said."""
    began = time.monotonic()
    home = homes.locate(given.home)
    with homes.opened(home) as (ledger, store):
        act = collecting.plan if given.dry_run else partial(collecting.collect, report=_say)
        found = act(home, ledger, store)
    seconds = round(time.monotonic() - began, 1)
    if given.json:
        sys.stdout.write(json.dumps(_document(found, given.dry_run, seconds), indent=1) + "\n")
        return 0
    for one in found.going:
        size = words.size(one.size) if one.size else ""
        sys.stdout.write(f"  {one.what:<13}{one.count:>7,}  {size:>9}  {one.why}\n")
    if found.releases:
        shown = ", ".join(found.releases[:SHOWN]) + (" …" if len(found.releases) > SHOWN else "")
        said = words.count(len(found.releases), "release")
        sys.stdout.write(f"  {said} can be traced, not gone back to: {shown}\n")
    verb = "would be freed" if given.dry_run else "freed"
    nothing = "nothing to take away" if not found.going else f"{words.size(found.freed)} {verb}"
    sys.stdout.write(f"{nothing}; {words.count(found.kept, 'object')} kept, {words.size(found.size)}     {seconds} s\n")
    if given.dry_run and found.going:
        sys.stdout.write("do it: ciranda gc       how long what is kept: [keep] in ciranda.toml\n")
    return 0


def _document(found: collecting.Plan, dry: bool, seconds: float) -> dict[str, object]:
    going = [{"what": one.what, "count": one.count, "size": one.size, "why": one.why} for one in found.going]
    return {
        "dry_run": dry,
        "going": going,
        "releases": list(found.releases),
        "paths": [str(path) for path in found.paths],
        "freed": found.freed,
        "kept": found.kept,
        "kept_size": found.size,
        "seconds": seconds,
    }


def _say(what: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"  {what} …\n")
        sys.stderr.flush()
