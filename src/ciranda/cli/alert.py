"""`ciranda alert`: what fires, what is watched; acknowledge, silence."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ciranda.app import client, sampling
from ciranda.app import home as homes
from ciranda.app.views import alerts as views
from ciranda.app.views import project as projects
from ciranda.app.views import screen
from ciranda.cli import moments, words
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.monitor.alerts import wording
from ciranda.monitor.alerts.states import Alert

EXAMPLE = (
    '  ciranda alert list\n  ciranda alert rules -e prod\n  ciranda alert ack errors --note "it is the new index"\n'
    '  ciranda alert silence errors --for 2h --reason "the source is being moved"\n'
    "  ciranda alert unsilence errors"
)
STALE = 3 * 60 * 1_000_000  # µs after which an alert that nothing was measured of says so
ACTS = ("list", "rules", "ack", "silence", "unsilence")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "act", nargs="?", default="list", choices=ACTS, metavar="|".join(ACTS),
        help="list: what fires (default); rules: what is watched, measured now; ack: somebody looks after it",
    )  # fmt: skip
    parser.add_argument("alert", nargs="?", default="", metavar="RULE", help="which one: errors, or errors/delays")
    parser.add_argument("-e", "--environment", default="", metavar="NAME", help="in one environment alone")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--service", default="", metavar="NAME", help="silence: everything of one service")
    parser.add_argument("--for", dest="length", default="", metavar="TIME", help="silence: how long: 30min, 2h, 3d")
    parser.add_argument("--reason", default="", metavar="TEXT", help="silence: why, for everybody who wonders")
    parser.add_argument("--note", default="", metavar="TEXT", help="ack: what is known of it")
    parser.add_argument("--past", type=int, default=5, metavar="N", help="list: how many that are over (5)")


def main(given: argparse.Namespace) -> int:
    """0: done. `list` and `rules` succeed whatever fires; a script reads --json."""
    home = homes.locate(given.home)
    if given.act in ("ack", "unsilence") and not given.alert:
        raise errors.Usage(
            f"{given.act} needs a name", hint=f"what there is: ciranda alert list; ciranda alert {given.act} errors"
        )
    if given.act == "silence" and not (given.length and given.reason and (given.alert or given.service)):
        raise errors.Usage(
            "a silence needs a rule or a service, how long, and why",
            hint='ciranda alert silence errors --for 2h --reason "the source is being moved"',
        )
    if not 0 <= given.past <= 1000:
        raise errors.Usage(f"--past {given.past}: from 0 to 1000", hint="ciranda alert --help")
    with homes.opened(home) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        if given.act == "list":
            _list(given, database, project)
        elif given.act == "rules":
            _rules(given, database, store, home, project)
        else:
            _say(given, client.of_home(home).post(f"alerts/{given.act}", **asked(given, project)))
    return 0


def asked(given: argparse.Namespace, project: str) -> dict[str, Any]:
    """What the server is asked."""
    if given.act == "silence":
        return {
            "project": project, "environment": given.environment, "rule": given.alert, "service": given.service,
            "length": given.length, "reason": given.reason,
        }  # fmt: skip
    return {"project": project, "name": given.alert, "note": given.note}


def _list(given: argparse.Namespace, database: Database, project: str) -> None:
    told = views.gather(database, project, given.environment, past=given.past)
    if given.json:
        words.out(json.dumps(told.document(), ensure_ascii=False))
        return
    now = told.now_us
    for group, some in told.groups.items():
        words.out(group)
        for alert in some:
            for line in _firing(alert, now, silenced=told.silenced(alert)):
                words.out(f"  {line}")
    for alert in told.pending:
        words.out(f"{alert.group}")
        words.out(f"  ● {alert.rule}   waits for {screen.lasted(now - alert.since_us)}   {alert.text}")
    if not told.groups and not told.pending:
        where = f" in {given.environment}" if given.environment else ""
        words.out(f"nothing is alerting{where} in {project}; what is watched: ciranda alert rules")
    for silence in told.silences:
        of = " ".join(part for part in (silence.rule, silence.service, silence.environment) if part)
        left = screen.lasted(silence.until_us - now)
        words.out(f"silenced: {of} for {left} more by {silence.actor}: {silence.reason}")
    for alert in told.past:
        lasted = screen.lasted((alert.resolved_us or now) - (alert.fired_us or alert.since_us))
        at = moments.shown(alert.fired_us or alert.since_us, now)
        words.out(f"over      {at}   {alert.rule}   {alert.group}   {lasted}   {alert.reason}".rstrip())


def _firing(alert: Alert, now: int, *, silenced: bool) -> list[str]:
    facts = [alert.severity, f"for {screen.lasted(now - (alert.fired_us or now))}"]
    facts += [f"owner {alert.owner}"] if alert.owner else []
    facts += [alert.release] if alert.release else []
    facts += [f"acknowledged by {alert.acked_by}"] if alert.acked_by else []
    facts += ["silenced"] if silenced else []
    quiet = alert.source == "ciranda" and alert.under_us is None and now - alert.seen_us > STALE
    facts += [f"no data for {screen.lasted(now - alert.seen_us)}"] if quiet else []
    found = [f"✗ {alert.rule}   {'   '.join(facts)}", f"    {alert.text}"]
    found += [f"    {alert.acked_by}: {alert.note}"] if alert.note else []
    return [*found, *([f"    what to do: {alert.runbook}"] if alert.runbook else [])]


def _rules(given: argparse.Namespace, database: Database, store: Store, home: homes.Home, project: str) -> None:
    reading = sampling.of_home(home)
    found = views.watched(database, store, reading, project, given.environment)
    standings = views.standings(database, store, reading, project, given.environment)
    if given.json:
        told = {
            "project": project,
            "rules": [asdict(one) for one in found],
            "objectives": [{"environment": place, **asdict(one)} for place, one in standings],
        }
        words.out(json.dumps(told, ensure_ascii=False))
        return
    for one in found:
        seen = one.found
        mark = {"over": "✗", "under": "✓", "no data": "?"}[seen.outcome]
        of = " ".join(part for part in (seen.service, seen.part) if part)
        value = (
            "no data"
            if seen.outcome == "no data"
            else ""
            if seen.value is None
            else wording.said(seen.metric, seen.value)
        )
        owner = f"   {one.owner}" if one.owner else ""
        words.out(f"{one.environment}  {mark} {one.rule:<12} {of:<12} {value:>10}   {one.said}   {one.severity}{owner}")
    for place, standing in standings:
        used = "no data" if standing.used is None else f"{wording.share(standing.used)} of what may be bad is used"
        words.out(f"{place}  {standing.objective} {standing.kind} {wording.share(standing.promised)}: {used}")
    if not found:
        words.out(f"nothing is live in {project}, so nothing is watched: ciranda status")


def _say(given: argparse.Namespace, answer: dict[str, Any]) -> None:
    if given.json:
        words.out(json.dumps(answer, ensure_ascii=False))
        return
    of = " ".join(part for part in (answer.get("rule"), answer.get("service")) if part)
    match given.act:
        case "ack":
            words.out(f"{of}: you look after it; everybody sees that: ciranda alert list")
        case "silence":
            named = given.alert or given.service
            words.out(f"nobody is told of {of} for {given.length}; end it: ciranda alert unsilence {named}")
        case _:
            words.out(f"{of} is told again")
