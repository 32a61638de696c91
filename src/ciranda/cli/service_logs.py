"""What the instances of a service, or the server's own processes, wrote: printed, searched, and followed while they write more."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.app import local
from ciranda.cli import moments, sifting, words
from ciranda.kernel import clock, errors, sockets
from ciranda.project import names
from ciranda.service import logs

ASK = 2.0  # seconds for an answer of the keeper
PROCESSES = ("control", "gateway", "keeper", "runner")


def main(here: local.Local, given: argparse.Namespace, wanted: logs.Wanted) -> int:
    """Print what was asked for. Raises errors.NotFound for what never ran."""
    chosen = _chosen(here, given)
    running = _running(here)
    there = [log for log in chosen() if running is None or log.stem in running]
    every = given.release or given.instance or given.since
    first = chosen() if every else there or chosen()[-1:]
    if not first and not given.follow:
        raise _nothing(here, given)
    left_out = {log for log in chosen() if log not in first}  # they ended: nothing comes of them any more
    looked = logs.follow(
        lambda: [log for log in chosen() if log not in left_out],
        wanted=wanted,
        most=sifting.most(given),
        stop=lambda: not given.follow,
        wait=_wait,
    )
    writers: dict[str, logs.Writer] = {}
    found = False
    for line in looked:
        found = True
        if line.instance not in writers:
            writers |= {log.stem: logs.writer(log) for log in chosen()}
        writer = writers[line.instance]
        if given.json:
            _json(line, **{name: getattr(writer, name) for name in ("environment", "service", "release", "instance")})
        else:
            place = "" if given.environment else f"{writer.environment} "
            service = "" if given.what else f"{writer.service} "
            _print(line, f"{place}{service}{writer.release} {writer.short}  ")
    if not found:
        nothing(given, wanted)
    return 0


def nothing(given: argparse.Namespace, wanted: logs.Wanted) -> None:
    """There are lines, and none is what was asked for: whoever sees nothing is told so."""
    if not given.json and not wanted.every and given.lines != 0:
        sys.stdout.flush()
        sys.stderr.write("no line is what was asked for\n")


def server(given: argparse.Namespace, wanted: logs.Wanted) -> int:
    """What a process of the server wrote. Raises errors.NotFound, errors.Usage."""
    if given.what or given.environment or given.release or given.instance or given.step:
        raise errors.Usage("--server is of the server alone", hint=f"ciranda logs --server {given.server}")
    home = homes.locate(given.home)
    log = home.logs / f"{given.server}.log"
    if not log.exists():
        raise errors.NotFound(f"{given.server} has not run here", where=str(home.root), hint="start it: ciranda up")
    looked = logs.follow(
        lambda: [log], wanted=wanted, most=sifting.most(given), stop=lambda: not given.follow, wait=_wait
    )
    found = False
    for line in looked:
        if given.json:
            _json(line, process=given.server)
        else:
            _print(line, "")
        found = True
    if not found:
        nothing(given, wanted)
    return 0


def plain(text: str) -> str:
    """A line as a terminal may have it: nothing in it moves the cursor."""
    return "".join(c if c.isprintable() or c == "\t" else "�" for c in text)


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


def _json(line: logs.Line, **whose: str) -> None:
    said: dict[str, Any] = {
        "time": datetime.fromtimestamp(line.at_us / 1e6, UTC).isoformat(timespec="microseconds"),
        "exact": line.exact,
        "level": line.level,
        **whose,
        "text": line.text,
    }
    if line.fields:
        said |= {"message": line.message, "fields": dict(line.fields)}
    words.out(json.dumps(said, ensure_ascii=False))


def _print(line: logs.Line, whose: str) -> None:
    at = moments.shown(line.at_us, clock.now_us())
    words.out(f"{' ' if line.exact else '~'}{at}  {whose}{plain(line.text)}")
