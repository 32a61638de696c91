"""`ciranda predictions`: what services predicted, and how good it was."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app.views import predictions as views
from ciranda.app.views import project as projects
from ciranda.app.views import screen
from ciranda.cli import moments, tables, words
from ciranda.kernel import clock, errors
from ciranda.monitor.predictions.figures import Figures

EXAMPLE = """\
  ciranda predictions                                   # what is kept, of each service
  ciranda predictions delays -e prod --since 1h         # how good it was, by release, and the last rows
  ciranda predictions delays -e prod --where "carrier = 'AA' AND prediction > 30"
  ciranda show 019661e5c3b19f03a17be2d40000002a-r42     # one request: what was asked, answered and said of it"""
_FIGURES = {
    "mae": "MAE", "rmse": "RMSE", "bias": "bias", "accuracy": "accuracy", "log_loss": "log loss", "auc": "AUC",
    "rating": "rating",
}  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("service", nargs="?", metavar="SERVICE", help="one service (default: what is kept of each)")
    parser.add_argument("-e", "--environment", metavar="NAME", help="the environment")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--since", default="1d", metavar="WHEN", help="30m, 6h, 7d, or a time (default: 1d)")
    parser.add_argument("--where", default="", metavar="SQL", help="the rows for which this is true")
    parser.add_argument("--rows", type=int, default=5, metavar="N", help="rows that are shown (default: 5)")


def main(given: argparse.Namespace) -> int:
    """Print it; nothing is changed and no server is needed."""
    if given.rows < 0:
        raise errors.Usage(f"--rows {given.rows}: a whole number from 0", hint="ciranda predictions --help")
    with homes.opened(homes.locate(given.home)) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        if given.service is None:
            if given.where:
                raise errors.Usage("--where needs a service", hint="ciranda predictions SERVICE -e prod --where …")
            _list(given, project, views.listing(database, project, given.environment or ""))
            return 0
        if not given.environment:
            raise errors.Usage("say of which environment", hint=f"ciranda predictions {given.service} -e prod")
        since_us = moments.since(given.since, clock.now_us())
        where = views.place(database, project, given.environment, given.service)
        view = views.gather(database, store, where, since_us=since_us, condition=given.where, most=given.rows)
    if given.json:
        words.out(json.dumps(view.document(), ensure_ascii=False))
    else:
        _show(given, view)
    return 0


def _list(given: argparse.Namespace, project: str, found: list[views.Service]) -> None:
    if given.json:
        words.out(json.dumps({"project": project, "services": [asdict(one) for one in found]}, ensure_ascii=False))
        return
    for one in found:
        facts = [words.count(one.rows, "prediction"), f"last {screen.ago(clock.now_us() - one.until_us)}"]
        facts += [", ".join(each.release for each in one.releases[:4])] if one.releases else []
        facts += [f"{one.feedback:,} times feedback"] if one.feedback else []
        facts += [f"! {one.dropped:,} dropped for want of room"] if one.dropped else []
        words.out(f"{one.environment:<10} {one.name:<16} {'   '.join(facts)}")
    if not found:
        where = f" in {given.environment}" if given.environment else ""
        words.out(f"nothing is kept of what {project} predicts{where}; keep it: predictions = {{}} in [services.NAME]")


def _show(given: argparse.Namespace, view: views.View) -> None:
    place = view.place
    words.out(f"{place.project} {place.service} in {place.environment}   since {given.since}")
    for one in view.measured:
        words.out(f"  {one.release:<6} {words.count(one.rows, 'prediction'):>22}   {_figures(one.figures)}".rstrip())
        for name, each in one.columns.items():
            words.out(f"         {name:>22}   {_figures(each)}".rstrip())
    if not view.measured:
        words.out("  no prediction in this time")
    if view.dropped:
        words.out(f"  ! {words.count(view.dropped, 'prediction')} dropped for want of room or time to collect them")
    if view.newest is not None:
        words.out(f"  the newest {view.newest:,} are looked at")
    if view.found.rows:
        words.out("")
        for line in tables.lay(view.found.columns, view.found.rows):
            words.out(f"  {line}")
    if given.where:
        words.out(f"  {words.count(view.found.count, 'row')} with {given.where}")


def _figures(found: Figures) -> str:
    told = [f"{_FIGURES[name]} {words.number(value)}" for name, value in found.told().items() if name != "rating"]
    said = [f"{', '.join(told)} on {found.pairs:,} with their truth"] if told else []
    said += [f"rating {words.number(found.rating)} of {found.ratings:,}"] if found.rating is not None else []
    return "   ".join(said)
