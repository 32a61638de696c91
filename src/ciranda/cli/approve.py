"""`ciranda approve`: let a plan be applied, by its digest, or a change in that asks a person."""

import argparse
import json
import sys
from pathlib import Path

from ciranda.app import client, nearest
from ciranda.app import home as homes
from ciranda.app.views import plan as views
from ciranda.app.views import project as projects
from ciranda.app.views import saved
from ciranda.environment import emergencies, plans, saved_plans
from ciranda.kernel import errors
from ciranda.loop import approvals

EXAMPLE = (
    "  ciranda approve b3:9ad1c0\n  ciranda approve r42 -e prod\n  ciranda approve change/7\n"
    '  ciranda approve emergency/prod#17 --note "it was right: see incident 3"'
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "plan",
        metavar="DIGEST|FILE|RELEASE|change/N|emergency/ENV#N",
        help="a plan, with -e a release whose plan is made now, a change that asks a person, or an emergency that was reviewed",
    )
    parser.add_argument("--note", default="", metavar="TEXT", help="what the review of an emergency came to")
    parser.add_argument("-e", "--environment", metavar="NAME", help="the environment that the release would enter")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")


def main(given: argparse.Namespace) -> int:
    """0: it is approved. An approval of a plan that has become another one counts for nothing."""
    home = homes.locate(given.home)
    with homes.opened(home) as (database, store):
        if given.environment:
            project = projects.choose(database, given.project, Path.cwd())
            found = views.gather(database, store, project, given.environment, given.plan)
            name = database.write(lambda tx: plans.save(tx, found.plan, actor=nearest.actor()))
        elif given.plan.startswith(approvals.CHANGE):
            name = approvals.named(projects.choose(database, given.project, Path.cwd()), given.plan)
        elif given.plan.startswith(emergencies.PREFIX):
            name = emergencies.named(projects.choose(database, given.project, Path.cwd()), given.plan)
        else:
            name = _named(given.plan)
        answer = client.of_home(home).post("approve", plan=name, note=given.note)
    if given.json:
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(lines(answer)) + "\n")
    return 0


def lines(answer: dict[str, object]) -> list[str]:
    """What came of it, as people read it."""
    if "change" in answer:
        return [f"change {answer['change']} of {answer['project']} goes on without a verdict: {answer['reason']}"]
    if "emergency" in answer:
        return [f"the emergency of {answer['environment']} is reviewed"]
    by, needed = list(answer["by"]), int(str(answer["needed"]))  # type: ignore[call-overload]
    name, place = saved_plans.short(str(answer["plan"])), answer["environment"]
    told = f"the plan {name} for {place} is approved by {', '.join(by)}"
    if not answer["new"]:
        told += " (you did before)"
    left = needed - len(by)
    return [told, f"{left} more to go" if left > 0 else f"it may enter: ciranda apply {name}, if it does not by itself"]


def _named(given: str) -> str:
    if given.startswith("r") and given[1:].isdecimal():
        raise errors.Usage(f"a plan of {given} is for an environment", hint=f"ciranda approve {given} -e ENVIRONMENT")
    return saved.named(given)
