"""`ciranda token`: what users are known by. A token is shown once, when it is made."""

import argparse
import json
import sys
from typing import Any

from ciranda.cli import people
from ciranda.kernel import errors

EXAMPLE = """\
  ciranda token create --user bea --days 30
  ciranda token list
  ciranda token revoke 3f9a1c0b77d2e401"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("act", choices=("create", "list", "revoke"), help="create, list, revoke ID")
    parser.add_argument("id", nargs="?", metavar="ID", help="revoke: which one, as list names it")
    parser.add_argument("--user", metavar="NAME", default="", help="create: for whom (default: yourself)")
    parser.add_argument("--label", metavar="TEXT", default="", help="create: what it is for")
    parser.add_argument(
        "--days", type=int, default=90, metavar="N", help="create: how long it is good (90; 0: until it is revoked)"
    )
    people.server_option(parser)


def main(given: argparse.Namespace) -> int:
    """0: done."""
    if (given.act == "revoke") != bool(given.id):
        raise errors.Usage("revoke takes an ID, and nothing else does", hint="which there are: ciranda token list")
    server = people.server(given)
    match given.act:
        case "list":
            answer = server.get("tokens")
            lines = listing(answer["tokens"])
        case "create":
            answer = server.post("tokens", user=given.user, label=given.label, days=given.days)
            ends = (
                "until it is revoked" if answer["until_us"] is None else f"until {people.day(answer['until_us'])} UTC"
            )
            lines = [answer["token"], f"a token of {answer['user']}, good {ends}; it is not shown again"]
        case _:
            named = given.id.removeprefix("cir_")[:16]
            answer = server.post("tokens/revoke", token=named)
            lines = [f"the token {named} of {answer['user']} is nobody's any more"]
    sys.stdout.write((json.dumps(answer, ensure_ascii=False) if given.json else "\n".join(lines)) + "\n")
    return 0


def listing(tokens: list[dict[str, Any]]) -> list[str]:
    """A line for each token: never itself."""
    width = max((len(one["user"]) for one in tokens), default=0)
    found = []
    for one in tokens:
        ends = "until it is revoked" if one["until_us"] is None else f"until {people.day(one['until_us'])}"
        found.append(
            f"{one['id']}  {one['user']:<{width}}  made {people.day(one['at_us'])}, good {ends}   {one['label']}".rstrip()
        )
    return found or ["none"]
