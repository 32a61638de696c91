"""`ciranda run`: run the pipeline and its checks, only what changed."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.app import nearest
from ciranda.cli import dispatch
from ciranda.kernel import errors
from ciranda.pipeline import unchanged

EXAMPLE = "  ciranda run\n  ciranda run --set price.least_area=40 --jobs 1\n  ciranda run --refresh"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
        metavar="STEP.PARAMETER=VALUE",
        help="a parameter for this run (JSON, else text); may be given again",
    )
    parser.add_argument(
        "--refresh",
        action="store_true",
        help="take in new data of sources outside of the project: the server looks, and what is new becomes a release",
    )
    parser.add_argument(
        "--jobs", type=_jobs, default=0, metavar="N", help="steps at a time (default: as many as cores)"
    )


def main(given: argparse.Namespace) -> int:
    """0 when every step has its version and no check failed (with --refresh: unless new data was refused); else 1."""
    if given.refresh:
        if given.set or given.jobs:
            raise errors.Usage("--refresh takes in new data with what the branch says", hint="ciranda run --refresh")
        return dispatch.load("refreshing").main(given)
    done = None if given.set or given.json else _nothing_to_do(given.home)
    if done is None:
        return dispatch.load("running").main(given)
    steps = f"{done.steps:,} step{'' if done.steps == 1 else 's'}"
    sys.stdout.write(f"{steps} unchanged     {nearest.waited():.2f} s\n")
    return 0


def _nothing_to_do(named: str | None) -> unchanged.Unchanged | None:
    """The run that was recorded if no file was touched since the last one; everything else is for `running`."""
    home, folder = homes.locate(named), nearest.folder(Path.cwd())
    if folder is None or not (home.root / "format").exists():
        return None
    with homes.opened(home) as (database, store):
        return unchanged.check(database, store, folder, nearest.actor())


def setting(text: str) -> tuple[str, Any]:
    """`price.depth=8` as a name and a JSON value, or text."""
    name, equals, value = text.partition("=")
    step, dot, parameter = name.partition(".")
    if not (equals and dot and step and parameter):
        raise argparse.ArgumentTypeError(f"{text!r} is not STEP.PARAMETER=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return int(text)
