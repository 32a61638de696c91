"""`ciranda delivery`: how often, how fast, how well and how soon again: DORA's four figures, from the ledger alone."""

import argparse
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app.views import feedback as views
from ciranda.app.views import project as projects
from ciranda.cli import saying
from ciranda.feedback.delivery import Figures, Spread
from ciranda.feedback.review import clock, lasted

EXAMPLE = "  ciranda delivery\n  ciranda delivery --since 90d --json"
_SIGNS = {"better": "↗ better", "worse": "↘ worse", "same": "→ as before", "": ""}
HOW = {
    "failed": "did not become live",
    "rolled back": "was rolled back",
    "incident": "had an incident",
    "data": "new data was kept out",
    "job": "a job's data was kept out",
    "worse": "was worse than what is live",
}
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
    days = saying.seconds(given.since, "--since") / 86_400
    with homes.opened(homes.locate(given.home)) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        told = views.delivery(database, store, project, given.environment, days)
    if given.json:
        saying.facts(told.document())
        return 0
    saying.lines(f"{told.project} in {told.environment}, the last {given.since} against those before")
    for part in told.parts:
        saying.lines("", *([part.service] if part.service else []), *_lines(part))
    failures = told.parts[0].now.failures
    if failures:
        saying.lines("", "failed:")
    for one in failures[-_FEW:]:
        saying.lines(f"  {clock(one.at_us)[:16]}  {one.what} {HOW[one.how]}{f': {one.reason}' if one.reason else ''}")
    return 0


def _lines(part: views.Part) -> list[str]:
    now, before, trend = part.now, part.before, part.trend
    rows = [
        ("deployments", _frequency(now), _frequency(before), trend.frequency),
        ("lead time", _spread(now.lead), _spread(before.lead), trend.lead),
        ("failed changes", _rate(now), _rate(before), trend.rate),
        ("time to restore", _spread(now.restore) + _open(now), _spread(before.restore), trend.restore),
    ]
    wide = max(len(row[1]) for row in rows)
    return [
        f"  {name:<16} {value:<{wide}}   {f'before: {former}':<44} {_SIGNS[turn]}".rstrip()
        for name, value, former, turn in rows
    ]


def _frequency(of: Figures) -> str:
    return "no data" if of.deployments is None else f"{of.deployments}, {of.per_week:.1f} a week"


def _spread(of: Spread | None) -> str:
    return "no data" if of is None else f"median {lasted(of.median_us)}, p90 {lasted(of.p90_us)} of {of.count}"


def _rate(of: Figures) -> str:
    return "no data" if of.rate is None else f"{of.rate:.0%}, {len(of.failures)} of {of.changes}"


def _open(of: Figures) -> str:
    return f", {of.open} not over yet" if of.open else ""
