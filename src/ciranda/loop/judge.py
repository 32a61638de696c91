"""The task `judge`: is this change good? Runs code checks, pipeline and checks on the change's tree, and records the gate's decision."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ciranda.checks import code, gate, policy, verdicts
from ciranda.kernel import confine, digest, errors, failpoints, tasks
from ciranda.kernel.database import Transaction
from ciranda.loop import changes, contents, live, receive, rules, tell, wording
from ciranda.loop.changes import NOTHING, Change
from ciranda.loop.places import Workshop
from ciranda.pipeline import engine, interpreters, records
from ciranda.project import declaration
from ciranda.versions import repositories, trees


@dataclass(frozen=True, slots=True)
class Bench:
    """One change on the bench: what it and its base declare, and where their trees lie."""

    change: Change
    project: declaration.Project
    base: declaration.Project | None
    tree: Path
    base_tree: Path
    tree_digest: str  # Git's name of the change's tree
    interpreter: interpreters.Interpreter


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
    bench = _prepare(change, workshop, folder, teller)
    width = _width(bench.project)
    base_declared = None if bench.base is None else rules.declared(bench.base)
    effective = policy.effective_policy(base_declared, rules.declared(bench.project))
    outcomes = _code(bench, effective, workshop)
    teller.say(*wording.code(outcomes, width=width))
    found = [*gate.of_code(effective, outcomes)]
    if any(verdict.blocks for verdict in found):
        _conclude(change, task, workshop, gate.decide(found), {"width": width})
        return
    run = engine.run(_request(bench, workshop), _parts(workshop), lambda _: None)
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
    effective = _policy(bench, workshop)
    rerun = _rerun(bench, effective, run, workshop)
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
    }
    _conclude(change, task, workshop, decision, outcome, run=run.run)


def _prepare(change: Change, workshop: Workshop, folder: Path, teller: tell.Teller) -> Bench:
    repository = repositories.path(workshop.repositories, change.repository)
    tree, base_tree = folder / "tree", folder / "base"
    trees.write(repository, change.head, tree)
    trees.write(repository, change.head, folder / "code")  # a tree of their own, since code checks may write it
    base = None
    if change.base != NOTHING and trees.read_file(repository, change.base, receive.DECLARED) is not None:
        base = replace(receive.declared(repository, change.base), path=base_tree / receive.DECLARED)
        trees.write(repository, change.base, base_tree)
    interpreter = interpreters.ensure(
        interpreters.resolve(tree), workshop.interpreters, lambda text: teller.say(f"  {text}")
    )
    project = replace(receive.declared(repository, change.head), path=tree / receive.DECLARED)
    return Bench(change, project, base, tree, base_tree, repositories.commit(repository, change.head).tree, interpreter)


def _code(bench: Bench, effective: policy.Policy, workshop: Workshop) -> list[code.CodeOutcome]:
    python = bench.interpreter.python
    place = code.Place(bench.tree.with_name("code"), python, workshop.home, interpreters.folders(python))
    return code.run_all(
        [*effective.code, *effective.additional_code], place, timeout=effective.code_timeout, database=workshop.database,
        tree=bench.tree_digest, interpreter=bench.interpreter.digest,
    )  # fmt: skip


def _request(bench: Bench, workshop: Workshop, *, base: declaration.Project | None = None) -> engine.Request:
    """The run of the change, or of its base on which only checks are run."""
    commit, tree = (bench.change.head, bench.tree) if base is None else (bench.change.base, bench.base_tree)
    return engine.Request(
        project=base or bench.project,
        tree=engine.Tree(tree, commit),
        trigger=f"change {bench.change.number}",
        actor=bench.change.actor,
        live=live.assets(workshop, bench.project),
        trust="protected",
        confine=confine.available(),
    )


def _parts(workshop: Workshop) -> engine.Parts:
    return engine.Parts(workshop.store, workshop.database, workshop.interpreters, workshop.runs)


def _policy(bench: Bench, workshop: Workshop) -> policy.Policy:
    """The rules that judge the change, function checks included."""
    parts = _parts(workshop)
    own = rules.of(bench.project, engine.describe(_request(bench, workshop), parts, lambda _: None))
    if bench.base is None:
        return policy.effective_policy(None, own)
    base = engine.describe(_request(bench, workshop, base=bench.base), parts, lambda _: None)
    merged = changes.last_merged(workshop.database, bench.project.name, bench.change.base)
    promised = () if merged is None else merged.outcome.get("checks", ())
    return policy.effective_policy(rules.whole(rules.of(bench.base, base), promised, bench.change.base), own)


def _rerun(
    bench: Bench, effective: policy.Policy, run: records.RunResult, workshop: Workshop
) -> Sequence[records.Outcome]:
    """The base's bodies of the checks that the change edits or drops, on the change's assets."""
    missing = [name for name in effective.checks if name not in {outcome.check for outcome in run.outcomes}]
    names = sorted({*effective.rerun, *missing})
    if not names or bench.base is None:
        return ()
    request = _request(bench, workshop, base=bench.base)
    return engine.check(request, _parts(workshop), names=names, assets=run.assets, interpreter=bench.interpreter)


def _unusable(bench: Bench, run: records.RunResult) -> str | None:
    """Why no release can be made of this, whatever the checks say."""
    if any(result.state == "failed" for result in run.steps):
        return None
    try:
        contents.of_run(bench.project, commit=bench.change.head, tree=bench.tree_digest, run=run)
    except errors.Invalid as error:
        return " ".join(part for part in (error.where, str(error)) if part)
    reasons = {"predict": bench.interpreter.predict, "app": bench.interpreter.app}
    return next((reason for one in bench.project.services if (reason := reasons.get(one.form)) is not None), None)


def _tell_assets(
    teller: tell.Teller, run: records.RunResult, found: Sequence[gate.Verdict], workshop: Workshop, width: int
) -> None:
    for result in run.steps:
        if result.version is not None and result.version.kind == "source":
            continue
        own = [verdict for verdict in found if verdict.subject == result.step]
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
        state: changes.State = "passed" if decision.passed else "failed"
        changes.move(tx, change, state, reason=decision.reason, run=run, outcome=outcome, event="gate.decided")
        if decision.passed and outcome.get("loosened"):
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
