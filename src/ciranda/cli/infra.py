"""`ciranda infra`: an environment's Terraform or OpenTofu: what there is, what was done, what has drifted."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ciranda.app import client, nearest
from ciranda.app import home as homes
from ciranda.app.views import infra as views
from ciranda.app.views import plan as plan_views
from ciranda.app.views import project as projects
from ciranda.cli import furnished
from ciranda.environment import plans, revisions, times
from ciranda.environment.infra import runs
from ciranda.kernel import errors, lines
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.release import releases

EXAMPLE = """\
  ciranda infra state -e prod            # what there is; --raw: the state as Terraform wrote it
  ciranda infra plan -e prod             # ask again, also where nothing of yours has changed
  ciranda infra drift -e prod            # is it as it was left? ends with 2 where it is not
  ciranda infra unlock -e prod"""
ACTS = ("state", "history", "plan", "drift", "unlock", "log")
SOMETHING = 2


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "act", choices=ACTS, help="state: what there is; history: what was done; log: what Terraform said last"
    )
    parser.add_argument(
        "what", nargs="?", metavar="WHAT", help="unlock: the lock that is meant; log: the run that is meant"
    )
    parser.add_argument("-e", "--environment", metavar="NAME", required=True, help="the environment")
    parser.add_argument("--raw", action="store_true", help="state: as Terraform wrote it; it holds secrets")
    parser.add_argument("--serial", type=int, metavar="N", help="state --raw: an older one")
    parser.add_argument("--most", type=int, default=20, metavar="N", help="history: how many lines (20)")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")


def main(given: argparse.Namespace) -> int:
    """0: it is so; 1: it could not be; 2: there is something to do."""
    home = homes.locate(given.home)
    if given.what and given.act not in ("unlock", "log"):
        raise errors.Usage(f"{given.act} takes no {given.what!r}", hint="ciranda infra --help")
    if (given.serial is not None or given.raw) and given.act != "state":
        raise errors.Usage("--raw and --serial are for a state", hint="ciranda infra state --raw -e ENVIRONMENT")
    with homes.opened(home) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        match given.act:
            case "state":
                return _state(given, home, database, store, project)
            case "history":
                return _history(given, database, project)
            case "plan":
                return _plan(given, home, database, store, project)
            case "drift":
                return _drift(given, home, database, store, project)
            case "unlock":
                return _unlock(given, home, project)
            case _:
                return _log(given, home, database, project)


def _state(given: argparse.Namespace, home: homes.Home, database: Database, store: Store, project: str) -> int:
    if given.raw or given.serial is not None:
        state = views.raw(database, store, home.root, project, given.environment, given.serial)
        sys.stdout.write(state.decode().rstrip("\n") + "\n")
        return 0
    view = views.gather(database, store, home.root, project, given.environment)
    _say(given, view.document(), views.lines(view))
    return 0


def _history(given: argparse.Namespace, database: Database, project: str) -> int:
    told = views.history(database, project, given.environment, given.most)
    written = views.written(database, project, given.environment)[: given.most]
    if not told and not written:
        raise errors.NotFound(
            f"nothing was done to the infrastructure of {given.environment}", hint=f"see: ciranda plan -e {given.environment}"
        )  # fmt: skip
    mine = [
        f"  serial {one['serial']}  {times.said(one['at_us'])}  {one['resources']} resources   {one['actor']}"
        for one in written
    ]
    _say(given, {"runs": told, "states": written}, [*(views.said(one) for one in told), "states", *mine])
    return 0


def _plan(given: argparse.Namespace, home: homes.Home, database: Database, store: Store, project: str) -> int:
    """What runs there, planned again: what drifted is put back by applying that."""
    now = revisions.current(database, project, given.environment)
    if now is None or now.gone:
        raise errors.NotFound(
            f"nothing runs in {given.environment} of {project}", hint=f"plan a release: ciranda plan -e {given.environment}"
        )  # fmt: skip
    release = releases.by_id(database, now.release).name
    if furnished.plan(home, database, store, project, given.environment, release, again=True) is None:
        raise errors.NotFound(f"{release} declares no infrastructure for {given.environment}", where="ciranda.toml")
    found = plan_views.gather(database, store, project, given.environment, release, folder=home.repositories)
    if not found.plan.empty:
        database.write(lambda tx: plans.save(tx, found.plan, actor=nearest.actor()))
    _say(given, found.document(), plan_views.lines(found))
    return 0 if found.plan.empty else SOMETHING


def _drift(given: argparse.Namespace, home: homes.Home, database: Database, store: Store, project: str) -> int:
    answer = client.of_home(home).post("infra/drift", project=project, environment=given.environment)
    furnished.ended(database, answer["run"], given.environment)
    view = views.gather(database, store, home.root, project, given.environment)
    _say(given, view.document(), views.drifted(view))
    return SOMETHING if view.place is not None and view.place.drift else 0


def _unlock(given: argparse.Namespace, home: homes.Home, project: str) -> int:
    answer = client.of_home(home).post(
        "infra/unlock", project=project, environment=given.environment, id=given.what or ""
    )
    who = f"the lock of {answer['who']} since {times.said(answer['at_us'])}"
    _say(given, answer, [f"{given.environment} is not locked any more: {who} is broken"])
    return 0


def _log(given: argparse.Namespace, home: homes.Home, database: Database, project: str) -> int:
    """What Terraform said, of the newest run unless one is named."""
    there = runs.history(database, project, given.environment, 1000)
    chosen = [one for one in there if one.id.startswith(given.what)] if given.what else there[:1]
    if not chosen:
        raise errors.NotFound(
            f"there is no such run of {given.environment}", hint=f"ciranda infra history -e {given.environment} --json"
        )
    path = home.lines / f"{chosen[0].id}.jsonl"
    said = [one["text"] for one in lines.follow(path, stop=lambda: True, wait=lambda _: None)] if path.exists() else []
    _say(
        given,
        {"run": chosen[0].id, "lines": said},
        [*said, *([] if said else ["Terraform said nothing that was kept"])],
    )
    return 0


def _say(given: argparse.Namespace, document: dict[str, Any], text: list[str]) -> None:
    if given.json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(text) + "\n")
