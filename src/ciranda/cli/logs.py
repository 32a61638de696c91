"""`ciranda logs`: print or follow what the steps of a run wrote."""

import argparse
import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from ciranda.app import local, looking
from ciranda.cli import words
from ciranda.kernel import errors, lines
from ciranda.pipeline import runs
from ciranda.project import names

EXAMPLE = "  ciranda logs\n  ciranda logs run-7 --step price\n  ciranda logs -f"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("run", nargs="?", metavar="run-N", help="the run (default: the last one)")
    parser.add_argument("--step", metavar="NAME", help="only this step or check")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")


def main(given: argparse.Namespace) -> int:
    """Print lines; with --json one object a line."""
    with local.opened(given.home, Path.cwd(), create=False) as here:
        found = looking.run(here.database, here.project.name, given.run)

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
