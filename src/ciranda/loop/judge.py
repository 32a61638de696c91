"""The task `judge`: is this change good? Runs code checks, pipeline and checks on the change's tree, and records the gate's decision."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ciranda.checks import code, gate, policy, verdicts
from ciranda.environment.infra import folder, program
from ciranda.kernel import digest, errors, events, failpoints, tasks
from ciranda.kernel.database import Transaction
from ciranda.loop import benches, changes, contents, infra_bench, pins, rules, tell, veil, wording
from ciranda.loop.changes import Change
from ciranda.loop.places import Workshop
from ciranda.pipeline import engine, interpreters, records
from ciranda.project import declaration


def perform(task: tasks.Task, workshop: Workshop) -> None:
    """Judge a change and end the task in the transaction that says what came of it."""
    change = changes.get(workshop.database, task.subject)
    if change is None or change.state != "judging":
        workshop.database.write(lambda tx: tasks.finish(tx, task, state="done", result={}))
        return
    for earlier in workshop.runs.glob(f"judge-{change.id}-*"):
        shutil.rmtree(earlier, ignore_errors=True)
    folder = workshop.runs / f"judge-{change.id}-{task.fence}"  # an earlier process may still be at work in its own
    try:
        _judge(change, task, workshop, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give_up(task: tasks.Task, workshop: Workshop, reason: str) -> None:
    """Close the gate on a change that cannot be judged."""
    change = changes.get(workshop.database, task.subject)

    def work(tx: Transaction) -> None:
        tasks.finish(tx, task, state="failed", result={"reason": reason})
        if change is not None:
            changes.move(tx, change, "failed", reason=reason, event="gate.decided")

    workshop.database.write(work)


def _judge(change: Change, task: tasks.Task, workshop: Workshop, folder: Path) -> None:
    teller = tell.Teller(workshop.lines, change.id)
    bench = benches.prepare(change, workshop, folder, teller)
    width = _width(bench.project)
    base_declared = None if bench.base is None else rules.declared(bench.base)
    effective = policy.effective_policy(base_declared, rules.declared(bench.project))
    outcomes = _code(bench, effective, workshop)
    teller.say(*wording.code(outcomes, width=width, eased=effective.when_unsure))
    found = [*gate.of_code(effective, outcomes)]
    if any(verdict.blocks for verdict in found):
        _conclude(change, task, workshop, gate.decide(found), {"width": width})
        return
    run = engine.run(benches.request(bench, workshop), benches.parts(workshop), lambda _: None)
    if run.description is None:
        teller.say(*wording.problem(run.problem, width=width))
        _conclude(
            change,
            task,
            workshop,
            gate.decide(found, problem=wording.cause(run.problem)),
            {"width": width},
            run=run.run,
        )
        return
    ruled = benches.ruled(bench, workshop)
    effective = ruled.policy
    rerun = benches.rerun(bench, effective, run.outcomes, run.assets, workshop)
    found += [*gate.of_rules(effective, accepted=change.accepts), *gate.of_checks(effective, run.outcomes, rerun)]
    _tell_assets(teller, run, found, workshop, width)
    teller.say(*wording.rules([verdict for verdict in found if verdict.subject == "rules"], width=width))
    decision = gate.decide(found, steps=run.steps, problem=_unusable(bench, run))
    outcome = {
        "width": width,
        "run": run.number,
        "checks": sorted(check.name for check in run.description.checks),
        "interpreter": run.interpreter,
        "parameters": contents.parameters(run),
        "assets": {name: asdict(version) for name, version in run.assets.items()},
        "policy": digest.of("code", _plain(effective)),
        "loosened": list(effective.loosened),
        "pins": pins.of_run(bench.project.sources, run.assets),
        "live": benches.compared(ruled.described, bench.live),
    }
    _conclude(change, task, workshop, decision, outcome, run=run.run)


def _code(bench: benches.Bench, effective: policy.Policy, workshop: Workshop) -> list[code.CodeOutcome]:
    python = bench.interpreter.python
    mask = veil.mask(workshop, bench.project.name)
    place = code.Place(bench.tree.with_name("code"), python, workshop.home, interpreters.folders(python), mask=mask)
    return code.run_all(
        [*effective.code, *effective.additional_code], place, timeout=effective.code_timeout, database=workshop.database,
        tree=bench.tree_digest, interpreter=bench.interpreter.digest, eased=effective.when_unsure,
    )  # fmt: skip


def _unusable(bench: benches.Bench, run: records.RunResult) -> str | None:
    """Why no release can be made of this, whatever the checks say."""
    if any(result.state == "failed" for result in run.steps):
        return None
    try:
        contents.of_run(bench.project, commit=bench.change.head, tree=bench.tree_digest, run=run)
    except errors.Invalid as error:
        return " ".join(part for part in (error.where, str(error)) if part)
    if (reason := _unfounded(bench)) is not None:
        return reason
    reasons = {"predict": bench.interpreter.predict, "app": bench.interpreter.app}
    return next((reason for one in bench.project.services if (reason := reasons.get(one.form)) is not None), None)


def _unfounded(bench: benches.Bench) -> str | None:
    """Why what an environment declares as its infrastructure cannot be planned here; None when it can, or there is none."""
    declared = sorted({place.infra for place in bench.project.environments if place.infra})
    if declared and program.find() is None:
        return f"environments.{_first(bench, declared[0])}.infra names {declared[0]}, and {program.MISSING}"
    problems = (folder.problem(name, infra_bench.texts(bench.tree / name)) for name in declared)
    return next((problem for problem in problems if problem is not None), None)


def _first(bench: benches.Bench, infra: str) -> str:
    return next(place.name for place in bench.project.environments if place.infra == infra)


def _tell_assets(
    teller: tell.Teller, run: records.RunResult, found: Sequence[gate.Verdict], workshop: Workshop, width: int
) -> None:
    for result in run.steps:
        own = [verdict for verdict in found if verdict.subject == result.step]
        source = result.version is not None and result.version.kind == "source"
        if source and all(verdict.judgement == "pass" for verdict in own):
            continue
        teller.say(*wording.asset(result, own, width=width, evidence=_evidence(own, workshop), run=run.number))


def _evidence(found: Iterable[gate.Verdict], workshop: Workshop) -> Mapping[str, Mapping[str, Any]]:
    return {
        verdict.evidence: digest.parse(workshop.store.get(verdict.evidence))
        for verdict in found
        if verdict.evidence and verdict.blocks
    }


def _conclude(
    change: Change,
    task: tasks.Task,
    workshop: Workshop,
    decision: gate.Decision,
    outcome: Mapping[str, Any],
    *,
    run: str | None = None,
) -> None:
    def work(tx: Transaction) -> None:
        verdicts.keep(tx, change.id, decision.verdicts)
        tasks.finish(tx, task, state="done", result={"passed": decision.passed})
        state: changes.State = "passed" if decision.passed else "asking" if decision.asks else "failed"
        changes.move(tx, change, state, reason=decision.reason, run=run, outcome=outcome, event="gate.decided")
        if state == "asking":
            body = {"number": change.number, "head": change.head, "reason": decision.reason}
            events.append(
                tx, chain=change.project, kind="change.asked", subject=change.id, actor=change.actor, body=body
            )
        if (decision.passed or decision.asks) and outcome.get("loosened"):
            rules.accepted(tx, change, outcome["loosened"])

    failpoints.failpoint("gate.deciding")
    workshop.database.write(work)
    failpoints.failpoint("gate.decided")


def _width(project: declaration.Project) -> int:
    names = [environment.name for environment in project.environments]
    return max([8, *(len(name) for name in names)])


def _plain(effective: policy.Policy) -> dict[str, Any]:
    return {
        "code": list(effective.code),
        "timeout": effective.code_timeout,
        "checks": {name: asdict(rule) for name, rule in effective.checks.items()},
        "unsure": dict(effective.when_unsure),
    }
