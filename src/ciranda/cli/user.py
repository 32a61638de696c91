"""`ciranda user`: who there is, and what each may do where."""

import argparse
import json
import sys
from typing import Any

from ciranda.access.roles import ROLES
from ciranda.cli import people
from ciranda.kernel import errors

EXAMPLE = """\
  ciranda user add bea developer --project flights
  ciranda user grant bea operator --project flights -e prod
  ciranda user revoke bea --project flights -e prod
  ciranda user list"""
TAKES = {"list": (0, 0), "add": (1, 2), "grant": (2, 2), "revoke": (1, 1), "remove": (1, 1)}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "act", choices=tuple(TAKES), help="list, add NAME [ROLE], grant NAME ROLE, revoke NAME, remove NAME"
    )
    parser.add_argument("names", nargs="*", metavar="NAME [ROLE]", help=f"whom, and which role: {', '.join(ROLES)}")
    parser.add_argument("--project", metavar="NAME", help="where the role holds (default: everywhere)")
    parser.add_argument("-e", "--environment", metavar="NAME", help="in this environment of the project alone")
    people.server_option(parser)


def main(given: argparse.Namespace) -> int:
    """0: it is so."""
    least, most = TAKES[given.act]
    if not least <= len(given.names) <= most:
        raise errors.Usage(f"{given.act} takes {_takes(given.act)}", hint="ciranda user --help")
    server = people.server(given)
    if given.act == "list":
        answer = server.get("users")
        return _say(given, answer, listing(answer["users"]))
    where = {"project": given.project or "", "environment": given.environment or ""}
    name, *role = given.names
    asked = {"user": name, **where} | ({"role": role[0]} if role else {})
    if role and role[0] not in ROLES:
        raise errors.Usage(f"there is no role {role[0]!r}", hint=f"there are {', '.join(ROLES)}")
    answer = server.post(f"users/{given.act}", **asked)
    return _say(given, answer, _done(given.act, answer))


def listing(users: list[dict[str, Any]]) -> list[str]:
    """A line for each user, and one for each of their roles beyond the first."""
    width = max((len(one["name"]) for one in users), default=0)
    found = []
    for one in users:
        grants = [people.place(grant) for grant in one["grants"]] or ["nothing yet: ciranda user grant"]
        number = one["tokens"]
        known = (
            "" if number is None else "   no token" if number == 0 else f"   {number} token{'' if number == 1 else 's'}"
        )
        found.append(f"{one['name']:<{width}}  {grants[0]}{known}")
        found += [f"{'':<{width}}  {grant}" for grant in grants[1:]]
    return found


def _done(act: str, answer: dict[str, Any]) -> list[str]:
    name = answer["name"]
    if act == "remove":
        return [f"{name} is nobody here any more: tokens and sessions have ended"]
    said = [
        f"{name} is {' and '.join(people.place(grant) for grant in answer['grants']) or 'known, and may do nothing yet'}"
    ]
    return [*said, f"a token for them: ciranda token create --user {name}"] if act == "add" else said


def _takes(act: str) -> str:
    return {"list": "no names", "add": "NAME [ROLE]", "grant": "NAME ROLE"}.get(act, "NAME")


def _say(given: argparse.Namespace, document: dict[str, Any], lines: list[str]) -> int:
    sys.stdout.write((json.dumps(document, ensure_ascii=False) if given.json else "\n".join(lines)) + "\n")
    return 0
