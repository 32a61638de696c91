"""`ciranda job`: what an environment makes anew on a schedule or by hand."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import jobs as views
from ciranda.app.views import project as projects
from ciranda.app.views import screen
from ciranda.environment import jobs
from ciranda.kernel import clock, errors, lines
from ciranda.kernel.database import Database

EXAMPLE = (
    "  ciranda job list\n  ciranda job run nightly -e prod\n  ciranda job show nightly -e prod\n"
    "  ciranda job retry nightly -e prod"
)
SAYS = 2.0  # seconds after its end in which a run says its last lines
_ENDED = ("passed", "failed", "skipped")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "act",
        choices=("list", "run", "retry", "show"),
        metavar="list|run|retry|show",
        help="run: now; retry: the last one goes on from where it failed",
    )
    parser.add_argument("job", nargs="?", metavar="JOB", help="which one")
    parser.add_argument("-e", "--environment", metavar="NAME", help="the environment")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--detach", action="store_true", help="do not wait for its end")
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="how many runs to show (10)")


def main(given: argparse.Namespace) -> int:
    """0: done, or it passed; 1: it failed."""
    home = homes.locate(given.home)
    if given.act != "list" and not (given.job and given.environment):
        raise errors.Usage(
            f"{given.act} needs a job and an environment", hint=f"ciranda job {given.act} {given.job or 'JOB'} -e prod"
        )
    if given.runs < 1:
        raise errors.Usage(f"--runs {given.runs}: at least one", hint="ciranda job --help")
    with homes.opened(home) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        if given.act == "list":
            return _list(given, database, project)
        if given.act == "show":
            view = views.gather(database, store, project, given.environment, given.job, given.runs)
            _show(given, view)
            return 0
        asked = {"project": project, "environment": given.environment, "job": given.job}
        answer = client.of_home(home).post(f"job/{given.act}", **asked)
        return _follow(given, database, home, answer)


def _list(given: argparse.Namespace, database: Database, project: str) -> int:
    found = jobs.listing(database, project, given.environment or "")
    if given.json:
        _json({"project": project, "jobs": [asdict(one) for one in found]})
        return 0
    now_us = clock.now_us()
    pad = max((len(one.environment) for one in found), default=0)
    wide = max((len(one.name) for one in found), default=0)
    for one in found:
        first, *more = screen.job_lines(one.environment, one, wide, now_us)
        _say(f"{one.environment:<{pad}}   {first}", *(f"{'':<{pad}}   {line}" for line in more))
    if not found:
        where = f" in {given.environment}" if given.environment else ""
        _say(f"{project} has no jobs{where}; declare one: [jobs.NAME] in ciranda.toml")
    return 0


def _show(given: argparse.Namespace, view: views.View) -> None:
    if given.json:
        _json(view.document())
        return
    listed = view.listed
    facts = [", ".join(listed.run), listed.schedule or "by hand"]
    facts += [f"ready by {listed.ready_by}"] if listed.ready_by else []
    facts += [f"owner {listed.owner}"] if listed.owner else []
    _say(f"{view.project} {listed.name} in {listed.environment}   {'   '.join(facts)}")
    _say(*(f"  {line}" for line in screen.job_lines(listed.environment, listed, len(listed.name), clock.now_us())))
    for entry in view.entries:
        run = entry.of
        mark = {"passed": "✓", "failed": "✗", "skipped": "-"}.get(run.state, "●")
        took = screen.lasted(int(run.seconds * 1e6)) if run.seconds is not None else ""
        tried = f"try {run.attempt}" if run.attempt > 1 else ""
        said = "" if run.state == "passed" else run.reason or run.state
        cause = "" if run.cause == "schedule" else run.cause
        rest = "   ".join(part for part in (entry.release, entry.run, took, cause, tried, said) if part)
        _say(f"  {entry.due}  {mark} {rest}")
    if view.found:
        _say("", *view.found)
    for output in view.outputs:
        rows = f"   {output.rows:,} rows" if output.rows is not None else ""
        _say(f"{listed.environment} has {output.asset} {output.digest[:10]}{rows}   of {output.due}   {output.run}")


def _follow(given: argparse.Namespace, database: Database, home: homes.Home, answer: dict[str, Any]) -> int:
    """Print the lines of a run until it has come to its end; one that is tried again later goes on without us."""
    run = answer["id"]

    since: list[float] = []

    def over() -> bool:
        """It has come to an end, and had the time to say so."""
        now = jobs.get(database, run)
        if now is not None and now.state not in _ENDED and now.retry_us is None:
            since.clear()
        elif not since:
            since.append(time.monotonic())
        return bool(since) and time.monotonic() - since[0] > SAYS

    if not given.detach:
        for record in lines.follow(home.lines / f"{run}.jsonl", offset=answer["offset"], stop=over, wait=time.sleep):
            if record.get("text") and not given.json:
                _say(record["text"])
            if record.get("ends") or record.get("pauses"):
                break
    ended = jobs.get(database, run)
    if given.json:
        _json(answer | (asdict(ended) if ended is not None else {}))
    elif given.detach:
        _say(f"{given.job} is queued in {given.environment}; see: ciranda job show {given.job} -e {given.environment}")
    return 0 if given.detach or (ended is not None and ended.state == "passed") else 1


def _say(*texts: str) -> None:
    for text in texts:
        sys.stdout.write(text.rstrip() + "\n")
    sys.stdout.flush()


def _json(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
