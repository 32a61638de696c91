"""`ciranda show`: what there is: assets, runs, rows, evidence."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ciranda.app import local, looking
from ciranda.app.views import lineage as views
from ciranda.cli import showing, tables, words
from ciranda.environment import revisions
from ciranda.kernel import errors
from ciranda.pipeline import runs, tries
from ciranda.pipeline.records import Outcome, StepResult
from ciranda.project import names
from ciranda.release import releases

EXAMPLE = """\
  ciranda show                     # the last run
  ciranda show sales               # a version: what made it, what uses it; also sales@run-3, @r41, @prod, @b3:41c0
  ciranda show sales@r41 --where "day = '2013-01-01'"      # these rows, and those of its sources that agree
  ciranda show prod                # what an environment runs, and what that is made of; also r41
  ciranda show 019661e5c3b19f03a17be2d40000002a-r42        # the id of a request: who answered it, made of what"""
_RUNS = 5
_STATES = {"pass": "passed", "warn": "warned", "fail": "failed", "inconclusive": "unsure"}  # of a verdict, as marked
_ID = re.compile(r"[0-9A-Fa-f-]{16,}(-r[0-9]+)?")  # what somebody may take for the id of a request


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "what",
        nargs="?",
        metavar="WHAT",
        help="ASSET, ASSET@run-N | r41 | prod | b3:…, run-N, r41, prod, or a request's id (default: the last run)",
    )
    parser.add_argument("-e", "--environment", metavar="NAME", help="as it is live in this environment")
    parser.add_argument("--check", metavar="NAME", help="what this check of the asset found, with its rows")
    parser.add_argument("--rows", type=int, default=5, metavar="N", help="rows of a table (default: 5)")
    parser.add_argument(
        "--where", metavar="SQL", help="the rows for which this is true, and those of the sources like them"
    )


def main(given: argparse.Namespace) -> int:
    """Print what was asked for; nothing is run."""
    if given.what is not None and _ID.fullmatch(given.what):
        return showing.request(given)
    with local.opened(given.home, Path.cwd(), create=False) as here:
        project = here.project.name
        named = given.what if given.what is not None else given.environment
        if named is None or looking.run_number(named) is not None:
            _whole(given, "a run")
            found = looking.run(here.database, project, named)
            history = runs.history(here.database, project, _RUNS) if named is None else []
            _run(given, found, looking.assets(here.database, found), history, here)
        elif _is_place(named, here, given):
            _whole(given, "a release")
            ground = showing.ground(here)
            if views.is_release(named):
                showing.release(given, views.story(ground, releases.get(here.database, project, named)), here)
            else:
                revision = views.live(ground, project, named)
                story = views.story(ground, releases.by_id(here.database, revision.release), revision)
                showing.release(given, story, here)
        else:
            _asset(given, views.find(showing.ground(here), project, named, given.environment), here)
    return 0


def _asset(given: argparse.Namespace, found: views.Found, here: local.Local) -> None:
    if given.check:
        _check(given, found.asset, here)
    elif given.where is not None:
        showing.rows(given, found, here)
    else:
        showing.version(given, found, here)


def _whole(given: argparse.Namespace, what: str) -> None:
    """Refuse what can only be asked of an asset."""
    for option in ("check", "where"):
        if getattr(given, option) is not None:
            raise errors.Usage(f"--{option} needs an asset, not {what}", hint=f"ciranda show ASSET --{option} …")


def _is_place(named: str, here: local.Local, given: argparse.Namespace) -> bool:
    """Whether a release or an environment is meant; an asset of that name comes first, unless -e says the name."""
    if "@" in named or (given.what is not None and given.environment is not None):
        return False
    if given.what is None:
        return True
    try:
        looking.asset(here.database, here.project.name, named)
    except errors.NotFound:
        known = [place.name for place in revisions.environments(here.database, here.project.name)]
        return views.is_release(named) or named.partition("#")[0] in known
    return False


def _run(
    given: argparse.Namespace,
    found: runs.Run,
    assets: list[looking.Asset],
    history: list[runs.Run],
    here: local.Local,
) -> None:
    if given.json:
        told = {"run": _run_document(found), "assets": [showing.document(asset) for asset in assets]}
        showing.told(told | ({"runs": [_run_document(each) for each in history]} if history else {}))
        return
    words.out(f"{found.project} · {found.name} {_run_line(found)}")
    wide = max([12, *(len(asset.result.step) for asset in assets)])
    for asset in assets:
        step = asset.result
        if step.version is None:
            words.out(f"  {words.mark(step.state)} {step.step:<{wide}}  {words.clip(_cause(step), 80)}")
            continue
        files = showing.files(here.store, step.version)
        states = runs.count([runs.verdict(outcome) for outcome in asset.outcomes])
        checks = ", ".join(f"{number} {state}" for state, number in states.items())
        held = words.contents(step.version, files)
        line = f"  {words.mark(step.state)} {step.step:<{wide}}  {step.version.kind:<8} {held:<36} {step.version.digest[:9]}"
        words.out(f"{line}  {'checks: ' + checks if checks else ''}".rstrip())
    if found.summary.get("problem"):
        words.out(found.summary["problem"])
    if history:
        words.out("")
    for each in history:
        words.out(f"  {each.name:<8} {_run_line(each)}")


def _cause(step: StepResult) -> str:
    """The line of an error that says what was raised: its last one that is not indented."""
    lines = [line for line in (step.error or step.state).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if not line.startswith(" ")), lines[0])


def _run_line(found: runs.Run) -> str:
    at = found.commit[:7] if found.commit else "no commit"
    changed = f" + {words.count(found.dirty, 'changed file')}" if found.dirty else ""
    took = f" in {words.seconds(found.summary['seconds'])}" if "seconds" in found.summary else ""
    steps: Mapping[str, int] = found.summary.get("steps", {})
    told = ", ".join(f"{number} {state}" for state, number in steps.items())
    shape = "" if found.confined else " · unconfined"
    return f"{found.state}{took} · {at}{changed} · {told or 'no steps'} · {found.cause} by {found.actor}{shape}"


def _check(given: argparse.Namespace, asset: looking.Asset, here: local.Local) -> None:
    outcome = next((each for each in asset.outcomes if each.check == given.check), None)
    judged = looking.gate(here.database, asset, given.check)
    if outcome is None and judged is None:
        known = [each.check for each in asset.outcomes]
        hint = names.suggestion(given.check, known) or f"it has: {', '.join(known) or 'no checks'}"
        raise errors.NotFound(f'{asset.result.step} has no check "{given.check}" in {asset.run.name}', hint=hint)
    if given.json:
        own = {} if outcome is None else asdict(outcome) | {"found": looking.evidence(here.store, outcome.evidence)}
        showing.told(
            {"run": asset.run.name, "check": given.check, **own} | ({"gate": _gate(judged, here)} if judged else {})
        )
        return
    if outcome is not None:
        _outcome(outcome, asset, here)
    if judged is not None:
        words.out(f"at the gate of change {judged.change}, by the rules of what it was pushed onto:")
        for verdict in judged.verdicts:
            _verdict(verdict, here)


def _outcome(outcome: Outcome, asset: looking.Asset, here: local.Local) -> None:
    state = runs.verdict(outcome)
    said = words.finding(outcome)
    words.out(
        f"{words.mark(state)} {outcome.check} of {outcome.asset} {state} in {asset.run.name}{': ' + said if said else ''}"
    )
    if outcome.message and outcome.message not in said:
        words.out(f"  {outcome.message}")
    if outcome.flaky:
        words.out(f"  {words.mark('warned')} {tries.told(outcome.failed, outcome.tried)}")
    for line in tables.evidence(here.store, outcome.evidence, 10):
        words.out(f"  {line}")
    if outcome.error:
        words.out(outcome.error)


def _verdict(verdict: Mapping[str, Any], here: local.Local) -> None:
    state = _STATES[verdict["judgement"]]
    rows = f"{verdict['count']:,} of {verdict['of']:,} rows" if verdict["count"] and verdict["of"] else ""
    said = rows or verdict["message"]
    body = " (the base's body)" if verdict["body"] == "base" else ""
    words.out(f"  {words.mark(state)} {verdict['check']}{body}{': ' + said if said else ''}")
    for line in tables.evidence(here.store, verdict["evidence"], 10):
        words.out(f"    {line}")


def _gate(judged: looking.Gate, here: local.Local) -> dict[str, Any]:
    told = [verdict | {"found": looking.evidence(here.store, verdict["evidence"])} for verdict in judged.verdicts]
    return {"change": judged.change, "verdicts": told}


def _run_document(found: runs.Run) -> dict[str, Any]:
    return {"name": found.name, **asdict(found)}
