"""The task `job`: an environment's job at the release that is live there. What passes its checks becomes the environment's version."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ciranda.access import reaching
from ciranda.checks import gate, policy, verdicts
from ciranda.environment import jobs, outputs, revisions
from ciranda.environment.jobs import Run
from ciranda.kernel import confine, digest, tasks
from ciranda.kernel.database import Transaction
from ciranda.loop import benches, changes, job_lines, live, receive, restore, rules, tell, wording
from ciranda.loop import jobs as queue
from ciranda.loop.places import Workshop
from ciranda.pipeline import engine, records
from ciranda.release import manifest, releases
from ciranda.versions import repositories, trees


@dataclass(frozen=True, slots=True)
class Bench:
    """A run of a job on the bench: the release that it runs at and what it is asked for."""

    run: Run
    release: releases.Release
    content: manifest.Manifest
    job: manifest.Job
    request: engine.Request


def perform(task: tasks.Task, workshop: Workshop) -> None:
    """Run a job and end the task in the transaction that says what came of it."""
    database = workshop.database
    run = jobs.get(database, task.subject)
    if run is None or run.state not in ("waiting", "running"):
        database.write(lambda tx: tasks.finish(tx, task, state="done", result={}))
        return
    for earlier in workshop.runs.glob(f"job-{run.id}-*"):
        shutil.rmtree(earlier, ignore_errors=True)
    folder = _folder(run, task, workshop)
    try:
        bench = _prepare(run, task, workshop, folder)
        if bench is not None:
            _run(bench, task, workshop)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give_up(task: tasks.Task, workshop: Workshop, reason: str) -> None:
    """A job that cannot run has failed; what it made before stays in the environment."""
    run = jobs.get(workshop.database, task.subject)
    if run is None:
        workshop.database.write(lambda tx: tasks.finish(tx, task, state="failed", result={"reason": reason}))
        return
    shutil.rmtree(_folder(run, task, workshop), ignore_errors=True)  # its process had no time for that
    _conclude(run, task, workshop, reason=reason, retries=_retries(run, workshop))


def _folder(run: Run, task: tasks.Task, workshop: Workshop) -> Path:
    """Where this process works; an earlier one may still be at work in its own."""
    return workshop.runs / f"job-{run.id}-{task.fence}"


def _prepare(run: Run, task: tasks.Task, workshop: Workshop, folder: Path) -> Bench | None:
    """The bench with the tree of what is live; None: what is live has no such job any more, which ends it."""
    database = workshop.database
    revision = revisions.live(database, run.project, run.environment)
    project = changes.project(database, run.project)
    assert project is not None
    release = None if revision is None else releases.by_id(database, revision.release)
    content = None if release is None else restore.manifest(workshop, release)
    if revision is None or release is None or content is None or run.job not in content.jobs:
        what = "nothing is live" if release is None else f"{release.name} has no job {run.job}"
        _skip(run, task, workshop, f"{what} in {run.environment}")
        return None
    job = content.jobs[run.job]

    def begin(tx: Transaction) -> None:
        if jobs.begin(tx, run, task=task.id, release=release.id, revision=revision.id) and run.state == "waiting":
            queue.started(tx, run, release)

    database.write(begin)
    repository = repositories.path(workshop.repositories, project.repository)
    tree = folder / "tree"
    trees.write(repository, content.commit, tree, store=workshop.store)
    declared = replace(receive.declared(repository, content.commit), path=tree / receive.DECLARED)
    request = engine.Request(  # without pins: references are listed anew
        project=declared,
        tree=engine.Tree(tree, content.commit),
        trigger=f"job {run.job} in {run.environment}",
        actor=run.actor,
        live=live.assets(workshop, declared, forgiving=True),
        trust="protected",
        accepts=benches.accepted(workshop),
        confine=confine.available(),
        reach=reaching.of_home(workshop.home),
        only=job.run,
    )
    return Bench(run, release, content, job, request)


def _run(bench: Bench, task: tasks.Task, workshop: Workshop) -> None:
    run = bench.run
    teller = tell.Teller(workshop.lines, run.id)
    teller.say(job_lines.headline(run, bench.release.name, bench.job.schedule))
    parts = engine.Parts(workshop.store, workshop.database, workshop.interpreters, workshop.runs)
    made = engine.run(bench.request, parts, lambda _: None)
    width = max([8, *(len(step.step) for step in made.steps)])
    if made.description is None:
        teller.say(*wording.problem(made.problem, width=width))
        _conclude(run, task, workshop, made=made, reason=wording.cause(made.problem), retries=bench.job.retries)
        return
    found = gate.of_checks(_policy(bench, parts, made), made.outcomes, ())
    for result in made.steps:
        own = [verdict for verdict in found if verdict.subject == result.step]
        if own or result.version is None or result.version.kind != "source":
            evidence = _evidence(own, workshop)
            teller.say(*wording.asset(result, own, width=width, evidence=evidence, run=made.number))
    decision = gate.decide(found, steps=made.steps)
    versions = [made.assets[asset] for asset in bench.job.run] if decision.passed else []
    _conclude(
        run,
        task,
        workshop,
        made=made,
        found=found,
        versions=versions,
        reason=decision.reason,
        retries=bench.job.retries,
    )


def _policy(bench: Bench, parts: engine.Parts, made: records.RunResult) -> policy.Policy:
    """The release's own rules, as far as they speak of what the job makes: its commit was judged by all of them."""
    request = replace(bench.request, pins=made.assets)  # nothing is listed twice
    own = rules.of(request.project, engine.describe(request, parts, lambda _: None))
    there = {result.step for result in made.steps}
    checks = {name: rule for name, rule in own.checks.items() if rule.asset in there}
    return policy.effective_policy(None, replace(own, checks=checks))


def _evidence(found: Sequence[gate.Verdict], workshop: Workshop) -> Mapping[str, Mapping[str, Any]]:
    return {
        verdict.evidence: digest.parse(workshop.store.get(verdict.evidence))
        for verdict in found
        if verdict.evidence and verdict.blocks
    }


def _skip(run: Run, task: tasks.Task, workshop: Workshop, reason: str) -> None:
    def work(tx: Transaction) -> None:
        tasks.finish(tx, task, state="done", result={"reason": reason})
        jobs.end(tx, run, "skipped", reason=reason)

    workshop.database.write(work)
    tell.Teller(workshop.lines, run.id).end(f"  not run: {reason}")


def _retries(run: Run, workshop: Workshop) -> int:
    known = jobs.known(workshop.database, run.project, run.environment)
    return next((one.job.retries for one in known if one.name == run.job), 0)


def _conclude(
    run: Run,
    task: tasks.Task,
    workshop: Workshop,
    *,
    made: records.RunResult | None = None,
    found: Sequence[gate.Verdict] = (),
    versions: Sequence[records.Version] = (),
    reason: str = "",
    retries: int = 0,
) -> None:
    """The end of a try: verdicts, versions and the task's end are one transaction."""

    def work(tx: Transaction) -> bool:
        verdicts.keep(tx, run.id, found)
        tasks.finish(tx, task, state="done" if versions else "failed", result={"reason": reason})
        for version in versions:
            outputs.keep(tx, run, version)
        of = None if made is None else made.run
        return queue.close(tx, run, passed=bool(versions), reason=reason, of=of, retries=retries)

    again = workshop.database.write(work)
    teller = tell.Teller(workshop.lines, run.id)
    if again:
        teller.say(job_lines.again(run, retries, queue.pause(run.attempt)), pauses=True)
    else:
        teller.end(*job_lines.ended(run, [version.asset for version in versions], reason))
