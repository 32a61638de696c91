"""`ciranda reaction`: what is done by itself when production finds something out, and a person's word on it."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import project as projects
from ciranda.app.views import reactions as views
from ciranda.app.views import screen
from ciranda.feedback.reactions import rows
from ciranda.kernel import clock, errors
from ciranda.kernel.database import Database

EXAMPLE = (
    "  ciranda reaction list\n  ciranda reaction show 3\n  ciranda reaction approve 3\n"
    '  ciranda reaction decline 3 --reason "the sensor was repaired"'
)
_MARKS = {"done": "✓", "refused": "✗", "asking": "?", "acting": "●"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    acts = ("list", "show", "approve", "decline")
    parser.add_argument(
        "act", choices=acts, metavar="|".join(acts), help="approve, decline: the word that one waits for"
    )
    parser.add_argument("number", nargs="?", type=int, metavar="N", help="which one")
    parser.add_argument("-e", "--environment", metavar="NAME", default="", help="list: of one environment alone")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--reason", default="", metavar="TEXT", help="decline: why")


def main(given: argparse.Namespace) -> int:
    """0: done."""
    if given.act != "list" and given.number is None:
        raise errors.Usage(f"{given.act} needs a number", hint="what there is: ciranda reaction list")
    home = homes.locate(given.home)
    with homes.opened(home) as (database, _):
        project = projects.choose(database, given.project, Path.cwd())
        if given.act == "list":
            _list(given, database, project)
        elif given.act == "show":
            _show(given, views.gather(database, project, given.number))
        else:
            named = {"project": project, "number": given.number, "reason": given.reason}
            answer = client.of_home(home).post(f"reaction/{given.act}", **named)
            _print(given, answer, [f"reaction {given.number} is {answer['state']}: {answer['why']}"])
    return 0


def _list(given: argparse.Namespace, database: Database, project: str) -> None:
    found = rows.listed(database, project, given.environment)
    lines = [_line(one) for one in found]
    if not found:
        lines = [f"{project} has not reacted to anything; declare when: [reactions.NAME] in ciranda.toml"]
    _print(given, {"project": project, "reactions": [one.document() for one in found]}, lines)


def _line(one: rows.Reaction) -> str:
    head = f"{one.number:>4}  {_MARKS.get(one.state, '-')} {one.environment}  {one.rule.name}  {one.what}"
    return f"{head}  → {one.rule.do}: {one.why}  {screen.ago(clock.now_us() - one.at_us)}"


def _show(given: argparse.Namespace, view: views.View) -> None:
    lines = [_line(view.reaction), ""]
    for link in view.chain:
        lines.append(f"  {link.what}   {link.state}" + (f"   {link.more}" if link.more else ""))
    if view.reaction.state == "asking":
        number = view.reaction.number
        lines += ["", f"let it act: ciranda reaction approve {number}     let it be: ciranda reaction decline {number}"]
    _print(given, view.document(), lines)


def _print(given: argparse.Namespace, told: dict[str, Any], lines: list[str]) -> None:
    text = json.dumps(told, ensure_ascii=False) if given.json else "\n".join(line.rstrip() for line in lines)
    sys.stdout.write(text + "\n")
