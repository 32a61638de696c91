"""A run: look at the tree, decide by keys what has to be done, do it, record it. `run` is the whole of it."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ciranda.kernel import clock, errors
from ciranda.kernel.database import Transaction
from ciranda.pipeline import (
    cache,
    evidence,
    execution,
    graph,
    interpreters,
    key,
    prepare,
    recording,
    references,
    reports,
    runs,
    schedule,
    snapshot,
    unchanged,
    workers,
)
from ciranda.pipeline.fingerprint import Code
from ciranda.pipeline.records import Check, Description, Outcome, RunResult, Step, StepResult, Version
from ciranda.pipeline.reports import Report
from ciranda.pipeline.request import Parts, Request
from ciranda.pipeline.tree import Tree
from ciranda.project import problems

__all__ = ["Described", "Looked", "Parts", "Report", "Request", "Tree", "check", "describe", "look", "run"]

T = TypeVar("T")
_ATTEMPTS = 3  # at a tree that changes while it is looked at
_DESCRIBE = 600.0  # seconds that importing a pipeline may take


@dataclass(frozen=True, slots=True)
class Described:
    """What a pipeline declares, and the code of each step and check by name."""

    description: Description
    steps: Mapping[str, Code]
    checks: Mapping[str, Code]


@dataclass(frozen=True, slots=True)
class Looked:
    """A step as a run would find it now: its key's parts and what is known for it, or the inputs that run again first."""

    step: Step
    parts: key.Parts | None
    known: cache.Result | None
    waits_for: tuple[str, ...]


def run(request: Request, parts: Parts, report: Callable[[Report], None]) -> RunResult:
    """Run a project's pipeline on a tree and record it. A problem of the project's is in the result, not raised.

    Raises errors.Refused for parameters that do not exist, an interpreter that cannot be built, or a tree that does not
    keep still; errors.StorageFull. What was recorded before that stays.
    """
    interpreter = _interpreter(request, parts, report)
    with parts.store.steady():
        return _settled(lambda: _Attempt(request, parts, interpreter, report).run())


def check(
    request: Request,
    parts: Parts,
    *,
    names: Collection[str],
    assets: Mapping[str, Version],
    interpreter: interpreters.Interpreter,
) -> tuple[Outcome, ...]:
    """Run these checks of a tree on assets that were made elsewhere; checks that it does not have are left out.

    Raises as `run` does, and errors.Refused when the tree has no graph.
    """
    with parts.store.steady():
        return _settled(lambda: _Attempt(request, parts, interpreter, lambda _: None).check(names, assets))


def describe(request: Request, parts: Parts, report: Callable[[Report], None]) -> Described:
    """What a tree's pipeline declares. Raises errors.Refused with the user's traceback, a cycle, or what dangles."""
    interpreter = _interpreter(request, parts, report)
    return _settled(lambda: _Attempt(request, parts, interpreter, report).describe())


def look(
    request: Request, parts: Parts, report: Callable[[Report], None]
) -> tuple[prepare.Prepared, dict[str, Looked]]:
    """What a run would do, step by step, without doing it. Raises as `describe` does."""
    interpreter = _interpreter(request, parts, report)
    return _settled(lambda: _Attempt(request, parts, interpreter, report).look())


def _interpreter(request: Request, parts: Parts, report: Callable[[Report], None]) -> interpreters.Interpreter:
    lock = interpreters.resolve(request.tree.path)
    return interpreters.ensure(lock, parts.interpreters, lambda text: report(reports.Note(text)))


def _settled(attempt: Callable[[], T]) -> T:
    """Try again when a file changed between being looked at and being copied; nothing has run by then."""
    for _ in range(_ATTEMPTS):
        try:
            return attempt()
        except snapshot.Moved as moved:
            path = str(moved)
    raise errors.Stale("the files of the project keep changing", where=path, hint="run again when they keep still")


class _Attempt:
    """One try at a run: its folder and workers are gone when a method returns or raises."""

    def __init__(
        self,
        request: Request,
        parts: Parts,
        interpreter: interpreters.Interpreter,
        report: Callable[[Report], None],
    ) -> None:
        self._request, self._parts, self._interpreter, self._report = request, parts, interpreter, report
        self._id = clock.uuid7()
        self._folder = parts.runs / self._id
        self._began = time.monotonic()
        self._started_us = clock.now_us()
        self._confined = bool(request.confine)
        self._place: workers.Place | None = None
        self._first: list[workers.Worker] = []
        self._number: int | None = None
        self._found: prepare.Found | None = None
        self._recorded = True

    def run(self) -> RunResult:
        try:
            return self._run()
        except BaseException:
            if self._number is not None:
                self._parts.database.write(lambda tx: runs.interrupt(tx, self._id))
            raise
        finally:
            self._leave()

    def check(self, names: Collection[str], assets: Mapping[str, Version]) -> tuple[Outcome, ...]:
        self._recorded = False
        try:
            prepared = self._prepared()
            asked = [name for name in prepared.graph.checks if name in names]
            plan = schedule.Schedule(prepared.graph, assets, checks=asked)
            done = self._execute(prepared, plan, assets)
            lost = [c for c in prepared.graph.checks.values() if c.name in asked and c.name not in done.outcomes]
            unable = {c.name: evidence.undecided(c, "an asset that it takes is not there") for c in lost}
            return tuple((done.outcomes | unable)[name] for name in asked)
        except (prepare.Problem, problems.Declined, errors.Invalid) as problem:
            raise errors.Refused(told(problem)) from problem
        finally:
            self._leave()

    def describe(self) -> Described:
        self._recorded = False
        try:
            prepared = self._prepared()
            steps = {name: prepared.fingerprints.of(step) for name, step in prepared.graph.steps.items()}
            checks = {name: prepared.fingerprints.of(each) for name, each in prepared.graph.checks.items()}
            return Described(prepared.description, steps, checks)
        except (prepare.Problem, problems.Declined, errors.Invalid) as problem:
            raise errors.Refused(told(problem)) from problem
        finally:
            self._leave()

    def look(self) -> tuple[prepare.Prepared, dict[str, Looked]]:
        self._recorded = False
        try:
            prepared = self._prepared()
        except (prepare.Problem, problems.Declined, errors.Invalid) as problem:
            raise errors.Refused(told(problem)) from problem
        finally:
            self._leave()
        known = cache.Known(self._parts.database, self._request.project.name, self._request.accepts)
        values = execution.parameters(self._request, prepared)
        versions = dict(prepared.versions)
        found: dict[str, Looked] = {}
        for name in prepared.graph.order:
            step = prepared.graph.steps[name]
            waits = tuple(each.asset for each in step.inputs if each.marker is None and each.asset not in versions)
            if waits:
                found[name] = Looked(step, None, None, waits)
                continue
            made_of = execution.key_of(step, self._request, prepared, versions, values)
            result = known.result(made_of.key)
            if result is not None and not self._parts.store.has(result.version.digest):
                result = None
            if result is not None:
                versions[name] = result.version
            found[name] = Looked(step, made_of, result, ())
        return prepared, found

    def _run(self) -> RunResult:
        try:
            prepared = self._wanted(self._prepared())
            if not self._request.only:
                prepare.hold_programs(self._request, prepared.found)
            last = runs.last(self._parts.database, self._request.project.name)
            self._report(
                reports.Started(
                    self._id,
                    len(prepared.versions) + len(prepared.graph.steps),
                    _by_asset(prepared.graph.checks.values()),
                    self._confined,
                    getattr(self._request.confine, "why", ""),
                )
            )
            sources = self._sources(prepared, last)
            plan = schedule.Schedule(prepared.graph, prepared.versions)
        except (prepare.Problem, errors.Invalid, errors.NotYet) as problem:
            return self._finish(self._result((), (), None, told(problem)), {}, None)
        done = self._execute(prepared, plan, {})
        steps = (*sources, *(done.results[name] for name in prepared.graph.order))
        outcomes = tuple(done.outcomes[name] for name in prepared.graph.checks if name in done.outcomes)
        result = self._result(steps, outcomes, prepared.description, None)
        return self._finish(result, done.keys, last)

    def _prepared(self) -> prepare.Prepared:
        found = prepare.find(self._request, self._parts, self._interpreter)
        self._found = found
        return prepare.prepare(self._request, self._parts, found, self._describe)

    def _wanted(self, prepared: prepare.Prepared) -> prepare.Prepared:
        """What the run is asked for, of all that there is."""
        if not self._request.only:
            return prepared
        wanted, sources = graph.part(prepared.graph, self._request.only, prepared.found.declared)
        versions = {name: version for name, version in prepared.versions.items() if name in sources}
        return replace(prepared, graph=wanted, versions=versions)

    def _execute(
        self, prepared: prepare.Prepared, plan: schedule.Schedule, given: Mapping[str, Version]
    ) -> execution.Execution:
        known = cache.Known(self._parts.database, self._request.project.name, self._request.accepts)
        recorder = recording.Recorder(self._request, self._parts, self._id, prepared)
        done = execution.Execution(
            self._request, self._parts, prepared, known=known, schedule=plan, recorder=recorder, report=self._report,
            place=self._work, idle=self._first,
        )  # fmt: skip
        self._first = []
        done.versions.update(given)
        try:
            done.run()
        finally:
            recorder.close()
        return done

    def _sources(self, prepared: prepare.Prepared, last: runs.Last | None) -> list[StepResult]:
        before = {step: key for step, key, _ in last.steps} if last else {}
        results = []
        for name, version in prepared.versions.items():
            result = StepResult(name, "unchanged" if before.get(name) == version.key else "ran", version, 0.0)
            results.append(result)
            self._report(reports.StepDone(result, "source", files=prepared.files(name, self._parts.store)))
        return results

    # ── where workers work ───────────────────────────────────────────────────────────────────────────────────────

    def _work(self) -> workers.Place:
        """The folder of the run with the tree that workers see, made when the first of them is needed."""
        if self._place is None:
            runs.sweep(self._parts.database, self._parts.runs)
            runs.occupy(self._folder)
            tree = self._folder / "tree"
            assert self._found is not None
            snapshot.make(self._found.survey, self._found.left_out, tree)
            if self._recorded:
                self._number = self._parts.database.write(
                    lambda tx: runs.begin(tx, self._id, self._request, self._interpreter.digest, self._confined)
                )
            python = self._interpreter.python
            self._place = workers.Place(
                python=python,
                tree=tree,
                folder=self._folder,
                pipeline=self._request.project.pipeline or "",
                hidden=(self._parts.home, self._parts.interpreters, self._request.tree.path),
                readable=(*interpreters.folders(python), *self._outside()),
                confined=self._confined,
                facts={"id": self._id, "commit": self._request.tree.commit, "dirty": self._request.tree.dirty},
            )
        return self._place

    def _outside(self) -> list[Path]:
        """Where the references of the run, and of what is live, lie on this machine."""
        assert self._found is not None
        found: list[Path] = []
        for version in (*self._found.outside.values(), *self._request.live.values()):
            if version.codec == references.CODEC:
                with suppress(errors.NotFound, errors.Corrupt):  # who needs it says so
                    found += references.folders(references.entries(self._parts.store, version.digest))
        return found

    def _describe(self, *, again: bool = True) -> Mapping[str, Any]:
        """What the pipeline declares, asked of a worker that stays for the first step. Raises prepare.Problem.

        A worker that dies meanwhile is started once more, as for a step.
        """
        worker = workers.Worker(self._work(), 0)
        self._first.append(worker)
        try:
            logs, answer = worker.ask({"type": "describe"}, _DESCRIBE)
        except workers.Gone as gone:
            if again:
                self._first.remove(worker)
                worker.end()
                return self._describe(again=False)
            raise prepare.Problem(f"the process that imported the pipeline died: {gone}") from gone
        except TimeoutError:
            raise prepare.Problem(f"importing the pipeline took longer than {_DESCRIBE:g} s") from None
        for line in execution.log_frames(self._folder, logs):
            self._report(line)
        if answer["type"] != "describe":
            raise prepare.Problem(workers.message(answer))
        return answer

    def _leave(self) -> None:
        for worker in self._first:
            worker.end()
        runs.clear(self._folder)

    # ── how it ended ─────────────────────────────────────────────────────────────────────────────────────────────

    def _result(
        self,
        steps: tuple[StepResult, ...],
        outcomes: tuple[Outcome, ...],
        description: Description | None,
        problem: str | None,
    ) -> RunResult:
        whole = problem is None and all(step.version for step in steps)
        return RunResult(
            run=self._id,
            number=self._number or 0,
            state="finished" if whole else "failed",
            steps=steps,
            outcomes=outcomes,
            seconds=time.monotonic() - self._began,
            interpreter=self._interpreter.digest,
            description=description,
            problem=problem,
        )

    def _finish(self, result: RunResult, keys: Mapping[str, str], last: runs.Last | None) -> RunResult:
        """Record how it ended; the result has its number then."""
        same_as = last.run if last is not None and _same(result, keys, last) else None
        number = self._parts.database.write(lambda tx: self._record(tx, result, keys, same_as))
        self._number = None
        return _numbered(result, number)

    def _record(self, tx: Transaction, result: RunResult, keys: Mapping[str, str], same_as: str | None) -> int:
        number = runs.finish(
            tx, self._request, result, begun=self._number is not None, started_us=self._started_us,
            confined=self._confined, keys=keys, same_as=same_as,
        )  # fmt: skip
        request, survey = self._request, self._found.survey if self._found else None
        by_hand = request.tree.files is not None and not (request.parameters or request.live or request.only)
        by_hand = by_hand and not any(
            source.reference for source in request.project.sources
        )  # nobody looks at those there
        if survey is not None and by_hand and _whole(result) and unchanged.settled(survey.marks, survey.seen_ns):
            state = unchanged.state(request.tree, survey.marks)
            had, passed = same_as or result.run, len(result.outcomes)
            unchanged.keep(tx, request.tree.path, state, request.project.name, had, passed)
        return number


def _whole(result: RunResult) -> bool:
    """Whether a run had everything: every step its version, every check passed."""
    return result.state == "finished" and all(outcome.passed for outcome in result.outcomes)


def _same(result: RunResult, keys: Mapping[str, str], last: runs.Last) -> bool:
    """Whether a run found exactly what the last one had: then it says so instead of saying it all again."""
    if any(step.state != "unchanged" for step in result.steps) or not all(o.cached for o in result.outcomes):
        return False
    steps = tuple(
        (s.step, s.version.key if s.version else None, s.version.digest if s.version else None) for s in result.steps
    )
    return (
        last.whole
        and steps == last.steps
        and tuple((o.check, keys.get(o.check)) for o in result.outcomes) == last.checks
    )


def _by_asset(checks: Iterable[Check]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for each in checks:
        found[each.asset] = (*found.get(each.asset, ()), each.name)
    return found


def _numbered(result: RunResult, number: int) -> RunResult:
    """The result with its number."""
    return RunResult(**{name: getattr(result, name) for name in RunResult.__dataclass_fields__} | {"number": number})


def told(problem: Exception) -> str:
    """A problem as lines for people: where, what, and the way out."""
    each = getattr(problem, "problems", None) or [problem]
    lines = []
    for one in each:
        what = getattr(one, "what", None) or str(one)
        lines.append("  ".join(part for part in (getattr(one, "where", ""), what) if part))
        if getattr(one, "hint", ""):
            lines.append(f"    {one.hint}")
    return "\n".join(lines)
