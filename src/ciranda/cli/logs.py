"""`ciranda logs`: print or follow what the steps of a run, or the instances of a service, wrote."""

import argparse
import json
import re
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from ciranda.app import local, looking
from ciranda.cli import service_logs, words
from ciranda.kernel import errors, lines
from ciranda.pipeline import runs
from ciranda.project import names

EXAMPLE = "  ciranda logs run-7 --step price\n  ciranda logs -f\n  ciranda logs delays -e prod -f"
RUN = re.compile(r"run-\d+|\d+")
OF_SERVICES = ("environment", "release", "instance")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "what", nargs="?", metavar="run-N|SERVICE", help="a run (default: the last one), or a service of the project"
    )
    parser.add_argument("--step", metavar="NAME", help="only this step or check")
    parser.add_argument("-e", "--environment", metavar="NAME", help="of services: only in this environment")
    parser.add_argument(
        "--release", metavar="RELEASE", help="of services: only instances of this release, ended ones too"
    )
    parser.add_argument("--instance", metavar="ID", help="of services: only the instance whose name ends so")
    parser.add_argument(
        "-n",
        "--lines",
        type=int,
        default=100,
        metavar="COUNT",
        help="of services: the last lines of each instance (100)",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends, or until Ctrl-C")


def main(given: argparse.Namespace) -> int:
    """Print lines; with --json one object a line."""
    with local.opened(given.home, Path.cwd(), create=False) as here:
        if _services(given):
            return service_logs.main(here, given)
        found = looking.run(here.database, here.project.name, given.what)

        def ended() -> bool:
            now = runs.get(here.database, found.project, found.number)
            return not given.follow or now.state != "running"

        path = here.home.runs / found.id / "log.jsonl"
        any_line = False
        for record in lines.follow(path, stop=ended, wait=time.sleep):
            if given.step is None or record.get("step") == given.step:
                any_line = True
                _print(given, record)
        step = None if given.step is None else _step(here, found, given.step, written=any_line)
        if step and not given.json:
            words.out(step)
        elif not any_line and not given.json:
            failed = runs.get(here.database, found.project, found.number).state == "failed"
            why = f"; why it failed: ciranda show {found.name}" if failed else ""
            sys.stderr.write(f"{found.name} wrote nothing{f' in {given.step}' if given.step else ''}{why}\n")
    return 0


def _services(given: argparse.Namespace) -> bool:
    """Whether what services wrote is asked for. Raises errors.Usage for a question that is neither."""
    if given.lines < 0:
        raise errors.Usage("--lines is a number from 0", hint="ciranda logs --help")
    run = given.what is not None and RUN.fullmatch(given.what) is not None
    asked = [name for name in OF_SERVICES if getattr(given, name) is not None]
    if asked and (run or given.step):
        raise errors.Usage(f"--{asked[0]} is of services, and a run has steps", hint="ciranda logs --help")
    if given.step and given.what is not None and not run:
        raise errors.Usage(f"--step is of runs, and {given.what} is not one", hint="ciranda logs run-7 --step price")
    return bool(asked) or (given.what is not None and not run)


def _print(given: argparse.Namespace, record: dict[str, Any]) -> None:
    if given.json:
        words.out(json.dumps(record, ensure_ascii=False))
        return
    at = datetime.fromtimestamp(record["at_us"] / 1e6).strftime("%H:%M:%S")
    for line in str(record.get("text", "")).splitlines():
        shown = "".join(c if c.isprintable() or c == "\t" else "�" for c in line)
        words.out(f"{at}  {record.get('step') or 'import':<12}  {shown}")
    sys.stdout.flush()


def _step(here: local.Local, found: runs.Run, name: str, *, written: bool) -> str | None:
    """The error of a step or check that failed: it belongs to what was written. Raises errors.NotFound for no step of the run."""
    steps, outcomes = runs.steps(here.database, found), runs.outcomes(here.database, found)
    known = [*(step.step for step in steps), *(outcome.check for outcome in outcomes)]
    if name not in known and not written and found.state != "running":
        there = f"what there is: {', '.join(known) or 'nothing'}"
        hint = "        ".join(part for part in (names.suggestion(name, known), there) if part)
        raise errors.NotFound(f'{found.name} has no step or check "{name}"', hint=hint)
    for step in steps:
        if step.step == name and step.error:
            return step.error
    for outcome in outcomes:
        if outcome.check == name and outcome.error:
            return outcome.error
    return None
