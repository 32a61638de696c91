"""What the instances of a service wrote: printed, and followed while they write more."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from ciranda.app import local
from ciranda.cli import words
from ciranda.kernel import errors, sockets
from ciranda.project import names
from ciranda.service import logs

ASK = 2.0  # seconds for an answer of the keeper


def main(here: local.Local, given: argparse.Namespace) -> int:
    """Print what was asked for. Raises errors.NotFound for what never ran."""
    chosen = _chosen(here, given)
    running = _running(here)
    there = [log for log in chosen() if running is None or log.stem in running]
    first = chosen() if given.release or given.instance else there or chosen()[-1:]
    if not first and not given.follow:
        raise _nothing(here, given)
    left_out = {log for log in chosen() if log not in first}  # they ended: nothing comes of them any more
    looked = logs.follow(
        lambda: [log for log in chosen() if log not in left_out],
        lines=given.lines,
        stop=lambda: not given.follow,
        wait=_wait,
    )
    writers: dict[str, logs.Writer] = {}
    for line in looked:
        if line.instance not in writers:
            writers |= {log.stem: logs.writer(log) for log in chosen()}
        _print(given, writers[line.instance], line.text)
    return 0


def _wait(seconds: float) -> None:
    """What was printed is seen before more is waited for."""
    sys.stdout.flush()
    time.sleep(seconds)


def _chosen(here: local.Local, given: argparse.Namespace) -> Callable[[], list[Path]]:
    """The logs that are meant, looked for anew at each call. Raises errors.NotFound."""
    folder, project = here.home.logs, here.project
    every = {(one.environment, one.service) for one in map(logs.writer, logs.everywhere(folder, project.name))}
    services = {one.name for one in project.services} | {service for _, service in every}
    environments = {one.name for one in project.environments} | {environment for environment, _ in every}
    _known("service", given.what, services, project.name)
    _known("environment", given.environment, environments, project.name)

    def chosen() -> list[Path]:
        found = []
        for log in logs.everywhere(folder, project.name):
            one = logs.writer(log)
            wanted = (
                (given.what, one.service),
                (given.environment, one.environment),
                (given.release, one.release),
            )
            if all(asked in (None, has) for asked, has in wanted) and one.instance.endswith(given.instance or ""):
                found.append(log)
        return found

    return chosen


def _known(kind: str, name: str | None, there: Collection[str], project: str) -> None:
    if name is not None and name not in there:
        listed = f"what there is: {', '.join(sorted(there)) or 'nothing'}"
        hint = "        ".join(part for part in (names.suggestion(name, there), listed) if part)
        raise errors.NotFound(f"{project} has no {kind} {name}", hint=hint)


def _nothing(here: local.Local, given: argparse.Namespace) -> errors.NotFound:
    whose = f"of {given.what}" if given.what else "of a service"
    where = f" in {given.environment}" if given.environment else ""
    which = f" of {given.release}" if given.release else ""
    if given.instance:
        which += f" whose name ends in {given.instance}"
    return errors.NotFound(
        f"no instance {whose}{which} has written anything{where}",
        where=str(here.home.root),
        hint="what runs: ciranda status      what ran: ls " + str(here.home.logs / "instances" / here.project.name),
    )


def _running(here: local.Local) -> set[str] | None:
    """The instances that live; None: nobody knows, since no server runs."""
    try:
        listed = sockets.ask(here.home.sockets / "keeper", {"type": "list"}, ASK)
    except errors.Unreachable:
        return None
    return {child["id"] for child in listed["children"] if child["role"] == "instance" and child["exit"] is None}


def _print(given: argparse.Namespace, writer: logs.Writer, text: str) -> None:
    if given.json:
        said: dict[str, Any] = {
            "environment": writer.environment,
            "service": writer.service,
            "release": writer.release,
            "instance": writer.instance,
            "text": text,
        }
        words.out(json.dumps(said, ensure_ascii=False))
        return
    shown = "".join(c if c.isprintable() or c == "\t" else "�" for c in text)
    place = "" if given.environment else f"{writer.environment} "
    service = "" if given.what else f"{writer.service} "
    words.out(f"{place}{service}{writer.release} {writer.short}  {shown}")
