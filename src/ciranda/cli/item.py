"""`ciranda item`: pieces of planned work, closed by the commit that names them."""

import argparse
from dataclasses import asdict
from pathlib import Path

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import project as projects
from ciranda.cli import saying
from ciranda.feedback import items
from ciranda.kernel import errors

EXAMPLE = (
    '  ciranda item add "a check that no airport is empty" --owner @data --incident 3\n'
    "  ciranda item list\n"
    '  git commit -m "No airport is empty: closes item/7"'
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("act", nargs="?", choices=("list", "add", "close"), default="list", help="what to do (list)")
    parser.add_argument("which", nargs="?", metavar="TITLE|NUMBER", help="add: what is to be done; close: which one is")
    parser.add_argument("--owner", metavar="WHO", default="", help="add: whose it is")
    parser.add_argument("--incident", type=int, metavar="NUMBER", help="add: the incident that it comes from")
    parser.add_argument("--all", action="store_true", help="list: also those that are done")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")


def main(given: argparse.Namespace) -> int:
    """0: done."""
    home = homes.locate(given.home)
    if given.act != "list" and not given.which:
        example = '"a check of airports"' if given.act == "add" else "7"
        raise errors.Usage(f"{given.act} needs one thing more", hint=f"ciranda item {given.act} {example}")
    with homes.opened(home) as (database, _):
        project = projects.choose(database, given.project, Path.cwd())
        if given.act == "list":
            return _list(given, project, items.listing(database, project, unclosed=not given.all))
    server = client.of_home(home)
    if given.act == "add":
        asked = {"title": given.which, "owner": given.owner, "incident": given.incident}
        made = server.post("item/add", project=project, **asked)
        said = f'item/{made["number"]}  {made["title"]}   a commit closes it: "closes item/{made["number"]}"'
    else:
        made = server.post("item/close", project=project, number=saying.number(given.which, "item"))
        said = f"item/{made['number']} is done: {made['title']}"
    if given.json:
        saying.facts(made)
    else:
        saying.lines(said)
    return 0


def _list(given: argparse.Namespace, project: str, found: list[items.Item]) -> int:
    if given.json:
        saying.facts({"project": project, "items": [asdict(one) for one in found]})
        return 0
    for one in found:
        done = f"   by {one.closed_by}{f' in {one.commit_sha[:7]}' if one.commit_sha else ''}" if one.closed_by else ""
        since = "" if one.state == "closed" else f"   since {saying.ago(one.created_us)}"
        saying.lines(f"{'✓' if one.state == 'closed' else '·'} {one.name:<8}  {one.title}   {one.owner}{since}{done}")
    if not found:
        saying.lines(f"{project} has no {'' if given.all else 'open '}item")
    return 0
