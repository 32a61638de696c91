"""`ciranda init`: write a project that works, or add one to a repository."""

import argparse
import json
import shlex
from dataclasses import asdict
from pathlib import Path

from ciranda.app import begin
from ciranda.app import home as homes
from ciranda.cli import words

EXAMPLE = (
    "  ciranda init houses && cd houses && ciranda run\n  ciranda init            # in a repository: adds ciranda.toml"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("folder", nargs="?", default=".", metavar="DIR", help="where (default: here)")
    parser.add_argument("--name", metavar="NAME", help="the project's name (default: the folder's)")


def main(given: argparse.Namespace) -> int:
    """Nothing that is there is overwritten; safe to repeat."""
    done = begin.begin(Path(given.folder), given.name, homes.locate(given.home))
    if given.json:
        words.out(json.dumps({**asdict(done), "folder": str(done.folder.absolute())}, indent=2))
        return 0
    words.out(f"{done.name} in {done.folder}")
    for path in done.written:
        words.out(f"  + {path}")
    for path in done.kept:
        words.out(f"    {path} was there and stays")
    words.out(f"  remote {begin.REMOTE} is {done.remote}")
    enter = "" if given.folder == "." else f"cd {shlex.quote(str(done.folder))} && "
    words.out(f"next: {enter}ciranda run")
    words.out("      then: git add -A && git commit, ciranda up, git push ciranda main")
    return 0
