"""`ciranda init`: write a project that works, or add one to a repository."""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ciranda.app import begin
from ciranda.app import home as homes
from ciranda.cli import words
from ciranda.kernel import errors
from ciranda.project.detection.proposal import Proposal, Proposed

EXAMPLE = (
    "  ciranda init houses && cd houses && ciranda run\n"
    "  ciranda init            # in a repository: proposes a ciranda.toml of what it finds"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("folder", nargs="?", default=".", metavar="DIR", help="where (default: here)")
    parser.add_argument("--name", metavar="NAME", help="the project's name (default: the folder's)")
    parser.add_argument("--yes", action="store_true", help="take what is proposed without being asked")


def main(given: argparse.Namespace) -> int:
    """Nothing that is there is overwritten; safe to repeat."""
    proposal = begin.propose(Path(given.folder))
    if proposal and not given.json:
        for line in proposed(proposal):
            words.out(line)
        if not given.yes and _asks() and not _agreed():
            raise errors.Refused("nothing was written", hint="take it as it is: ciranda init --yes")
    done = begin.begin(Path(given.folder), given.name, homes.locate(given.home), proposal)
    if given.json:
        told = {**asdict(done), "folder": str(done.folder.absolute()), "proposal": asdict(proposal)}
        words.out(json.dumps(told, indent=2, ensure_ascii=False))
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


def proposed(proposal: Proposal) -> Iterator[str]:
    """What was found, for people: what is written, and what stands as a comment, with the reason."""
    yield "found here:"
    for one in proposal.found:
        yield f"  {'✓' if one.sure else '?'} {_short(one):<44}  {one.why}".rstrip()
        if one.doubt:
            yield f"      as a comment: {one.doubt}"
    for note in proposal.notes:
        yield f"  ! {note}"


def _short(one: Proposed) -> str:
    """The first line that says something, with the section it belongs to."""
    if one.section in ("services", "jobs"):
        return f"{one.lines[0]} {one.lines[1]}"
    if one.section == "environments":
        return "test, then prod"
    return f"[{one.section}] {'code: ' if one.section == 'checks' else ''}{one.lines[0]}"


def _asks() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty() and not os.environ.get("CI")


def _agreed() -> bool:
    sys.stdout.write("write ciranda.toml with this? [Y/n] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("", "y", "yes", "s", "sim")
