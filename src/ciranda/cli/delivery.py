"""`ciranda delivery`: how often, how fast, how well and how soon again: DORA's four figures, from the ledger alone."""

import argparse
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app.views import feedback as views
from ciranda.app.views import project as projects
from ciranda.app.views.pages import feedback as pages
from ciranda.cli import moments, saying
from ciranda.feedback import review
from ciranda.kernel import clock

EXAMPLE = "  ciranda delivery\n  ciranda delivery --since 90d --json"
_SIGNS = {"better": "↗", "worse": "↘", "as before": "→", "": ""}
_FEW = 5  # failures that are listed


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "--since", metavar="TIME", default="30d", help="the window, told against the one before it (30d)"
    )
    parser.add_argument(
        "-e", "--environment", metavar="NAME", default="", help="where (default: the last of the chain)"
    )
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")


def main(given: argparse.Namespace) -> int:
    """0: told."""
    now_us = clock.now_us()
    days = (now_us - moments.since(given.since, now_us)) / 86_400_000_000
    with homes.opened(homes.locate(given.home)) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        told = views.delivery(database, store, project, given.environment, days)
    if given.json:
        saying.facts(told.document())
        return 0
    saying.lines(f"{told.project} in {told.environment}, the last {told.days:.3g} days against those before")
    for part in told.parts:
        saying.lines("", *([part.service] if part.service else []), *_rows(pages.lines(part)))
    failures = told.parts[0].now.failures
    if failures:
        saying.lines("", "failed:")
    for one in failures[-_FEW:]:
        saying.lines(
            f"  {review.clock(one.at_us)[:16]}  {one.what} {pages.HOW[one.how]}{f': {one.reason}' if one.reason else ''}"
        )
    return 0


def _rows(found: list[pages.Line]) -> list[str]:
    wide = max(len(line.now) for line in found)
    return [
        f"  {line.name:<16} {line.now:<{wide}}   {f'before: {line.before}':<44} {_SIGNS[line.turn]} {line.turn}".rstrip()
        for line in found
    ]
