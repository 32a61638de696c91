"""`ciranda restore`: a home out of a backup, compared with what it was."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from ciranda.app import backup, restoring, up
from ciranda.app import home as homes
from ciranda.cli import words

EXAMPLE = "  ciranda restore monday.tar.gz --home ~/restored && ciranda up --home ~/restored"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("file", type=Path, metavar="FILE", help="what `ciranda backup` wrote")
    parser.add_argument(
        "--ledger", metavar="URL", help="keep the ledger in this empty PostgreSQL database: postgresql://…"
    )


def main(given: argparse.Namespace) -> int:
    """0: everything is as it was. 1: something was lost before the backup, or has to be built yet; what is told."""
    began = time.monotonic()
    home = homes.locate(given.home)
    done = restoring.restore(given.file, home, ledger=given.ledger, report=_say)
    seconds = round(time.monotonic() - began, 1)
    status = 1 if done.lost or done.unbuilt else 0
    if given.json:
        sys.stdout.write(json.dumps(asdict(done) | {"home": str(done.home), "seconds": seconds}) + "\n")
        return status
    sys.stdout.write(
        f"{up.shown(done.home)}       compared with the backup, {seconds} s\n"
        f"  ✓ {words.count(done.rows, 'row')}, {words.count(done.events, 'event')} of the chain as they were written\n"
        f"  ✓ {words.count(done.refs, 'ref')} of the repositories\n"
        f"  {'!' if done.lost else '✓'} {words.count(done.objects, 'object')} that releases name\n"
    )
    for what in done.lost:
        sys.stdout.write(f"      lost before the backup: {what}; a run of its commit makes it anew\n")
    if done.locked:
        sys.stdout.write(
            f"  ! {words.count(done.locked, 'sealed value')} without the key: "
            "their projects take no push, and no service that names one starts\n"
            f"      put it back from where you keep it: {up.shown(done.home / backup.KEY)}\n"
        )
    for what in done.unbuilt:
        sys.stdout.write(f"  ! the interpreter of {what}; it is built when its commit is pushed again\n")
    sys.stdout.write(f"next: ciranda up --home {up.shown(done.home)}\n")
    return status


def _say(what: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"  {what} …\n")
        sys.stderr.flush()
