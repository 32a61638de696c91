"""`ciranda doctor`: what is wrong with the machine, the home and the project, and how to mend it."""

import argparse
import json
import sys
import textwrap
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app import up
from ciranda.app.doctor import examination
from ciranda.app.doctor.findings import Finding
from ciranda.cli import words

EXAMPLE = "  ciranda doctor\n  ciranda doctor --deep --json"
_STATES = {"ok": "passed", "warn": "warned", "wrong": "failed"}
_WIDE = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "--deep",
        action="store_true",
        help="read every object of the store, verify every event, let Git look at everything",
    )


def main(given: argparse.Namespace) -> int:
    """0: nothing is wrong (there may be warnings); 1: something is."""
    found = examination.examine(homes.locate(given.home), Path.cwd(), deep=given.deep, report=_say)
    _say("")
    if given.json:
        sys.stdout.write(json.dumps(found.document(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(lines(found, colour=words.coloured(sys.stdout))) + "\n")
    return 1 if found.count("wrong") else 0


def lines(found: examination.Examination, *, colour: bool = False) -> list[str]:
    """What is printed: part by part, of each finding what, where and what mends it."""
    told = []
    for part in found.parts:
        told.append(f"{part.name}  {up.shown(Path(part.where))}" if part.where else part.name)
        for finding in part.findings:
            told += _lines(finding, colour)
        told.append("")
    wrong, warned = found.count("wrong"), found.count("warn")
    verdict = f"{words.count(wrong, 'thing')} {'is' if wrong == 1 else 'are'} wrong" if wrong else "nothing is wrong"
    return [*told, verdict + (f", {words.count(warned, 'warning')}" if warned else "")]


def _lines(finding: Finding, colour: bool) -> list[str]:
    sign = words.mark(_STATES[finding.level], colour=colour)
    first, *rest = textwrap.wrap(finding.what, _WIDE, break_long_words=False, break_on_hyphens=False) or [""]
    told = [f"  {sign} {first}", *(f"    {line}" for line in rest)]
    if finding.level != "ok":
        told += [f"        {text}" for text in (finding.where, finding.mend) if text]
    return told


def _say(what: str) -> None:
    """What is looked at, on a terminal, on a line that is written over."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{f'looking at {what} …' if what else ''}")
        sys.stderr.flush()
