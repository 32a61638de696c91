"""`ciranda data`: large files that Git does not carry."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ciranda.app import data, local, remote
from ciranda.app import home as homes
from ciranda.app.client import Client
from ciranda.cli import words
from ciranda.kernel import errors

EXAMPLE = (
    "  ciranda data add data/big.parquet\n  git add ciranda.lock .gitignore && git commit -m 'New data'\n"
    "  ciranda data push && git push ciranda main\n  ciranda data pull"
)
_TIMEOUT = 600.0  # seconds for one answer of the server
_SIGNS = {"here": "✓", "changed": "!", "missing": "–"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "act",
        choices=("add", "push", "pull", "status"),
        help="add: into the store and ciranda.lock; push: send what the server lacks; pull: fetch what is missing here",
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or folders (push and status take all)")
    parser.add_argument("--force", action="store_true", help="pull: also over files that were changed here")


def main(given: argparse.Namespace) -> int:
    """0: done; 1: refused, or (status) something is changed or missing."""
    if given.act == "add" and not given.paths:
        raise errors.Usage("add needs a file", hint="ciranda data add data/big.parquet")
    if given.act in ("push", "status") and given.paths:
        raise errors.Usage(f"{given.act} takes no paths", hint=f"ciranda data {given.act}")
    if given.force and given.act != "pull":
        raise errors.Usage("--force is for pull", hint="ciranda data pull --force")
    with local.opened(given.home, Path.cwd(), create=True) as project:
        if given.act == "status":
            return _status(given, data.look(project.folder, project.database, project.store))
        done, said = _act(given, project)
    if given.json:
        _json({"project": project.project.name, given.act: [asdict(each) for each in done]})
    else:
        words.out(said)
    return 0


def _act(given: argparse.Namespace, project: local.Local) -> tuple[list[data.Moved], str]:
    folder, store = project.folder, project.store
    paths = [Path(path) for path in given.paths]

    def report(moved: data.Moved) -> None:
        if not given.json:
            words.out(f"  {moved.path}   {words.size(moved.size)}")

    match given.act:
        case "add":
            done = data.add(folder, store, paths, report)
            said = (
                "next: git add ciranda.lock .gitignore && git commit" if done else "nothing to add: all of it is there"
            )
        case "push":
            server = _server(project.home, folder)
            done = data.push(folder, store, server, report)
            where = "the server of this home" if server is None else server.url
            said = f"{where} has everything now" if done else f"nothing to send: {where} has everything"
        case _:
            done = data.pull(
                folder, project.database, store, _server(project.home, folder), report, only=paths, force=given.force
            )
            said = words.count(len(done), "file") + " fetched" if done else "nothing to fetch: everything is here"
    return done, said


def _server(home: homes.Home, folder: Path) -> Client | None:
    return None if remote.is_home(folder, home) else remote.server(folder, home, timeout=_TIMEOUT)


def _status(given: argparse.Namespace, found: list[data.File]) -> int:
    if given.json:
        _json({"files": [asdict(file) for file in found]})
    else:
        pad = max((len(file.path) for file in found), default=0)
        for file in found:
            rest = "" if file.state == "here" else f"   {file.state}"
            rest += "" if file.kept else "   not in the store of this home"
            words.out(f"{_SIGNS[file.state]} {file.path:<{pad}}   {words.size(file.size)}{rest}")
        if not found:
            words.out("no file is in ciranda.lock; add one: ciranda data add PATH")
        elif any(file.state == "missing" for file in found):
            words.out("fetch what is missing: ciranda data pull")
    return 0 if all(file.state == "here" for file in found) else 1


def _json(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
