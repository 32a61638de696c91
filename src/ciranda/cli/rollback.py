"""`ciranda rollback`: back to an older release, measured as users see it, and hold."""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import facts, swap, waiting
from ciranda.app.views import project as projects
from ciranda.environment import revisions
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes, infra_asking
from ciranda.release import manifest, releases

EXAMPLE = (
    "  ciranda rollback prod\n  ciranda rollback prod --to prod#17\n"
    '  ciranda rollback prod --to r40 --reason "late flights are missing"'
)


@dataclass(frozen=True, slots=True)
class Back:
    """What came of it. `first`: seconds until the first answer of the older release, None where nothing answers."""

    left: Mapping[str, Any]
    target: Mapping[str, Any]
    state: str
    reason: str
    first: float | None
    requests: int
    failed: int
    unkept: tuple[str, ...] = ()  # sources of the older release that no store keeps


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("environment", metavar="ENVIRONMENT", help="which one: prod")
    parser.add_argument(
        "--to",
        metavar="RELEASE",
        help="a release that was live there, or a revision with its configuration: prod#17 (default: the release before)",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for everybody who asks")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="how long to wait (120)")


def main(given: argparse.Namespace) -> int:
    """0: the older release, or the older configuration, answers; 1: it does not."""
    home = homes.locate(given.home)
    with homes.opened(home) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        back = perform(given, home, database, store, project)
        hint = [*infra(database, store, project, back), *revert(database, project, back)]
    done = back.first is not None or back.state == "reached"
    if given.json:
        said = {name: getattr(back, name) for name in back.__dataclass_fields__}
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join([*lines(back, given.timeout), *(hint if done else [])]) + "\n")
    return 0 if done else 1


def perform(given: argparse.Namespace, home: homes.Home, database: Database, store: Store, project: str) -> Back:
    """Ask the server, then ask the service until the older release answers."""
    environment, path = given.environment, home.state / "counters"
    server = client.of_home(home)
    before = swap.tally(path, project, environment)
    began = time.monotonic()
    answer = server.post("rollback", project=project, environment=environment, to=given.to, reason=given.reason)
    left, target = answer["from"], answer["to"]

    def given_up() -> bool:
        over = time.monotonic() - began > given.timeout
        return over or revisions.by_id(database, target["id"]).state in ("failed", "superseded")

    first, content = None, _content(store, releases.get(database, project, target["release"]))
    if target["services"] and left["release"] != target["release"]:
        service = target["services"][0]
        health = "/" if content is None else content.services[service].health
        asked = f"/{project}/{environment}/{service}/{health.lstrip('/')}"
        first = swap.first_answer(
            homes.gateway(home), asked, target["release"], began=began, given_up=given_up, headers={}
        )
        ended = revisions.by_id(database, target["id"])
    else:
        ended = waiting.for_revision(database, target["id"], timeout=given.timeout)
    seen = swap.tally(path, project, environment).since(before, own=first.asked if first else 0)
    seconds = None if first is None else round(first.seconds, 3)
    unkept = () if content is None else content.unkept
    return Back(left, target, ended.state, ended.reason, seconds, seen.requests, seen.failed, unkept)


def _content(store: Store, release: releases.Release) -> manifest.Manifest | None:
    """What a release is; None where that cannot be read here, so that what was done is told all the same."""
    try:
        return releases.manifest(store, release)
    except (errors.Corrupt, errors.NotFound):
        return None


def lines(back: Back, timeout: float) -> list[str]:
    """What came of it, as people read it."""
    left, target, place = back.left, back.target, back.target["environment"]
    step = f"{place} #{left['number']} ({left['release']}) → #{target['number']} ({target['release']})"
    if back.first is not None:
        requests = f"{back.failed:,} of {back.requests:,} requests failed" if back.requests else "no requests meanwhile"
        step += f"     first answer of {target['release']} after {back.first:.2f} s     {requests}"
    elif back.state == "reached":
        step += "     nothing to serve" if left["release"] != target["release"] else "     as it was configured then"
    else:
        why = back.reason or f"it does not answer after {timeout:g} s"
        step += f"     {target['release']} is not back: {why}\n     see: ciranda status -e {place}"
    held = f"{place} is held at {target['release']}: nothing new enters until  ciranda hold {place} --release"
    unkept = [f"! {target['release']} is {facts.unreplayable(back.unkept)}"] if back.unkept else []
    return [step, *unkept, held]


def infra(database: Database, store: Store, project: str, back: Back) -> list[str]:
    """What is said where the older release has other infrastructure: that does not go back by itself."""
    target, place = back.target, back.target["environment"]
    content = _content(store, releases.get(database, project, target["release"]))
    found = None if content is None else infra_asking.stands(database, project, place, content)
    if found is None or found.state in ("same", "left"):
        return []
    return [
        f"its infrastructure stays as it is; {target['release']} had another: ciranda plan -e {place} {target['release']}"
    ]


def revert(database: Database, project: str, back: Back) -> list[str]:
    """How to take the commit that was left out of the branch."""
    known = changes.project(database, project)
    if known is None or back.left["release"] == back.target["release"]:
        return []
    left, target = (releases.get(database, project, one["release"]) for one in (back.left, back.target))
    if left.commit_sha == target.commit_sha:
        said = f"{left.name} is the same commit with other data; when that is mended where it lies:"
        return [f"{said}   ciranda run --refresh"]
    commit = left.commit_sha[:7]
    return [
        f"the commit is still on {known.branch}; to take it out:   git revert {commit} && git push ciranda {known.branch}"
    ]
