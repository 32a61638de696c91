"""What a run looks like while it goes on: blocks of finished steps that stay, and below them, on a terminal, what runs now."""

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from ciranda.cli import words
from ciranda.pipeline import reports, runs, tries
from ciranda.pipeline.records import Outcome, StepResult

_FEW = 20  # unchanged steps that are listed beside others; more only count
_EVERY = 0.2  # seconds between two looks of a terminal
_VERBS = {"model": "training", "dataset": "computing", "step": "working", "source": "reading"}
_SHOWN = 30  # lines of an error


class Progress:
    """Prints reports. A step's line comes with the lines of its checks, once all of them are decided."""

    def __init__(self, header: str, evidence: Callable[[Outcome], list[str]], stream: TextIO = sys.stdout) -> None:
        """`header` is printed before the first line, if there is one; `evidence` gives the rows of a failed check."""
        self._header, self._evidence, self._stream = header, evidence, stream
        self._colour = words.coloured(stream)
        self._live = self._colour and not os.environ.get("CI")
        self._lock = threading.Lock()
        self._started: reports.Started | None = None
        self._steps: dict[str, reports.StepDone] = {}
        self._checks: dict[str, dict[str, Outcome]] = {}
        self._printed: set[str] = set()
        self._quiet: list[str] = []  # blocks of unchanged steps, until something else happens
        self._loud = False
        self._running: dict[str, tuple[reports.StepStarted, float]] = {}
        self._said: dict[str, str] = {}
        self._painted = 0
        self._ended = threading.Event()
        self._painter: threading.Thread | None = None
        self._width = 12

    def __call__(self, report: reports.Report) -> None:
        """Take in one report."""
        with self._lock:
            match report:
                case reports.Started():
                    self._started = report
                case reports.StepStarted():
                    self._running[report.step] = (report, time.monotonic())
                    if self._painter is None:
                        self._painter = threading.Thread(target=self._repaint, name="progress", daemon=True)
                        self._painter.start()
                case reports.StepDone():
                    self._step(report)
                case reports.CheckDone():
                    self._checks.setdefault(report.outcome.asset, {})[report.outcome.check] = report.outcome
                    self._block(report.outcome.asset)
                case reports.LogLine():
                    self._said[report.step] = report.text.strip().rpartition("\n")[2]
                case reports.Note():
                    self._print([f"  {words.mark('warned', colour=self._colour)} {report.text}"])

    @property
    def begun(self) -> bool:
        """Whether anything was printed, the header first."""
        return self._loud

    def end(self) -> None:
        """Print what waited for checks that never came, and stop painting."""
        self._ended.set()
        if self._painter is not None:
            self._painter.join()
        with self._lock:
            self._wipe()
            for name in list(self._steps):
                if name not in self._printed:
                    self._block(name, whole=False)
            for name in list(self._checks):
                if name not in self._steps:
                    self._print(self._check_lines(list(self._checks[name].values())))
            self._stream.flush()

    def _step(self, report: reports.StepDone) -> None:
        name = report.result.step
        self._running.pop(name, None)
        if report.again:
            last = (report.result.error or "").strip().splitlines()[-1:]
            self._print([f"  {words.mark('warned', colour=self._colour)} {name}: {''.join(last)}: once more"])
            return
        self._steps[name] = report
        self._block(name)

    def _block(self, name: str, *, whole: bool = True) -> None:
        """Print a step and its checks, if all that is expected is there."""
        expected = self._started.checks.get(name, ()) if self._started else ()
        found = self._checks.get(name, {})
        report = self._steps.get(name)
        alive = report is not None and report.result.version is not None
        if (
            report is None
            or name in self._printed
            or (whole and alive and any(check not in found for check in expected))
        ):
            return
        self._printed.add(name)
        outcomes = [found[check] for check in expected if check in found]
        quiet = report.result.state == "unchanged" and all(outcome.cached and outcome.passed for outcome in outcomes)
        if quiet and not self._few:
            return
        lines = self._step_lines(report) + (self._check_lines(outcomes) if alive else [])
        if quiet and not self._loud:
            self._quiet += lines
        else:
            self._print(lines)

    @property
    def _few(self) -> bool:
        return self._started is not None and self._started.steps <= _FEW

    def _print(self, lines: list[str]) -> None:
        """Print lines that stay, above what runs now."""
        self._wipe()
        if not self._loud:
            self._loud = True
            self._stream.write(self._header + "\n")
        if self._few:
            lines = [*self._quiet, *lines]
        self._quiet = []
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._paint()
        if self._painter is None:
            self._stream.flush()

    def _step_lines(self, report: reports.StepDone) -> list[str]:
        result = report.result
        sign = words.mark(result.state, colour=self._colour)
        if result.version is None:
            error = (result.error or "").strip()
            if result.state == "skipped":
                return [f"  {sign} {result.step:<{self._width}} not run: {error}"]
            lines = error.splitlines() or ["it failed"]
            cut = [f"      … {len(lines) - _SHOWN} lines"] if len(lines) > _SHOWN else []
            shown = [
                *(f"      {line}" for line in lines[: _SHOWN - 5]),
                *cut,
                *(f"      {line}" for line in lines[-5:]),
            ]
            body = shown if cut else [f"      {line}" for line in lines]
            return [f"  {sign} {result.step:<{self._width}} {'failed':<36} {words.seconds(result.seconds):>9}", *body]
        right = "unchanged" if result.state == "unchanged" else "read" if report.kind == "source" else None
        held = words.contents(result.version, report.files or None)
        return [f"  {sign} {result.step:<{self._width}} {held:<36} {right or words.seconds(result.seconds):>9}"]

    def _check_lines(self, outcomes: list[Outcome]) -> list[str]:
        plain = [o for o in outcomes if o.passed]
        lines, row = [], "     "
        for outcome in plain:
            found = words.finding(outcome)
            told = f" {words.mark('passed', colour=self._colour)} {outcome.check}{' ' + found if found else ''} "
            if len(row) + len(told) > 90 and row.strip():
                lines.append(row.rstrip())
                row = "     "
            row += told + " "
        if row.strip():
            lines.append(row.rstrip())
        for outcome in outcomes:
            if not outcome.passed:
                state = runs.verdict(outcome)
                tail = " (warns)" if state == "warned" else " (could not be judged)" if state == "unsure" else ""
                sign = words.mark(state, colour=self._colour)
                lines.append(f"      {sign} {outcome.check}: {words.clip(words.finding(outcome), 120)}{tail}")
                lines += [f"        {line}" for line in self._evidence(outcome)]
                if outcome.passed is None and outcome.error:
                    lines += [f"        {line}" for line in outcome.error.strip().splitlines()[-_SHOWN:]]
        for outcome in outcomes:
            if outcome.flaky:
                sign = words.mark("warned", colour=self._colour)
                lines.append(f"      {sign} {outcome.check} is {tries.told(outcome.failed, outcome.tried)}")
        return lines

    # ── what runs now, on a terminal ─────────────────────────────────────────────────────────────────────────────

    def _repaint(self) -> None:
        """Show what was printed; on a terminal, also what goes on."""
        while not self._ended.wait(_EVERY):
            with self._lock:
                self._stream.flush()
                if not self._live:
                    continue
                if self._loud or any(time.monotonic() - began > _EVERY for _, began in self._running.values()):
                    self._print([])

    def _wipe(self) -> None:
        if self._painted:
            self._stream.write(f"\033[{self._painted}F\033[J")
            self._painted = 0

    def _paint(self) -> None:
        if not self._live or self._ended.is_set():
            return
        columns, rows = shutil.get_terminal_size()
        now = time.monotonic()
        lines = [self._running_line(report, now - began) for report, began in self._running.values()]
        lines = lines[: max(rows - 4, 1)]
        sign = words.mark("running", colour=self._colour)
        self._stream.write("".join(f"  {sign} {words.clip(line, columns - 6)}\n" for line in lines))
        self._painted = len(lines)

    def _running_line(self, report: reports.StepStarted, took: float) -> str:
        doing = words.clip(self._said.get(report.step, ""), 28) or _VERBS[report.kind]
        about = ""
        bar = ""
        if report.about and report.about > 1.0:
            filled = min(12, int(12 * took / report.about))
            bar = "█" * filled + "░" * (12 - filled)
            about = f" of about {words.seconds(report.about)}"
        return f"{report.step:<{self._width}} {doing:<28} {bar:<12}  {words.seconds(took)}{about}"


def summary(steps: tuple[StepResult, ...], outcomes: tuple[Outcome, ...], seconds: float) -> str:
    """`7 steps: 5 unchanged, 2 ran, 6 checks passed, 1 warned     7.4 s`."""
    states = runs.count([step.state for step in steps])
    verdicts = runs.count([runs.verdict(outcome) for outcome in outcomes])
    total = words.count(len(steps), "step")
    if set(states) <= {"unchanged"} and set(verdicts) <= {"passed"} and all(outcome.cached for outcome in outcomes):
        return f"{total} unchanged     {words.seconds(seconds)}"
    parts = [f"{states[state]:,} {state}" for state in ("unchanged", "ran", "failed", "skipped") if state in states]
    checks = [f"{verdicts[word]:,} {said}" for word, said in _SAID.items() if word in verdicts]
    if checks:
        first, _, rest = checks[0].partition(" ")
        checks[0] = f"{first} {'check' if first == '1' else 'checks'} {rest}"
    return f"{total}: {', '.join([*parts, *checks])}     {words.seconds(seconds)}"


_SAID: Mapping[str, str] = {"passed": "passed", "warned": "warned", "failed": "failed", "unsure": "could not be judged"}
