"""The task `infra`: Terraform makes a plan, applies one, or looks for drift, and what came of it is recorded.

What is applied is a plan that was kept, and it is applied once: whoever takes up a run that was killed while things
changed looks at what there is, and does nothing more by itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ciranda.environment import furnishing, secrets
from ciranda.environment.infra import answer, outputs, places, planned, program, runs, states
from ciranda.environment.infra.answer import Answer
from ciranda.environment.infra.runs import Run
from ciranda.environment.infra.states import Writer
from ciranda.kernel import errors, sealing, tasks
from ciranda.kernel.database import Transaction
from ciranda.loop import infra_bench, restore, tell
from ciranda.loop.infra_bench import Bench
from ciranda.loop.places import Workshop
from ciranda.release import releases

DONE = {"create": "made", "update": "changed", "delete": "destroyed"}


def perform(task: tasks.Task, workshop: Workshop) -> None:
    """Do what a run asks of Terraform; the task ends in the transaction that records what came of it."""
    run = runs.get(workshop.database, task.subject)
    if run.over:
        workshop.database.write(lambda tx: tasks.finish(tx, task, state="done", result={}))
        return
    folder = workshop.runs / f"{runs.TASK}-{run.id}-{task.fence}"
    left = infra_bench.earlier(run, workshop, folder)
    for one in left:
        infra_bench.outlast(one)
    try:
        with infra_bench.prepared(run, workshop, folder) as bench:
            match run.kind:
                case "plan":
                    _plan(bench, task)
                case "drift":
                    _drift(bench, task)
                case "apply" if run.began_us is None:
                    _apply(bench, task)
                case "apply":
                    _take_up(bench, task, left)
    finally:
        if runs.get(workshop.database, run.id).over:  # else whoever takes it up may need what is there
            for one in (*left, folder):
                infra_bench.leave(one)


def give_up(task: tasks.Task, workshop: Workshop, reason: str) -> None:
    """Record that a run cannot be done."""
    run = runs.get(workshop.database, task.subject)
    _fail(run, task, workshop, reason, left=_recorded(run, workshop))
    for one in infra_bench.earlier(run, workshop, Path()):
        infra_bench.leave(one)


def _plan(bench: Bench, task: tasks.Task) -> None:
    run, workshop = bench.run, bench.workshop
    out, found = _answer(bench, "destroy" if run.destroy else "apply")
    with workshop.store.steady():
        place = run.project, run.environment, run.question
        file = planned.file(workshop.store, bench.key, out.read_bytes(), *place)

        def work(tx: Transaction) -> None:
            tasks.finish(tx, task, state="done", result={})
            kept = planned.keep(
                tx, run.project, run.environment, question=run.question, found=found, file=file, run=run.id
            )
            runs.end(tx, run, "done", plan=kept.id, body=_told(found))

        workshop.database.write(work)


def _drift(bench: Bench, task: tasks.Task) -> None:
    run = bench.run
    _, found = _answer(bench, "drift")

    def work(tx: Transaction) -> None:
        tasks.finish(tx, task, state="done", result={})
        if runs.end(tx, run, "done", body=_told(found)):
            places.looked(tx, run.project, run.environment, found.changes)

    bench.workshop.database.write(work)


def _answer(bench: Bench, kind: str) -> tuple[Path, Answer]:
    """A plan of this kind: the file that Terraform saved, and what it says."""
    out = bench.folder / "plan"
    bench.init()
    bench.terraform(program.plan(bench.program, out, kind=kind), accepts=(0, 2))
    _, shown = bench.terraform(program.show(bench.program, out))
    return out, answer.read(shown, drift=kind == "drift", secret=bench.key.material)


def _apply(bench: Bench, task: tasks.Task) -> None:
    run, workshop = bench.run, bench.workshop
    wanted = planned.get(workshop.database, run.plan or "")
    if wanted is None:
        _fail(run, task, workshop, "its plan is not kept any more")
        return
    file = bench.folder / "plan"
    file.write_bytes(planned.open(workshop.store, bench.key, wanted))
    bench.init()
    workshop.database.write(lambda tx: runs.begin(tx, run))
    teller = tell.Teller(workshop.lines, run.id)
    heard = Heard()

    def hear(line: bytes) -> None:
        text = heard.line(bench.mask(line))
        if text:
            teller.say(text)

    status, _ = bench.terraform(program.apply(bench.program, file), accepts=range(256), heard=hear)
    if status == 0:
        _conclude(bench, task, heard.body())
        return
    _salvage(bench, bench.module)
    if bench.running.interrupted:
        raise KeyboardInterrupt  # the runner leaves: the next one takes it up
    _stopped(bench, task, heard)


def _stopped(bench: Bench, task: tasks.Task, heard: "Heard") -> None:
    """What was done before it failed is recorded, and nothing else starts."""
    made = sum(heard.done.values())
    why = heard.error or "Terraform ended without saying why"
    total = len(heard.begun)
    reason = f"{made} of {total} changes were made before it failed: {why}" if total else why
    _fail(bench.run, task, bench.workshop, reason, left=_left(bench), body=heard.body())


def _take_up(bench: Bench, task: tasks.Task, left: list[Path]) -> None:
    """A run that was killed while things changed: what there is now says whether all of it was done."""
    run, workshop = bench.run, bench.workshop
    for one in left:
        _salvage(bench, one / bench.module.relative_to(bench.folder))
    workshop.database.write(lambda tx: states.release_run(tx, run.id))
    _, found = _answer(bench, "destroy" if run.destroy else "apply")
    if found.empty:
        _conclude(bench, task, {})
        return
    changes = "1 change is" if len(found.changes) == 1 else f"{len(found.changes)} changes are"
    reason = (
        f"it was interrupted, and {changes} not made or not recorded; what was being made at that moment may exist all the "
        f"same: look, then  ciranda plan -e {run.environment}"
    )
    _fail(run, task, workshop, reason, left=_left(bench))


def _salvage(bench: Bench, module: Path) -> None:
    """A state that Terraform could not give to its backend lies beside its files: it is taken from there."""
    file = module / infra_bench.ERRORED
    if not bench.own or not file.exists():
        return
    database, run = bench.workshop.database, bench.run
    data = file.read_bytes()
    try:
        told = json.loads(data)
        last = states.latest(database, run.project, run.environment)
        if last is not None and (last.lineage, last.number) >= (told["lineage"], told["serial"]):
            return
        lock = states.lock_of(database, run.project, run.environment)
        mine = lock is not None and lock.run == run.id
        writer = Writer(run.actor, run.id if mine else "")
        states.put(
            database, bench.workshop.store, bench.key, run.project, run.environment, data, writer=writer,
            lock=lock.id if lock is not None and mine else "",
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, errors.Refused) as error:
        tell.Teller(bench.workshop.lines, run.id).say(f"{infra_bench.ERRORED} could not be taken: {error}")


def _conclude(bench: Bench, task: tasks.Task, body: Mapping[str, Any]) -> None:
    """All was done: the revision that waits for it goes on with what it gives."""
    run, workshop = bench.run, bench.workshop
    left = _left(bench)

    def work(tx: Transaction) -> None:
        tasks.finish(tx, task, state="done", result={})
        if runs.end(tx, run, "done", serial=left.serial, body=body):
            states.release_run(tx, run.id)
            furnishing.complete(tx, replace(run, body=body), bench.content, left, key=bench.key)

    try:
        workshop.database.write(work)
    except errors.Fenced:
        raise
    except errors.Refused as error:  # an output that the release cannot take
        _fail(run, task, workshop, f"it was applied, but {error}", left=left, body=body)


def _fail(
    run: Run,
    task: tasks.Task,
    workshop: Workshop,
    reason: str,
    *,
    left: furnishing.Applied | None = None,
    body: Mapping[str, Any] | None = None,
) -> None:
    """Record that a run failed and, where things changed, what is there now (`left`); what ran goes on."""
    content = None if left is None else restore.manifest(workshop, releases.by_id(workshop.database, run.release))

    def work(tx: Transaction) -> None:
        tasks.finish(tx, task, state="failed", result={"reason": reason})
        if not runs.end(tx, run, "failed", reason=reason, serial=None if left is None else left.serial, body=body):
            return
        states.release_run(tx, run.id)
        if run.kind == "apply":
            furnishing.failed(tx, run, content, left, reason=reason)

    tell.Teller(workshop.lines, run.id).say(reason)
    workshop.database.write(work)


def _left(bench: Bench) -> furnishing.Applied:
    """What there is now, by the state. Raises Failed, errors.Corrupt."""
    if bench.own:
        return _kept(bench.run, bench.workshop, bench.key)
    _, pulled = bench.terraform(program.pull(bench.program))
    told = json.loads(pulled) if pulled.strip() else {}
    return furnishing.Applied(int(told.get("serial", 0)), len(states.resources(told)), outputs.of_state(told))


def _kept(run: Run, workshop: Workshop, key: sealing.Key) -> furnishing.Applied:
    """What there is, by the state that Ciranda keeps."""
    state = states.latest(workshop.database, run.project, run.environment)
    if state is None or state.gone:
        return furnishing.Applied(0 if state is None else state.serial, 0, {})
    told = json.loads(states.open(workshop.store, key, state))
    return furnishing.Applied(state.serial, state.resources, outputs.of_state(told))


def _recorded(run: Run, workshop: Workshop) -> furnishing.Applied | None:
    """What a run that nobody can take up has left, as far as it is known here; None: it changed nothing."""
    if run.kind != "apply" or run.began_us is None:
        return None
    return _kept(run, workshop, sealing.load(workshop.home / secrets.FILE))


def _told(found: Answer) -> dict[str, Any]:
    return {"counts": found.counts(), "changes": [one.document() for one in found.changes[: places.TOLD]]}


@dataclass
class Heard:
    """What Terraform said while it applied a plan (its machine-readable interface, `-json`)."""

    begun: set[str]
    done: dict[str, int]
    error: str

    def __init__(self) -> None:
        self.begun, self.done, self.error = set(), dict.fromkeys(DONE.values(), 0), ""

    def line(self, line: bytes) -> str:
        """Take one line; returns it as people read it, "" for what need not be told."""
        try:
            told = json.loads(line)
        except ValueError:
            return line.decode("utf-8", "replace").strip()
        if not isinstance(told, dict):
            return ""
        match told.get("type"):
            case "planned_change" | "apply_start":
                self.begun.add(_place(told))
            case "apply_complete":
                action = DONE.get(str(told.get("hook", {}).get("action")))
                if action:
                    self.done[action] += 1
            case "diagnostic":
                found = told.get("diagnostic", {})
                if found.get("severity") == "error" and not self.error:
                    detail = " ".join(str(found.get("detail", "")).split())
                    self.error = f"{found.get('summary', '')}{f': {detail}' if detail else ''}"
            case "version" | "change_summary" | "outputs":
                return ""
        return str(told.get("@message", ""))

    def body(self) -> dict[str, Any]:
        """What was done, as a run keeps it."""
        return {"done": dict(self.done)}


def _place(told: Mapping[str, Any]) -> str:
    where = told.get("hook") or told.get("change") or {}
    return str(where.get("resource", {}).get("addr", ""))
