"""`ciranda rollout`: how far a release is on its way in, watched as it moves; pause, resume, abort."""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ciranda.app import client, rollouts
from ciranda.app import home as homes
from ciranda.app.views import project as projects
from ciranda.app.views import rollout as views
from ciranda.cli import words
from ciranda.kernel import errors
from ciranda.kernel.database import Database, Waiter

EXAMPLE = (
    "  ciranda rollout -e prod --follow\n  ciranda rollout pause -e prod\n"
    '  ciranda rollout abort -e prod --reason "late flights are missing"'
)
LOOK = 1.0  # seconds between looks, at most
OFTEN = 0.25  # seconds between two, at least
SAYS = 10.0  # seconds after which a pipe is told how far it is, though nothing happened


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "act", nargs="?", default="show", choices=("show", *rollouts.ACTS), metavar="show|pause|resume|abort",
        help="show (default); pause: the shares stand; resume: go on, or take the next step; abort: everything back",
    )  # fmt: skip
    parser.add_argument("-e", "--environment", metavar="NAME", help="the environment")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--follow", action="store_true", help="go on showing it until its end")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why it is aborted, for everybody who asks")


def main(given: argparse.Namespace) -> int:
    """0: done, or what was followed is live; 1: it went back, or another release took its place."""
    home = homes.locate(given.home)
    if given.act != "show" and not given.environment:
        raise errors.Usage(f"{given.act} needs an environment", hint=f"ciranda rollout {given.act} -e prod")
    with homes.opened(home) as (database, _):
        project = projects.choose(database, given.project, Path.cwd())
        if given.act == "show":
            if given.follow:
                return follow(database, project, given.environment or "", as_json=given.json)
            return _show(given, database, project)
        asked = {"project": project, "environment": given.environment, "reason": given.reason}
        answer = client.of_home(home).post(f"rollout/{given.act}", **asked)
        if given.json:
            words.out(json.dumps(answer, ensure_ascii=False))
        else:
            found = views.gather(database, project, given.environment)
            words.out("\n".join(line for one in found for line in views.lines(one)))
    return 0


def _show(given: argparse.Namespace, database: Database, project: str) -> int:
    found = views.gather(database, project, given.environment or "")
    if given.json:
        words.out(json.dumps({"project": project, "rollouts": [one.document() for one in found]}, ensure_ascii=False))
    elif found:
        words.out("\n".join(line for one in found for line in views.lines(one)))
    else:
        where = f" in {given.environment}" if given.environment else ""
        words.out(f"nothing of {project} has entered by steps{where}; declare it: rollout in [environments.NAME]")
    return 0


def follow(database: Database, project: str, environment: str, *, as_json: bool) -> int:
    """Show the rollout that goes on until its end: drawn again on a terminal, a line for what is new elsewhere."""
    one = _going(database, project, environment)
    draw = _json if as_json else _Screen().draw if words.coloured(sys.stdout) else _Log().draw
    waiter = database.waiter()
    try:
        while True:
            found = [each for each in views.gather(database, project, one.environment) if each.revision == one.revision]
            one = found[0] if found else _superseded(one)
            draw(one)
            if not one.goes_on:
                return 0 if one.state == "passed" else 1
            _pause(waiter)
    finally:
        waiter.close()


def _going(database: Database, project: str, environment: str) -> views.View:
    found = [one for one in views.gather(database, project, environment) if one.goes_on]
    if len(found) != 1:
        where = f" in {environment}" if environment else ""
        several = " and ".join(one.environment for one in found)
        raise errors.Refused(
            f"rollouts go on in {several}" if found else f"no rollout of {project} goes on{where}",
            hint="name one: ciranda rollout -e prod --follow" if found else "the last ones: ciranda rollout",
        )
    return found[0]


def _superseded(one: views.View) -> views.View:
    """What was followed is no environment's last rollout any more."""
    return replace(one, state="superseded", reason="another revision took its place")


def _pause(waiter: Waiter) -> None:
    began = time.monotonic()
    waiter.wait(LOOK)
    time.sleep(max(0.0, OFTEN - (time.monotonic() - began)))


def _json(one: views.View) -> None:
    words.out(json.dumps(one.document(), ensure_ascii=False))
    sys.stdout.flush()


class _Screen:
    """Draws the same place of a terminal again."""

    def __init__(self, out: Callable[[str], object] = sys.stdout.write) -> None:
        self._out, self._painted = out, 0

    def draw(self, one: views.View) -> None:
        columns, rows = shutil.get_terminal_size()
        told = [line[: columns - 1] for line in views.lines(one)][: rows - 1]
        before = f"\033[{self._painted}F\033[J" if self._painted else ""
        self._out(before + "".join(f"{line}\n" for line in told))
        self._painted = len(told)
        sys.stdout.flush()


class _Log:
    """Says what is new, and every now and then how far it is."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None
        self._said = ""
        self._due = 0.0

    def draw(self, one: views.View) -> None:
        now, text = (one.state, one.weight), views.said(one)
        if now != self._last or (text != self._said and time.monotonic() >= self._due):
            words.out(text)
            sys.stdout.flush()
            self._last, self._said, self._due = now, text, time.monotonic() + SAYS
