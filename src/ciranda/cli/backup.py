"""`ciranda backup`: one archive of a home, made while it runs."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from ciranda.app import backup
from ciranda.app import home as homes
from ciranda.cli import words

EXAMPLE = "  ciranda backup monday.tar.gz       # put it back with: ciranda restore monday.tar.gz --home DIR"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("file", type=Path, metavar="FILE", help="where to write it; .gz is compressed")
    parser.add_argument(
        "--with-key", action="store_true", help="also the key of the secrets: keep such a backup as safe as them"
    )


def main(given: argparse.Namespace) -> int:
    """0 when the archive is there."""
    began = time.monotonic()
    made = backup.write(homes.locate(given.home), given.file, key=given.with_key, report=_say)
    seconds = round(time.monotonic() - began, 1)
    if given.json:
        sys.stdout.write(json.dumps(asdict(made) | {"path": str(made.path), "seconds": seconds}) + "\n")
        return 0
    sys.stdout.write(
        f"{made.path}       {words.size(made.size)}, {seconds} s\n"
        f"  ledger        {words.count(made.rows, 'row')} of {words.count(made.tables, 'table')}\n"
        f"  repositories  {made.repositories:,}\n"
        f"  store         {words.count(made.objects, 'file')}\n"
        f"  secrets       {'with their key: keep this file as safe as them' if made.key else 'sealed; the key is not in it'}\n"
        f"put it back: ciranda restore {made.path} --home DIR\n"
    )
    return 0


def _say(what: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"  {what} …\n")
        sys.stderr.flush()
