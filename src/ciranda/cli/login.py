"""`ciranda login`: keep a token for a server, for this command line and for Git."""

import argparse
import getpass
import json
import os
import sys
from pathlib import Path

from ciranda.app import client, logins
from ciranda.kernel import errors

EXAMPLE = """\
  ciranda login http://ci.example:7700
  ciranda login http://ci.example:7700 --forget"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("url", metavar="URL", help="the server: http://HOST:PORT")
    parser.add_argument("--forget", action="store_true", help="take the token away from here")


def main(given: argparse.Namespace) -> int:
    """0: the server knows the token, and it is kept. It is asked for, or read from standard input, never an argument."""
    url = logins.address(given.url)
    if given.forget:
        there = logins.drop(url)
        _say(
            given, {"url": url, "forgotten": there}, f"{url}: {'forgotten here' if there else 'no token was kept here'}"
        )
        return 0
    token = _token(url)
    user = client.Client(url, token).get("me")
    kept = logins.keep(url, token)
    git = logins.teach_git(Path.cwd(), url)
    lines = [f"{url} knows you as {user['name']}; the token is kept in {kept}"]
    if git:
        lines.append(f"Git in this repository uses it too: git remote add ciranda {url}/git/PROJECT.git")
    else:
        lines.append("run it again inside a repository, so that Git there uses it too")
    _say(
        given,
        {"url": url, "user": user["name"], "grants": user["grants"], "file": str(kept), "git": git},
        "\n".join(lines),
    )
    return 0


def _token(url: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    if os.environ.get("CI"):
        raise errors.Usage("nobody is asked while CI is set", hint=f"pipe it: ciranda login {url} < FILE")
    try:
        return getpass.getpass(f"token for {url} (not shown): ").strip()
    except EOFError:
        return ""


def _say(given: argparse.Namespace, document: dict[str, object], text: str) -> None:
    sys.stdout.write((json.dumps(document, ensure_ascii=False) if given.json else text) + "\n")
