"""`ciranda secret`: sealed values that services get as files. A value is typed or piped in, never an argument."""

import argparse
import base64
import getpass
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import configuration as views
from ciranda.app.views import project as projects
from ciranda.cli import config
from ciranda.environment import secrets
from ciranda.kernel import errors
from ciranda.kernel.database import Database

EXAMPLE = "  ciranda secret set DB_URL -e prod\n  ciranda secret set TEAM_URL --notify\n  ciranda secret list -e prod"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "act", choices=("set", "list"), help="set: asks for the value, or takes it from standard input: … < FILE"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="set: which one")
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("-e", "--environment", metavar="NAME", help="the environment whose services get it")
    whose.add_argument("--notify", action="store_true", help="for the channels of [notify.NAME]: no service gets it")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--detach", action="store_true", help="do not wait until services have it")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="how long to wait (120)")


def main(given: argparse.Namespace) -> int:
    """0: done; 1: services did not become live with it."""
    home = homes.locate(given.home)
    if given.act == "list":
        if given.names:
            raise errors.Usage("list takes no names", hint="ciranda secret --help")
        return _list(given, home)
    where = "--notify" if given.notify else f"-e {given.environment}"
    hint = f"it is asked for:  ciranda secret set NAME {where}   or piped:  … < FILE"
    if not given.names:
        raise errors.Usage("set needs a name", hint=hint)
    if len(given.names) > 1 or "=" in given.names[0]:
        raise errors.Usage("a value is never given on the command line, where others can see it", hint=hint)
    (name,) = given.names
    secrets.check_name(name)
    with homes.opened(home) as (database, _):
        if given.notify:
            project, declared = _own(given, database), True
        else:
            project, declared = views.meant(database, given.project, given.environment, Path.cwd())
        environment = secrets.PROJECT if given.notify else given.environment
        value = base64.b64encode(_value(name, where)).decode()
        asked = {"name": name, "value": value, "declared": declared}
        answer = client.of_home(home).post("secret", project=project, environment=environment, **asked)
        if given.notify:
            return _kept(given, answer)
        what = f"{name} version {answer['version']}"
        same = "nothing that runs there names it" if answer["new"] else "this is its value already"
        return config.follow(given, database, answer, what, same)


def _own(given: argparse.Namespace, database: Database) -> str:
    """The project whose channels are meant: it need not have been pushed yet."""
    here = str(projects.declared(Path.cwd()).get("name", ""))
    if here and here == (given.project or here):
        return here
    return projects.choose(database, given.project, Path.cwd())


def _kept(given: argparse.Namespace, answer: dict[str, Any]) -> int:
    if given.json:
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return 0
    new = "" if answer["new"] else ": this is its value already"
    sys.stdout.write(f"{answer['name']} version {answer['version']}{new}; try it: ciranda notify test CHANNEL\n")
    return 0


def _value(name: str, where: str) -> bytes:
    """What is typed without echo, or all of standard input; one line loses the end of the line."""
    if sys.stdin.isatty():
        if os.environ.get("CI"):
            raise errors.Usage(
                "nobody is asked while CI is set", hint=f"pipe it: ciranda secret set {name} {where} < FILE"
            )
        try:
            return getpass.getpass(f"{name} for {where.removeprefix('-e ').removeprefix('--')} (not shown): ").encode()
        except EOFError:
            return b""
    data = sys.stdin.buffer.read(secrets.LONGEST + 2)
    line = data.removesuffix(b"\n").removesuffix(b"\r") if data.endswith(b"\n") else data
    return data if b"\n" in line else line


def _list(given: argparse.Namespace, home: homes.Home) -> int:
    with homes.opened(home) as (database, store):
        if given.notify:
            return _list_own(given, database)
        project = projects.choose(database, given.project, Path.cwd())
        view = views.gather(database, store, project, given.environment)
    if given.json:
        document = view.document()
        del document["config"]
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        return 0
    sys.stdout.write(f"{view.project} {view.environment}\n")
    names = max((len(one.name) for one in view.secrets), default=0)
    for one in view.secrets:
        users = f"   used by {', '.join(one.users)}" if one.users else "   nothing there names it"
        if one.version:
            runs = f"   version {one.running} runs" if one.running not in (None, one.version) else ""
            said = f"version {one.version}   {config.when(one.at_us)}   {one.actor}{runs}"
        else:
            said = f"not set: ciranda secret set {one.name} -e {given.environment}"
        sys.stdout.write(f"  {one.name:<{names}}  {said}{users}\n")
    if not view.secrets:
        sys.stdout.write(f"  none: ciranda secret set NAME -e {given.environment}\n")
    return 0


def _list_own(given: argparse.Namespace, database: Database) -> int:
    """Those of the channels."""
    project = _own(given, database)
    found = secrets.listed(database, project, secrets.PROJECT)
    if given.json:
        told = [asdict(one) for one in found]
        sys.stdout.write(json.dumps({"project": project, "secrets": told}, ensure_ascii=False) + "\n")
        return 0
    sys.stdout.write(f"{project} notify\n")
    for one in found:
        sys.stdout.write(f"  {one.name}  version {one.version}   {config.when(one.at_us)}   {one.actor}\n")
    if not found:
        sys.stdout.write("  none: ciranda secret set NAME --notify\n")
    return 0
