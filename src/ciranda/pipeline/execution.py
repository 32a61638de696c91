"""The loop of a run: what is known is taken, what is not is given to workers, as many at a time as was asked for."""

import errno
import os
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ciranda.kernel import clock, errors, files
from ciranda.kernel.lines import Lines
from ciranda.pipeline import cache, evidence, handover, key, lending, references, reports, sourcing, tries, workers
from ciranda.pipeline.prepare import Prepared
from ciranda.pipeline.recording import Recorder
from ciranda.pipeline.records import Check, Outcome, Step, StepResult, Version
from ciranda.pipeline.request import Parts, Request
from ciranda.pipeline.schedule import Node, Schedule
from ciranda.project import names

_ROOM = 16 << 20  # bytes; with less, "no space left" in a worker means the disk of the home
_FULL = (errno.ENOSPC, errno.EDQUOT)
_HARMED = 5  # times that one asset is made anew before the disk is taken for the culprit


@dataclass
class _Task:
    """A node that is being run, or waits to be run again."""

    node: Node
    parts: key.Parts
    tries: int = 0  # how often it raised or took too long
    crashes: int = 0  # how often a worker died with it
    id: str = ""
    began: float = 0.0

    @property
    def deadline(self) -> float | None:
        return self.began + self.node.timeout if self.node.timeout else None


class Execution:
    """One run's steps and checks."""

    def __init__(
        self,
        request: Request,
        parts: Parts,
        prepared: Prepared,
        *,
        known: cache.Known,
        schedule: Schedule,
        recorder: Recorder,
        report: Callable[[reports.Report], None],
        place: Callable[[], workers.Place],
        idle: Iterable[workers.Worker] = (),
    ) -> None:
        """`place` makes the folder that workers run in, the first time it is called; `idle` are workers that are there."""
        self._request, self._parts, self._prepared, self._known = request, parts, prepared, known
        self._schedule, self._recorder, self._report, self._place = schedule, recorder, report, place
        self._jobs = request.jobs or len(os.sched_getaffinity(0))
        self._selector = selectors.DefaultSelector()
        self._idle: list[workers.Worker] = []
        self._busy: dict[workers.Worker, _Task] = {}
        self._steps: deque[_Task] = deque()  # work that waits for a worker; steps go first
        self._checks: deque[_Task] = deque()
        self._single = sourcing.single(request.project)
        self._lender = lending.Lender(
            lambda listing: references.entries(parts.store, listing),
            prepared.found.looking.marks,
            request.reach,
            parts.home,
        )
        self._about: dict[str, float] | None = None
        self._lines: Lines | None = None
        self._spawned = 0
        self._tasks = 0
        self._values = parameters(request, prepared)
        self._crashed: dict[str, int] = {}
        self._harmed: dict[str, int] = {}  # asset → how often its objects were corrupt or gone
        self.versions: dict[str, Version] = dict(prepared.versions)
        self.keys: dict[str, str] = {}  # of checks
        self.results: dict[str, StepResult] = {}
        self.outcomes: dict[str, Outcome] = {}
        for worker in idle:
            self._adopt(worker)

    def run(self) -> None:
        """Run until nothing is left. Raises errors.StorageFull; whatever it raises, no worker is left."""
        try:
            while True:
                self._take_known()
                self._assign()
                if self._busy:
                    self._wait()
                elif not (self._steps or self._checks or self._schedule.ready):
                    break
        finally:
            self.close()
        self._recorder.flush()

    def close(self) -> None:
        """End every worker."""
        everyone = [*self._idle, *self._busy]
        for worker in self._idle:
            worker.bye()
        for worker in everyone:
            self._selector.unregister(worker.read)
            worker.end(patience=0.0 if worker in self._busy else 0.5)
        self._idle, self._busy = [], {}
        self._selector.close()

    # ── what is known ────────────────────────────────────────────────────────────────────────────────────────────

    def _take_known(self) -> None:
        """Take every result and outcome that is known, until only work is left."""
        while (node := self._schedule.next()) is not None:
            parts = key_of(node, self._request, self._prepared, self.versions, self._values)
            if isinstance(node, Check):
                self.keys[node.name] = parts.key
                known = self._known.outcome(parts.key)
                if known is not None:
                    self._decided(node, replace(known, severity=node.severity))
                else:
                    self._later(_Task(node, parts, crashes=self._crashed.get(node.name, 0)))
                continue
            result = self._known.result(parts.key)
            if result is not None and self._parts.store.has(result.version.digest):
                version = replace(result.version, asset=node.name, kind=node.kind)
                self._made(node, StepResult(node.name, "unchanged", version, 0.0))
                continue
            if result is not None:
                self._note(f"{node.name} is not in the store any more ({result.version.digest[:15]}…): made anew")
            self._later(_Task(node, parts, crashes=self._crashed.get(node.name, 0)))

    # ── work ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _assign(self) -> None:
        """Give work to idle workers, and start some while there is more work than workers."""
        while self._steps or self._checks:
            if not self._idle and len(self._busy) >= self._jobs:
                break
            task = (self._steps or self._checks).popleft()
            if not self._idle:
                self._spawn()
            self._start(self._choose(task), task)

    def _later(self, task: _Task) -> None:
        (self._checks if isinstance(task.node, Check) else self._steps).append(task)

    def _spawn(self) -> None:
        self._spawned += 1
        self._adopt(workers.Worker(self._place(), self._spawned))

    def _adopt(self, worker: workers.Worker) -> None:
        self._selector.register(worker.read, selectors.EVENT_READ, worker)
        self._idle.append(worker)

    def _choose(self, task: _Task) -> workers.Worker:
        """The idle worker that keeps most of what the task takes."""

        def kept(worker: workers.Worker) -> int:
            versions = [self.versions[each.asset] for each in task.node.inputs if each.marker is None]
            return sum(version.size for version in versions if worker.held.get(version.asset) == version.digest)

        worker = max(self._idle, key=kept)
        self._idle.remove(worker)
        return worker

    def _start(self, worker: workers.Worker, task: _Task) -> None:
        node, folder = task.node, self._place().folder
        self._tasks += 1
        task.id = str(self._tasks)
        try:
            inputs, payload = handover.give(
                node.inputs, self.versions, self._request.live,
                store=self._parts.store, folder=folder, held=worker.held, single=self._single, lender=self._lender,
            )  # fmt: skip
        except references.Moved as moved:
            self._idle.append(worker)
            self._failed(task, told(moved), again=False)
            return
        except handover.Unavailable as missing:
            self._idle.append(worker)
            self._unavailable(task, missing)
            return
        header: dict[str, Any] = {
            "id": task.id,
            "inputs": inputs,
            "parameters": dict(task.parts.parameters),
            "function": node.function,
        }
        if isinstance(node, Check):
            header |= {"type": "check", "check": node.name, "asset": node.asset}
            header |= {"at_least": node.at_least, "at_most": node.at_most}
        else:
            header |= {"type": "step", "step": node.name, "out": f"out/{task.id}"}
            self._report(reports.StepStarted(node.name, node.kind, self._took(node.name)))
        task.began = time.monotonic()
        self._busy[worker] = task
        try:
            worker.send(header, payload)
        except workers.Gone as gone:
            self._lost(worker, gone)

    def _took(self, step: str) -> float | None:
        if self._about is None:
            rows = self._parts.database.query(cache.sql.latest_seconds, project=self._request.project.name)
            self._about = {row["asset"]: row["seconds"] for row in rows}
        return self._about.get(step)

    def _wait(self) -> None:
        """Wait for the next frame, deadline or batch, and deal with it."""
        now = time.monotonic()
        limits = [task.deadline - now for task in self._busy.values() if task.deadline]
        due = self._recorder.due()
        waits = [max(0.0, limit) for limit in limits] + ([] if due is None else [due]) + [1.0]
        for ready, _ in self._selector.select(min(waits)):
            worker: workers.Worker = ready.data
            try:
                for answer, payload in worker.receive():
                    self._answered(worker, answer, payload)
            except workers.Gone as gone:
                self._lost(worker, gone)
        if self._recorder.due() == 0.0:
            self._recorder.flush()
        for worker, task in list(self._busy.items()):
            if task.deadline and time.monotonic() > task.deadline:
                self._drop(worker)
                self._failed(task, f"{task.node.name} took longer than {task.node.timeout:g} s", again=True)
            elif worker.overdue():
                self._lost(worker, workers.Gone("it did not say hello"))

    def _answered(self, worker: workers.Worker, answer: Mapping[str, Any], payload: bytes) -> None:
        task = self._busy.get(worker)
        if answer["type"] == "log":
            self._log(task.node.name if task else "", str(answer.get("stream")), str(answer.get("text")))
            return
        if task is None or answer.get("id") != task.id:
            raise workers.Gone(f"it answered what it was not asked: {answer['type']}")
        del self._busy[worker]
        self._idle.append(worker)
        try:
            self._lender.check(self._given(task.node))
        except references.Moved as moved:  # whatever it made or raised, it was not made of what its key says
            self._failed(task, told(moved), again=False)
            return
        match answer["type"], task.node:
            case "result", Step() as step:
                self._result(worker, task, step, answer, payload)
            case "outcome", Check() as check:
                self._recorder.open()
                found = evidence.outcome(check, answer, store=self._parts.store, private=self._request.project.private)
                self._decided(check, tries.counted(self._parts.database, task.parts.key, found))
            case "failed", _:
                self._heed_room(workers.message(answer))
                self._failed(task, workers.message(answer), again=answer.get("kind") == "raised")
            case kind, _:
                raise workers.Gone(f"it answered what it was not asked: {kind}")

    def _given(self, node: Node) -> list[Version]:
        """The versions that a node was handed."""
        found = (
            self._request.live.get(e.asset) if e.marker == "live" else self.versions.get(e.asset) for e in node.inputs
        )
        return [version for version in found if version is not None]

    def _heed_room(self, error: str) -> None:
        """Raise errors.StorageFull where a worker failed because the disk of the home is full: no step is to blame."""
        folder = self._parts.runs
        left = os.statvfs(folder)
        if left.f_bavail * left.f_frsize < _ROOM and any(f"[Errno {number}]" in error for number in _FULL):
            raise files.full(folder)

    def _result(
        self, worker: workers.Worker, task: _Task, step: Step, answer: Mapping[str, Any], payload: bytes
    ) -> None:
        out = self._place().folder / "out" / task.id
        self._recorder.open()
        try:
            version = handover.take(step, task.parts.key, answer, payload, store=self._parts.store, out=out)
        except handover.Unusable as problem:
            self._failed(task, f"what {step.name} returned cannot be kept: {problem}", again=False)
            return
        if answer["output"].get("held"):
            worker.held[step.name] = version.digest
        seconds = float(answer.get("seconds") or 0.0)
        self._recorder.result(version, task.parts, seconds)
        self._made(step, StepResult(step.name, "ran", version, seconds))

    # ── what becomes of nodes ────────────────────────────────────────────────────────────────────────────────────

    def _made(self, step: Step, result: StepResult) -> None:
        assert result.version is not None
        self.versions[step.name] = result.version
        self.results[step.name] = result
        self._schedule.done(step)
        self._report(reports.StepDone(result, step.kind))

    def _decided(self, check: Check, outcome: Outcome) -> None:
        self.outcomes[check.name] = outcome
        if not outcome.cached:
            self._recorder.outcome(self.keys[check.name], outcome)
        self._schedule.done(check)
        self._report(reports.CheckDone(outcome))

    def _failed(self, task: _Task, error: str, *, again: bool) -> None:
        node = task.node
        handover.clear(self._place().folder / "out" / task.id)
        seconds = time.monotonic() - task.began if task.began else 0.0
        if isinstance(node, Check):
            last = error.strip().splitlines()[-1] if error.strip() else "it could not be run"
            outcome = evidence.undecided(node, last, error, seconds)
            tried = tries.counted(self._parts.database, task.parts.key, outcome) if again else outcome
            self._decided(node, tried)
            return
        result = StepResult(node.name, "failed", None, seconds, error)
        if again and task.tries < node.retries:
            task.tries += 1
            self._report(reports.StepDone(result, node.kind, again=True))
            self._later(task)
            return
        self.results[node.name] = result
        self._report(reports.StepDone(result, node.kind))
        for lost in self._schedule.failed(node):
            if isinstance(lost, Check):
                self.outcomes[lost.name] = evidence.undecided(lost, f"{lost.asset} was not made: {node.name} failed")
            else:
                skipped = StepResult(lost.name, "skipped", None, 0.0, f"{node.name} failed")
                self.results[lost.name] = skipped
                self._report(reports.StepDone(skipped, lost.kind))

    def _lost(self, worker: workers.Worker, gone: workers.Gone) -> None:
        """A worker has died: what it ran is run once more on a new one."""
        task = self._drop(worker)
        if task is None:
            return
        task.crashes += 1
        self._crashed[task.node.name] = task.crashes
        if task.crashes > 1:
            self._failed(task, f"the process that ran {task.node.name} died twice: {gone}", again=False)
            return
        handover.clear(self._place().folder / "out" / task.id)
        self._note(f"the process that ran {task.node.name} died ({str(gone).splitlines()[0]}): once more")
        self._later(task)

    def _drop(self, worker: workers.Worker) -> _Task | None:
        task = self._busy.pop(worker, None)
        if worker in self._idle:
            self._idle.remove(worker)
        self._selector.unregister(worker.read)
        worker.end()
        return task

    def _unavailable(self, task: _Task, missing: handover.Unavailable) -> None:
        """An input is corrupt or gone: it is made anew if this run can, and the task waits for it."""
        asset, cause = missing.asset, missing.cause
        version = self.versions.get(asset)
        self._harmed[asset] = self._harmed.get(asset, 0) + 1
        if (
            self._harmed[asset] > _HARMED
            or missing.live
            or version is None
            or (asset not in self._prepared.graph.steps and version.kind != "source")
        ):
            self._failed(task, f"{task.node.name} cannot have {asset}: {cause}", again=False)
            return
        self._note(f"{asset}: {cause}: made anew")
        for digest in missing.digests:
            self._parts.store.discard(digest)
        if version.kind == "source":
            try:
                self.versions[asset] = self._prepared.source(asset, self._parts.store)
            except (references.Moved, errors.Invalid) as gone:
                self._failed(task, told(gone), again=False)
                return
            self._later(task)
            return
        try:
            self._schedule.again(asset, task.node)
        except KeyError:
            self._failed(task, f"{task.node.name} cannot have {asset}: {cause}", again=False)

    def _log(self, step: str, stream: str, text: str) -> None:
        if self._lines is None:
            self._lines = Lines(self._place().folder / "log.jsonl")
        self._lines.append({"at_us": clock.now_us(), "step": step, "stream": stream, "text": text})
        self._report(reports.LogLine(step, stream, text))

    def _note(self, text: str) -> None:
        self._report(reports.Note(text))


def told(error: errors.CirandaError) -> str:
    """An error of ours as lines for people: where and what, and the way out."""
    first = "  ".join(part for part in (error.where, str(error)) if part)
    return f"{first}\n    {error.hint}" if error.hint else first


def log_frames(folder: Path, frames: Iterable[Mapping[str, Any]]) -> list[reports.LogLine]:
    """What was written while the pipeline was imported, kept in the run's log."""
    lines = Lines(folder / "log.jsonl")
    told = [reports.LogLine("", str(frame.get("stream")), str(frame.get("text"))) for frame in frames]
    for line in told:
        lines.append({"at_us": clock.now_us(), "step": "", "stream": line.stream, "text": line.text})
    return told


def key_of(
    node: Node,
    request: Request,
    prepared: Prepared,
    versions: Mapping[str, Version],
    values: Mapping[str, Mapping[str, Any]],
) -> key.Parts:
    """The parts of a node's key; `values` are parameters that were set, by step. Every asset that it takes is in `versions`."""
    facts = {"commit": request.tree.commit, "dirty": request.tree.dirty}
    inputs = key.inputs(node.inputs, versions, request.live, facts)
    if isinstance(node, Check) and node.asset not in {each.asset for each in node.inputs}:
        tested = versions[node.asset]
        inputs[f"of {node.asset}"] = [tested.digest, tested.codec]
    given = {**node.parameters, **values.get(node.name, {})}
    return key.Parts(prepared.fingerprints.of(node), given, inputs, prepared.around)


def parameters(request: Request, prepared: Prepared) -> dict[str, dict[str, Any]]:
    """`--set step.parameter=value`, by step. Raises errors.Invalid for one that does not exist or is of another type."""
    nodes: dict[str, Node] = {**prepared.graph.checks, **prepared.graph.steps}
    found: dict[str, dict[str, Any]] = {}
    for full, value in request.parameters.items():
        step, _, name = full.partition(".")
        node = nodes.get(step)
        if node is None:
            raise errors.Invalid(f'--set {full}: no step is called "{step}"', hint=names.suggestion(step, nodes))
        if name not in node.parameters:
            hint = names.suggestion(name, node.parameters) or f"it has: {', '.join(node.parameters) or 'no parameters'}"
            raise errors.Invalid(f'--set {full}: {step} has no parameter "{name}"', where=node.file, hint=hint)
        default = node.parameters[name]
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if default is not None and value is not None and type(default) is not type(value):
            kinds = f"{type(default).__name__}, not {type(value).__name__}"
            raise errors.Invalid(f"--set {full}={value}: the parameter is of the type {kinds}", where=node.file)
        found.setdefault(step, {})[name] = value
    return found
