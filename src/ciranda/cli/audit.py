"""`ciranda audit`: who did what and when, and whether that is as it was written."""

import argparse
import json
import sys
from datetime import UTC
from typing import Any

from ciranda.app.views import audit
from ciranda.cli import moments, people
from ciranda.kernel import clock

EXAMPLE = (
    "  ciranda audit --since 7d\n  ciranda audit --actor bea --project flights --json\n  ciranda audit --kind token"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("--since", metavar="WHEN", help="2026-11-20, or 30m, 12h, 7d, 2w ago")
    parser.add_argument("--actor", metavar="NAME", default="", help="of this user alone")
    parser.add_argument("--project", metavar="NAME", default="", help='of this project alone ("-": of the home)')
    parser.add_argument(
        "--kind", metavar="KIND", default="", help="plan.approved, or all that begin with a word: token"
    )
    parser.add_argument(
        "--most", type=int, default=100, metavar="N", help="how many, the newest ones (100; at most 1000)"
    )
    people.server_option(parser)


def main(given: argparse.Namespace) -> int:
    """0: the facts, each as it was written; 1: a chain of them was changed."""
    since = "0" if given.since is None else str(moments.since(given.since, clock.now_us(), zone=UTC))
    asked = {"actor": given.actor, "project": given.project, "kind": given.kind, "most": str(given.most)}
    answer = people.server(given).get("audit", since_us=since, **asked)
    broken = [chain for chain in answer["chains"] if chain["broken"]]
    if given.json:
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(lines(answer)) + "\n")
    return 1 if broken else 0


def lines(answer: dict[str, Any]) -> list[str]:
    """A line for each fact, the oldest first, and one for the chains."""
    told = answer["events"]
    who, kinds = (max((len(one[name]) for one in told), default=0) for name in ("actor", "kind"))
    found = [
        f"{people.day(one['at_us'])}  {one['actor']:<{who}}  {one['kind']:<{kinds}}  {one['project']}  {audit.words(one['body'])}".rstrip()
        for one in told
    ] or ["nothing was done"]
    if answer["earlier"] is not None:
        found.append("there are earlier ones: --since, --most")
    for chain in answer["chains"]:
        if chain["broken"]:
            found.append(f"✗ the facts of {chain['name']} are not as they were written: {chain['broken']}")
    if not any(chain["broken"] for chain in answer["chains"]):
        number = sum(chain["events"] for chain in answer["chains"])
        found.append(f"✓ all {number:,} facts are as they were written")
    return found
