"""`ciranda show`: what there is: assets, runs, rows, evidence."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ciranda.app import local, looking
from ciranda.cli import tables, words
from ciranda.kernel import errors
from ciranda.pipeline import runs, tries
from ciranda.pipeline.records import Outcome, StepResult
from ciranda.project import names

EXAMPLE = "  ciranda show\n  ciranda show sales\n  ciranda show sales@run-3 --check sold_for_something"
_RUNS = 5
# How each verdict is marked.
_STATES = {"pass": "passed", "warn": "warned", "fail": "failed", "inconclusive": "unsure", "ask": "unsure"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("what", nargs="?", metavar="ASSET[@run-N] | run-N", help="an asset, or a run (default: all)")
    parser.add_argument("--check", metavar="NAME", help="what this check of the asset found, with its rows")
    parser.add_argument("--rows", type=int, default=5, metavar="N", help="rows of a table (default: 5)")


def main(given: argparse.Namespace) -> int:
    """Print what was asked for; nothing is run."""
    with local.opened(given.home, Path.cwd(), create=False) as here:
        project = here.project.name
        if given.what is None or looking.run_number(given.what) is not None:
            if given.check:
                raise errors.Usage("--check needs an asset", hint="ciranda show ASSET@run-N --check NAME")
            found = looking.run(here.database, project, given.what)
            history = runs.history(here.database, project, _RUNS) if given.what is None else []
            _run(given, found, looking.assets(here.database, found), history, here)
        else:
            asset = looking.asset(here.database, project, given.what)
            if given.check:
                _check(given, asset, here)
            else:
                _asset(given, asset, here)
    return 0


def _run(
    given: argparse.Namespace,
    found: runs.Run,
    assets: list[looking.Asset],
    history: list[runs.Run],
    here: local.Local,
) -> None:
    if given.json:
        told = {"run": _run_document(found), "assets": [_document(asset) for asset in assets]}
        _json(told | ({"runs": [_run_document(each) for each in history]} if history else {}))
        return
    words.out(f"{found.project} · {found.name} {_run_line(found)}")
    wide = max([12, *(len(asset.result.step) for asset in assets)])
    for asset in assets:
        step = asset.result
        if step.version is None:
            words.out(f"  {words.mark(step.state)} {step.step:<{wide}}  {words.clip(_cause(step), 80)}")
            continue
        files = _files(step.version.codec, here, step.version.digest)
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


def _asset(given: argparse.Namespace, asset: looking.Asset, here: local.Local) -> None:
    step = asset.result
    version = step.version
    if version is None:
        if given.json:
            _json(_document(asset))
        else:
            words.out(f"{step.step} has no version in {asset.run.name}: {step.state}")
            words.out(step.error or "")
        return
    inside = looking.inside(here.store, version, max(given.rows, 0))
    if given.json:
        rows = [[_plain(value) for value in row] for row in inside.rows]
        _json(_document(asset) | {"inside": asdict(inside) | {"rows": rows}})
        return
    files = len(inside.files) if inside.files else None
    words.out(f"{step.step}  {version.kind}  {words.contents(version, files)}")
    words.out(f"  version   {version.digest}")
    words.out(f"  stored    {words.size(version.size)} as {version.codec}")
    words.out(f"  in        {asset.run.name} ({step.state})")
    for name, value in version.figures.items():
        words.out(f"  {name:<9} {words.number(value) if isinstance(value, int | float) else json.dumps(value)}")
    for outcome in asset.outcomes:
        said = words.finding(outcome)
        words.out(
            f"  {words.mark(runs.verdict(outcome))} {outcome.check}{': ' + words.clip(said, 100) if said else ''}"
        )
    if inside.schema:
        words.out("")
        wide = max(len(name) for name, _ in inside.schema)
        for name, kind in inside.schema:
            words.out(f"  {name:<{wide}}  {kind}")
    private = here.project.private
    if inside.rows:
        words.out("")
        columns = [name for name, _ in inside.schema]
        shown = [["(private)" if n in private else v for n, v in zip(columns, row, strict=True)] for row in inside.rows]
        for line in tables.lay(columns, shown):
            words.out(f"  {line}")
    for path, size in inside.files[:20]:
        words.out(f"  {path}  {words.size(size)}")
    if len(inside.files) > 20:
        words.out(f"  … and {words.count(len(inside.files) - 20, 'file')} more")
    if inside.text:
        words.out("")
        for line in inside.text.splitlines()[:40]:
            words.out(f"  {words.clip(line, 200)}")


def _check(given: argparse.Namespace, asset: looking.Asset, here: local.Local) -> None:
    outcome = next((each for each in asset.outcomes if each.check == given.check), None)
    judged = looking.gate(here.database, asset, given.check)
    if outcome is None and judged is None:
        known = [each.check for each in asset.outcomes]
        hint = names.suggestion(given.check, known) or f"it has: {', '.join(known) or 'no checks'}"
        raise errors.NotFound(f'{asset.result.step} has no check "{given.check}" in {asset.run.name}', hint=hint)
    if given.json:
        own = {} if outcome is None else asdict(outcome) | {"found": looking.evidence(here.store, outcome.evidence)}
        _json({"run": asset.run.name, "check": given.check, **own} | ({"gate": _gate(judged, here)} if judged else {}))
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


def _document(asset: looking.Asset) -> dict[str, Any]:
    return {"run": asset.run.name, **asdict(asset.result), "checks": [asdict(outcome) for outcome in asset.outcomes]}


def _run_document(found: runs.Run) -> dict[str, Any]:
    return {"name": found.name, **asdict(found)}


def _files(codec: str, here: local.Local, digest: str) -> int | None:
    if codec not in ("files", "folder"):
        return None
    try:
        return len(here.store.listing(digest))
    except errors.CirandaError:
        return None


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _json(value: Any) -> None:
    words.out(json.dumps(value, indent=2, ensure_ascii=False))
