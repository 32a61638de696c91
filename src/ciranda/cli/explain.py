"""`ciranda explain`: say why a step runs again."""

import argparse
import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from ciranda.app import local
from ciranda.cli import words
from ciranda.cli.run import setting
from ciranda.pipeline import engine, explain, reports

EXAMPLE = "  ciranda explain price\n  ciranda explain price --set price.least_area=40"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("step", metavar="STEP", help="the step, or the asset of its name")
    parser.add_argument(
        "--set", action="append", default=[], type=setting, metavar="STEP.PARAMETER=VALUE", help="as for `ciranda run`"
    )


def main(given: argparse.Namespace) -> int:
    """Nothing is run, but for importing a pipeline that has changed."""
    with local.opened(given.home, Path.cwd(), create=True) as here:
        found = here.explain(here.request(dict(given.set)), given.step, _note)
    if given.json:
        words.out(json.dumps({**asdict(found), "run": f"run-{found.run}" if found.run else None}, indent=2))
        return 0
    for line in told(found):
        words.out(line)
    return 0


def told(found: explain.Explanation) -> list[str]:
    """The explanation as lines."""
    match found.state:
        case "new":
            return [f"{found.step} has not been made yet"]
        case "unchanged":
            lines = [f"{found.step} is unchanged"]
        case "known":
            lines = [f"{found.step} does not run again: it was made before for just this, though not last"]
        case "changed":
            lines = [f"{found.step} runs again, because"]
    wide = max((len(change.what) for change in found.changes), default=0)
    lines += [f"  {_KINDS[change.kind]:<10}{change.what:<{wide}}  {change.how}" for change in found.changes]
    if found.same:
        lines.append(f"  {'same':<10}{' · '.join(found.same)}")
    if found.run is not None and found.made_us is not None and found.seconds is not None:
        at = datetime.fromtimestamp(found.made_us / 1e6).strftime("%A %H:%M")
        lines.append(f"last made by run {found.run} ({at}, {words.seconds(found.seconds)})")
    return lines


_KINDS = {"parameter": "parameter", "distribution": "package"} | {
    kind: kind for kind in ("code", "file", "input", "python", "platform", "store")
}


def _note(report: engine.Report) -> None:
    if isinstance(report, reports.Note):
        sys.stderr.write(f"{report.text}\n")
