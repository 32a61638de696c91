"""`ciranda incident`: what went wrong, as the ledger knows it and as people note it; and what is learned from it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from ciranda.app import client, sampling
from ciranda.app import home as homes
from ciranda.app.views import feedback as views
from ciranda.app.views import project as projects
from ciranda.cli import moments, saying
from ciranda.feedback import incidents, review
from ciranda.kernel import clock, errors, files
from ciranda.kernel.database import Database
from ciranda.project.notify import LANGUAGES, SEVERITIES

EXAMPLE = (
    '  ciranda incident open "half of all answers are late" -e prod --since 10m\n'
    '  ciranda incident note 3 "the disk of the feature table is full"\n'
    '  ciranda incident resolve 3 "went back to r41"\n'
    "  ciranda incident review 3 && ciranda incident review 3 --take incident-3.md"
)
_ACTS = ("list", "show", "open", "note", "resolve", "review")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "act", nargs="?", choices=_ACTS, default="list", help="review: writes a draft, or takes it back in"
    )
    parser.add_argument(
        "which", nargs="?", metavar="NUMBER|TITLE", help="open: what is wrong; else the incident's number"
    )
    parser.add_argument("text", nargs="?", metavar="TEXT", help="note, resolve: what is said of it")
    parser.add_argument("-e", "--environment", metavar="NAME", help="open: where")
    parser.add_argument("--service", metavar="NAME", default="", help="open: of which service")
    parser.add_argument("--severity", choices=SEVERITIES, default="page", help="open: how bad it is (page)")
    parser.add_argument(
        "--owner", metavar="WHO", default="", help="open: whose it is (default: the owner of the service)"
    )
    parser.add_argument("--since", metavar="TIME", help="open: how long ago it began: 10m, 2h (default: now)")
    parser.add_argument("--all", action="store_true", help="list: also those that are over")
    parser.add_argument("--out", metavar="FILE", help="review: where the draft goes (incident-NUMBER.md; - prints it)")
    parser.add_argument("--take", metavar="FILE", help="review: keep what was written, and make items of its actions")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="show, review: of what is written (en)")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")


def main(given: argparse.Namespace) -> int:
    """0: done; list: 1 while one is open that somebody must act on."""
    home = homes.locate(given.home)
    if given.act != "list" and not given.which:
        raise errors.Usage(
            f"{given.act} needs {_needs(given.act)}", hint=f"ciranda incident {given.act} {_example(given.act)}"
        )

    def lost(one: incidents.Incident) -> review.Failed | None:
        return views.failed_requests(sampling.of_home(home), one, clock.now_us())

    with homes.opened(home) as (database, _):
        project = projects.choose(database, given.project, Path.cwd())
        match given.act:
            case "list":
                return _list(given, database, project)
            case "show":
                return _show(given, views.incident(database, project, _number(given.which), given.language, lost))
            case "open":
                return _open(given, client.of_home(home), project)
            case "review" if not given.take:
                return _draft(given, views.incident(database, project, _number(given.which), given.language, lost))
            case "review":
                return _take(given, client.of_home(home), project)
            case _:
                return _say(given, client.of_home(home), project)


def _list(given: argparse.Namespace, database: Database, project: str) -> int:
    found = incidents.listing(database, project, unresolved=not given.all)
    if given.json:
        saying.facts({"project": project, "incidents": [views.brief(one) for one in found]})
        return 0
    wide = max((len(one.environment) for one in found), default=0)
    for one in found:
        mark = "✓" if one.state == "resolved" else "!" if one.severity == "page" else "·"
        ended = (
            f"lasted {review.lasted(one.resolved_us - one.started_us)}"
            if one.resolved_us
            else f"since {saying.ago(one.started_us)}"
        )
        rest = (
            [ended]
            + ([one.owner] if one.owner else [])
            + (["not reviewed"] if one.resolved_us and not one.review else [])
        )
        saying.lines(f"{mark} {one.number:>3}  {one.environment:<{wide}}  {one.title}   {'   '.join(rest)}")
    if not found:
        saying.lines(f"{project} has no {'' if given.all else 'open '}incident")
    return 0


def _show(given: argparse.Namespace, told: views.Told) -> int:
    if given.json:
        saying.facts(told.document())
        return 0
    one = told.incident
    where = " ".join(part for part in (one.project, one.environment, one.service) if part)
    saying.lines(f"incident {one.number}  {one.title}", f"  {where}   {one.severity}   {one.owner}")
    noticed = f"  noticed after {review.lasted(one.opened_us - one.started_us)} by {one.opened_by}"
    over = (
        "not over yet" if one.resolved_us is None else f"over after {review.lasted(one.resolved_us - one.started_us)}"
    )
    requests = (
        []
        if told.failed is None
        else [f"  {told.failed.failed:,} of {told.failed.requests:,} requests failed meanwhile"]
    )
    saying.lines(f"{noticed}, {over}", *requests, "")
    for moment in told.moments:
        by = "" if moment.actor in ("", "ciranda") else f"   {moment.actor}"
        saying.lines(f"  {review.clock(moment.at_us)}  {moment.what}{by}")
    saying.lines("")
    for item in told.items:
        saying.lines(f"  {'✓' if item.state == 'closed' else '·'} {item.name}  {item.title}   {item.owner}")
    saying.lines(
        f"next: ciranda incident {'resolve' if one.resolved_us is None else 'review'} {one.number}"
        if not one.review
        else "reviewed"
    )
    return 0


def _open(given: argparse.Namespace, server: client.Client, project: str) -> int:
    if not given.environment:
        raise errors.Usage("open needs an environment", hint=f'ciranda incident open "{given.which}" -e prod')
    since_us = None if given.since is None else moments.since(given.since, clock.now_us())
    asked: dict[str, Any] = {
        "service": given.service,
        "severity": given.severity,
        "owner": given.owner,
        "since_us": since_us,
    }
    made = server.post("incident/open", project=project, environment=given.environment, title=given.which, **asked)
    if given.json:
        saying.facts(made)
    else:
        saying.lines(f"incident {made['number']} is open in {made['environment']}: {made['title']}")
        saying.lines(f'what is found out: ciranda incident note {made["number"]} "…"')
    return 0


def _say(given: argparse.Namespace, server: client.Client, project: str) -> int:
    if given.act == "note" and not given.text:
        raise errors.Usage("note needs a text", hint=f'ciranda incident note {given.which} "…"')
    asked = {"project": project, "number": _number(given.which), "text": given.text or ""}
    made = server.post(f"incident/{given.act}", **asked)
    if given.json:
        saying.facts(made)
    elif given.act == "note":
        saying.lines(f"noted in incident {made['number']}")
    else:
        lasted = review.lasted(made["resolved_us"] - made["started_us"])
        saying.lines(
            f"incident {made['number']} is over after {lasted}",
            f"learn of it: ciranda incident review {made['number']}",
        )
    return 0


def _draft(given: argparse.Namespace, told: views.Told) -> int:
    one = told.incident
    text = one.review or told.draft
    if given.json:
        saying.facts({"number": one.number, "draft": told.draft, "review": one.review})
        return 0
    if given.out == "-":
        sys.stdout.write(text)
        return 0
    path = Path(given.out or f"incident-{one.number}.md")
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        hint = f"keep what it says: ciranda incident review {one.number} --take {path}   or: --out FILE"
        raise errors.Refused(f"{path} is there already", hint=hint) from None
    except OSError as error:
        if files.no_room(error):
            raise
        raise errors.Refused(f"{path} cannot be written: {(error.strerror or '').lower()}", hint="--out FILE") from None
    saying.lines(
        f"a draft of the review is in {path}", f"when it is written: ciranda incident review {one.number} --take {path}"
    )
    return 0


def _take(given: argparse.Namespace, server: client.Client, project: str) -> int:
    try:
        text = Path(given.take).read_text(encoding="utf-8")
    except OSError as error:
        raise errors.NotFound(
            f"{given.take} cannot be read: {(error.strerror or '').lower()}", hint="--take FILE"
        ) from None
    except UnicodeDecodeError:
        raise errors.Invalid(f"{given.take} is not UTF-8", hint="--take FILE") from None
    made = server.post("incident/review", project=project, number=_number(given.which), text=text)
    if given.json:
        saying.facts(made)
        return 0
    saying.lines(f"the review of incident {made['incident']['number']} is kept")
    for item in made["items"]:
        saying.lines(f"  item/{item['number']}  {item['title']}   {item['owner']}")
    if made["items"]:
        number = made["items"][0]["number"]
        saying.lines(f'a commit closes one: git commit -m "… closes item/{number}"')
    return 0


def _number(text: str) -> int:
    return saying.number(text, "incident")


def _needs(act: str) -> str:
    return "a title" if act == "open" else "the number of an incident"


def _example(act: str) -> str:
    return '"what is wrong" -e prod' if act == "open" else "3"
