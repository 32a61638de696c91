"""`ciranda config`: the configuration of an environment, each value with its layer; what is set here wins over what is pushed."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import configuration as views
from ciranda.app.views import project as projects
from ciranda.app.views import waiting
from ciranda.kernel import errors
from ciranda.kernel.database import Database

EXAMPLE = "  ciranda config set LOG_LEVEL=debug -e prod\n  ciranda config list -e prod\n  ciranda config unset LOG_LEVEL -e prod"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("act", choices=("set", "unset", "list"), help="unset: what the commit says holds again")
    parser.add_argument("settings", nargs="*", metavar="NAME[=VALUE]", help="set: NAME=VALUE …; unset: NAME …")
    parser.add_argument("-e", "--environment", metavar="NAME", required=True, help="the environment")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--detach", action="store_true", help="do not wait until it is so")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="how long to wait (120)")


def main(given: argparse.Namespace) -> int:
    """0: it is so; 1: it could not be, or not in time."""
    home = homes.locate(given.home)
    if (given.act == "list") == bool(given.settings):
        wanted = "list takes no names" if given.settings else f"{given.act} needs a name"
        raise errors.Usage(wanted, hint="ciranda config --help")
    assign, unset = _asked(given)
    with homes.opened(home) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        if given.act == "list":
            return _list(given, views.gather(database, store, project, given.environment))
        answer = client.of_home(home).post(
            "config", project=project, environment=given.environment, set=assign, unset=unset
        )
        what = ", ".join(
            [*(f"{name} is {value}" for name, value in assign.items()), *(f"{name} is unset" for name in unset)]
        )
        return follow(given, database, answer, what, "as it was there already, or not declared by what runs there yet")


def _asked(given: argparse.Namespace) -> tuple[dict[str, str], list[str]]:
    if given.act != "set":
        return {}, list(given.settings)
    assign = {}
    for word in given.settings:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise errors.Usage(f"{word}: write NAME=VALUE", hint="ciranda config set LOG_LEVEL=debug -e prod")
        assign[name] = value
    return assign, []


def follow(given: argparse.Namespace, database: Database, answer: dict[str, Any], what: str, same: str) -> int:
    """Wait for the revision that a change made, and say what became of it; `same`: why it made none."""
    made, began = answer["to"], time.monotonic()
    state, reason, name = "same", same, given.environment
    if made is not None:
        name, state, reason = made["name"], "target", ""
        if not given.detach:
            ended = waiting.for_revision(database, made["id"], timeout=given.timeout)
            state, reason = ended.state, ended.reason
    seconds = round(time.monotonic() - began, 2)
    done = state in ("same", "reached") or (state == "target" and given.detach)
    if given.json:
        said = answer | {"state": state, "reason": reason, "seconds": seconds}
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    elif state == "same":
        sys.stdout.write(f"{name}: {what}; no new revision: {same}\n")
    elif state == "reached":
        sys.stdout.write(f"{name}: {what}; live after {seconds:.1f} s\n")
    elif done:
        sys.stdout.write(f"{name}: {what}; it is on its way: ciranda status -e {given.environment}\n")
    else:
        why = reason or f"it is not so after {given.timeout:g} s; see: ciranda status -e {given.environment}"
        sys.stdout.write(f"{name}: {what}; that did not become live: {why}\n")
    return 0 if done else 1


def _list(given: argparse.Namespace, view: views.View) -> int:
    if given.json:
        document = view.document()
        del document["secrets"]
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        return 0
    at = view.revision or "nothing runs there yet"
    sys.stdout.write(f"{view.project} {view.environment}   {at}{f' ({view.release})' if view.release else ''}\n")
    names = max((len(row.name) for row in view.config), default=0)
    values = max((len(views.text(row.value)) for row in view.config), default=0)
    for row in view.config:
        who = f"   {row.actor}, {when(row.at_us)}" if row.at_us else ""
        note = f"   {row.note}" if row.note else ""
        sys.stdout.write(f"  {row.name:<{names}}  {views.text(row.value):<{values}}   {row.layer}{who}{note}\n")
    if not view.config:
        sys.stdout.write("  nothing is declared: [config.NAME] in ciranda.toml\n")
    return 0


def when(at_us: int | None) -> str:
    """A time as people read it."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime((at_us or 0) / 1e6))
