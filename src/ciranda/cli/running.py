"""`ciranda run` where there is something to do: progress while it goes on, the summary at its end."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ciranda.app import local
from ciranda.cli import progress, tables, words
from ciranda.pipeline import engine, runs
from ciranda.pipeline.records import Outcome, RunResult

_ROWS = 3  # of a failed check's evidence


def main(given: argparse.Namespace) -> int:
    """0 when every step has its version and no check failed; else 1."""
    with local.opened(given.home, Path.cwd(), create=True) as project:
        request = project.request(dict(given.set), given.jobs)
        shown = progress.Progress(
            header(request), lambda outcome: tables.evidence(project.store, outcome.evidence, _ROWS)
        )
        try:
            result = project.run(request, _silent if given.json else shown)
        finally:
            if not given.json:
                shown.end()
    if given.json:
        words.out(json.dumps(document(request, result), indent=2, ensure_ascii=False))
    else:
        _end(result, "" if shown.begun else header(request))
    return 0 if passed(result) else 1


def header(request: engine.Request) -> str:
    """`flights · 3f2a1c9 + 2 changed files`."""
    tree = request.tree
    at = tree.commit[:7] if tree.commit else "no commit yet"
    changed = f" + {words.count(tree.dirty, 'changed file')}" if tree.dirty else ""
    why = getattr(request.confine, "why", "")
    return f"{request.project.name} · {at}{changed}" + ("" if request.confine else f" · unconfined ({why})")


def passed(result: RunResult) -> bool:
    """Whether every step has a version and no check that may fail a run did not pass."""
    return result.state == "finished" and all(runs.verdict(o) in ("passed", "warned") for o in result.outcomes)


def document(request: engine.Request, result: RunResult) -> dict[str, Any]:
    """The run as JSON."""
    return {
        "project": request.project.name,
        "run": f"run-{result.number}",
        "id": result.run,
        "commit": request.tree.commit,
        "dirty": request.tree.dirty,
        "confined": bool(request.confine),
        "state": result.state,
        "passed": passed(result),
        "seconds": round(result.seconds, 4),
        "problem": result.problem,
        "steps": [asdict(step) for step in result.steps],
        "checks": [asdict(outcome) for outcome in result.outcomes],
    }


def _end(result: RunResult, heading: str) -> None:
    if result.problem is not None:
        if heading:
            words.out(heading)
        sys.stdout.flush()
        sys.stderr.write(result.problem + "\n")
        return
    line = progress.summary(result.steps, result.outcomes, result.seconds)
    hint = _next(result)
    words.out(f"{line}     {hint}" if hint else line)


def _next(result: RunResult) -> str:
    """The command that a person wants next."""
    failed = next((step.step for step in result.steps if step.state == "failed"), None)
    if failed is not None:
        return f"ciranda logs run-{result.number} --step {failed}"
    bad = _first(result.outcomes, lambda outcome: runs.verdict(outcome) not in ("passed", "warned"))
    if bad is not None:
        return f"ciranda show {bad.asset}@run-{result.number} --check {bad.check}"
    ran = [step.step for step in result.steps if step.state == "ran" and step.version and step.version.kind != "source"]
    return f"ciranda show {ran[-1]}" if ran else ""


def _first(outcomes: tuple[Outcome, ...], test: Callable[[Outcome], bool]) -> Outcome | None:
    return next((outcome for outcome in outcomes if test(outcome)), None)


def _silent(_report: engine.Report) -> None:
    """With --json nothing is told before the end."""
