"""What a person sees: each act as it happens, at 80 columns; colour only marks state."""

import os
import re
from typing import TextIO

from ciranda.demo.judge import Finding, Outcome

WIDTH = 80
SENT = "remote: "
CONTINUED = " " * 8
GREEN, RED, BOLD, DIM, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


class Screen:
    """Writes to one stream; in colour only where that is a terminal and nobody asked for none."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._colour = out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("CI", "") != "true"

    def say(self, text: str = "") -> None:
        print(text, file=self._out, flush=True)

    def title(self, act: int, text: str) -> None:
        head = f"── {act}  {text} "
        self.say()
        self.say(self._in(BOLD, head) + self._in(DIM, "─" * (WIDTH - len(head))))

    def command(self, text: str) -> None:
        """What is typed; a long command goes on in a second line, as a shell reads it."""
        first, *rest = wrapped(text, WIDTH - len("$  \\"))
        self.say(" \\\n    ".join([f"$ {first}", *rest]))

    def line(self, text: str) -> None:
        """What a command printed, as it printed it."""
        for part in fitted(text, WIDTH):
            self.say(part)

    def finding(self, finding: Finding) -> None:
        mark = self._in(GREEN, "✓") if finding.ok else self._in(RED, "✗")
        first, *rest = wrapped(finding.text, WIDTH - 4)
        self.say(f"  {mark} {first}")
        for text in rest:
            self.say(f"    {text}")

    def ending(self, outcomes: list[Outcome], acts: int, seconds: float) -> None:
        self.say()
        self.say(self._in(DIM, "─" * WIDTH))
        for outcome in outcomes:
            mark = self._in(GREEN, "✓") if outcome.observed else self._in(RED, "✗")
            self.say(f"  {mark} {outcome.act}  {outcome.title:<62} {outcome.seconds:>6.1f} s")
        seen = sum(outcome.observed for outcome in outcomes)
        self.say()
        text = f"{seen} of {acts} acts observed in {seconds:.0f} s"
        self.say(self._in(GREEN if seen == acts else RED, text))
        for outcome in outcomes:
            if not outcome.observed:
                self.finding(Finding(False, f"act {outcome.act}: {outcome.why or 'nothing was observed'}"))

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self._colour else text


def fitted(line: str, width: int) -> list[str]:
    """The line in `width` columns: where it is longer, its gaps are narrowed, the widest first; then what a server
    sent (a traceback, a path) is cut, and what a command says is continued below.
    """
    line = line.rstrip()
    while len(line) > width:
        gaps = [
            gap for gap in re.finditer(r"(?<=\S) {3,}(?=\S)", line) if gap.start() > width // 4
        ]  # not the indentation
        if not gaps and line.startswith(SENT):
            return [f"{line[: width - 1]}…"]
        if not gaps:
            first, *rest = wrapped(line, width)
            return [first, *(f"{CONTINUED}{part}" for part in wrapped(" ".join(rest), width - len(CONTINUED)) if part)]
        widest = max(gaps, key=lambda gap: gap.end() - gap.start())
        keep = max(2, widest.end() - widest.start() - (len(line) - width))
        line = line[: widest.start()] + " " * keep + line[widest.end() :]
    return [line]


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken between words; a word that is longer is cut."""
    lines = [""]
    for place, word in enumerate(text.split(" ")):
        if place and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        elif place:
            lines[-1] += " "
        lines[-1] += word if len(word) <= width else f"{word[: width - 1]}…"
    return lines
