"""`ciranda logs`: print, follow and search what the steps of a run or a job, the instances of a service or the server wrote."""

import argparse
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from ciranda.app import local, looking
from ciranda.cli import moments, service_logs, sifting, words
from ciranda.environment import jobs
from ciranda.kernel import clock, errors, lines
from ciranda.pipeline import runs
from ciranda.project import names
from ciranda.service import logs, said

EXAMPLE = (
    "  ciranda logs run-7 --step price\n  ciranda logs -f\n  ciranda logs delays -e prod -f\n"
    '  ciranda logs delays -e prod --release r41 --since 1h --level error\n  ciranda logs delays --search "time-out" --json\n'
    "  ciranda logs nightly -e prod\n  ciranda logs --server control"
)
RUN = re.compile(r"run-\d+|\d+")
OF_SERVICES = ("release", "instance")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "what",
        nargs="?",
        metavar="run-N|SERVICE|JOB",
        help="a run (default: the last one), a service of the project, or a job: its last run",
    )
    parser.add_argument("--step", metavar="NAME", help="only this step or check")
    parser.add_argument("-e", "--environment", metavar="NAME", help="of services and jobs: only in this environment")
    parser.add_argument(
        "--release", metavar="RELEASE", help="of services: only instances of this release, ended ones too"
    )
    parser.add_argument("--instance", metavar="ID", help="of services: only the instance whose name ends so")
    parser.add_argument(
        "--server", choices=service_logs.PROCESSES, metavar="PROCESS", help="what a process of the server wrote: %(choices)s"
    )  # fmt: skip
    sifting.arguments(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends, or until Ctrl-C")


def main(given: argparse.Namespace) -> int:
    """Print lines; with --json one object a line."""
    wanted = sifting.wanted(given)
    if given.server:
        return service_logs.server(given, wanted)
    with local.opened(given.home, Path.cwd(), create=False) as here:
        job = _job(here, given)
        if job is None and _services(given):
            return service_logs.main(here, given, wanted)
        return _run(
            here, given, wanted, looking.run(here.database, here.project.name, given.what) if job is None else job
        )


def _run(here: local.Local, given: argparse.Namespace, wanted: logs.Wanted, found: runs.Run) -> int:
    """What the steps of a run wrote."""

    def ended() -> bool:
        now = runs.get(here.database, found.project, found.number)
        return not given.follow or now.state != "running"

    levels: dict[str, said.Levels] = {}
    chosen: list[tuple[dict[str, Any], logs.Line]] = []
    any_line = shown = False
    most = given.lines  # of a run everything is shown unless a number is asked for
    for record in lines.follow(here.home.runs / found.id / "log.jsonl", stop=ended, wait=time.sleep):
        step = str(record.get("step", ""))
        if given.step is not None and step != given.step:
            continue
        any_line = True
        said_by = levels.setdefault(step, said.Levels())
        for line in _lines(record, said_by):
            if not wanted.takes(line):
                continue
            shown = True
            if most is None or given.follow:
                _print(given, record, line)
            else:
                chosen = [*chosen, (record, line)][-most:] if most else []
    for record, line in chosen:
        _print(given, record, line)
    step_error = None if given.step is None else _step(here, found, given.step, written=any_line)
    if step_error and not given.json:
        words.out(step_error)
    elif not any_line and not given.json:
        failed = runs.get(here.database, found.project, found.number).state == "failed"
        why = f"; why it failed: ciranda show {found.name}" if failed else ""
        sys.stderr.write(f"{found.name} wrote nothing{f' in {given.step}' if given.step else ''}{why}\n")
    elif not shown:
        service_logs.nothing(given, wanted)
    return 0


def _job(here: local.Local, given: argparse.Namespace) -> runs.Run | None:
    """The run of the last run of a job, where a job is meant. Raises errors.NotFound, errors.Usage."""
    if given.what is None or any(getattr(given, name) is not None for name in OF_SERVICES):
        return None
    if RUN.fullmatch(given.what) or given.what in {one.name for one in here.project.services}:
        return None
    known = [one for one in jobs.listing(here.database, here.project.name) if one.name == given.what]
    places = sorted({one.environment for one in known})
    if not known:
        return None
    if given.environment is None and len(places) > 1:
        raise errors.Usage(
            f"{given.what} is a job of {' and '.join(places)}", hint=f"ciranda logs {given.what} -e {places[-1]}"
        )
    place = given.environment or places[0]
    history = jobs.history(here.database, here.project.name, place, given.what)
    run = next((found for one in history if one.run and (found := runs.by_id(here.database, one.run))), None)
    if run is None:
        raise errors.NotFound(
            f"no run of {given.what} in {place} has come to its end", hint=f"ciranda job show {given.what} -e {place}"
        )
    return run


def _services(given: argparse.Namespace) -> bool:
    """Whether what services wrote is asked for. Raises errors.Usage for a question that is neither."""
    run = given.what is not None and RUN.fullmatch(given.what) is not None
    asked = [name for name in ("environment", *OF_SERVICES) if getattr(given, name) is not None]
    if asked and (run or given.step):
        raise errors.Usage(f"--{asked[0]} is of services, and a run has steps", hint="ciranda logs --help")
    if given.step and given.what is not None and not run:
        raise errors.Usage(f"--step is of runs, and {given.what} is not one", hint="ciranda logs run-7 --step price")
    return bool(asked) or (given.what is not None and not run)


def _lines(record: dict[str, Any], levels: said.Levels) -> list[logs.Line]:
    """The lines of one record: what a step wrote at once."""
    found = []
    for text in str(record.get("text", "")).splitlines():
        one = said.read(text)
        level = levels.of(one, text)
        at_us = int(record.get("at_us", 0))
        found.append(logs.Line(str(record.get("step", "")), text, at_us, True, level, one.text, one.fields))
    return found


def _print(given: argparse.Namespace, record: dict[str, Any], line: logs.Line) -> None:
    if given.json:
        whole = str(record.get("text", ""))
        text = whole if len(whole.splitlines()) == 1 else line.text  # of several lines at once those that are asked for
        told = {**record, "text": text} | ({"level": line.level} if line.level else {})
        words.out(json.dumps(told, ensure_ascii=False))
    else:
        at = moments.shown(line.at_us, clock.now_us())
        words.out(f"{at}  {line.instance or 'import':<12}  {service_logs.plain(line.text)}")
    if given.follow:
        sys.stdout.flush()


def _step(here: local.Local, found: runs.Run, name: str, *, written: bool) -> str | None:
    """The error of a step or check that failed: it belongs to what was written. Raises errors.NotFound for no step of the run."""
    steps, outcomes = runs.steps(here.database, found), runs.outcomes(here.database, found)
    known = [*(step.step for step in steps), *(outcome.check for outcome in outcomes)]
    if name not in known and not written and found.state != "running":
        there = f"what there is: {', '.join(known) or 'nothing'}"
        hint = "        ".join(part for part in (names.suggestion(name, known), there) if part)
        raise errors.NotFound(f'{found.name} has no step or check "{name}"', hint=hint)
    for step in steps:
        if step.step == name and step.error:
            return step.error
    for outcome in outcomes:
        if outcome.check == name and outcome.error:
            return outcome.error
    return None
