"""States and numbers as the pages say them: a sign, a tone and a word, so that nothing is told by colour alone. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ciranda.app.views import audit, screen
from ciranda.cli import words
from ciranda.loop import wording
from ciranda.pipeline import runs
from ciranda.pipeline.records import Outcome
from ciranda.project import layers
from ciranda.web.pages import languages


@dataclass(frozen=True, slots=True)
class Mark:
    """A state: its sign, its tone (good, bad, warn, busy or idle) and what it is called."""

    sign: str
    tone: str
    word: str


GOOD, BAD, WARN, BUSY, IDLE = ("✓", "good"), ("✗", "bad"), ("!", "warn"), ("●", "busy"), ("–", "idle")
_MARKS: Mapping[str, Mapping[str, tuple[tuple[str, str], str]]] = {
    "change": {
        "recorded": (BUSY, "waiting"),
        "judging": (BUSY, "at the gate"),
        "asking": (WARN, "waits for a person"),
        "passed": (BUSY, "passed"),
        "failed": (BAD, "failed"),
        "merging": (BUSY, "passed"),
        "merged": (GOOD, "merged"),
        "delivering": (GOOD, "merged, on its way"),
        "settled": (GOOD, "merged"),
        "refused": (BAD, "refused"),
    },
    "run": {
        "running": (BUSY, "running"),
        "finished": (GOOD, "finished"),
        "failed": (BAD, "failed"),
        "interrupted": (WARN, "interrupted"),
    },
    "step": {
        "unchanged": (GOOD, "unchanged"),
        "ran": (GOOD, "ran"),
        "failed": (BAD, "failed"),
        "skipped": (IDLE, "not made"),
    },
    "outcome": {
        "passed": (GOOD, "passed"),
        "warned": (WARN, "warns"),
        "unsure": (BAD, "could not be judged"),
        "failed": (BAD, "failed"),
    },
    "verdict": {
        "pass": (GOOD, "pass"),
        "warn": (WARN, "warn"),
        "fail": (BAD, "fail"),
        "inconclusive": (BAD, "inconclusive"),
        "ask": (WARN, "asks a person"),
    },
    "job": {
        "waiting": (BUSY, "waiting"),
        "running": (BUSY, "running"),
        "passed": (GOOD, "passed"),
        "failed": (BAD, "failed"),
        "skipped": (IDLE, "skipped"),
    },
    "revision": {
        "target": (BUSY, "on its way"),
        "reached": (GOOD, "reached"),
        "failed": (BAD, "failed"),
        "superseded": (IDLE, "superseded"),
    },
}
_ADDED, _CHANGED, _REMOVED = Mark("+", "good", "added"), Mark("~", "warn", "changed"), Mark("−", "bad", "removed")
_SIGNS = {"add": _ADDED, "change": _CHANGED, "remove": _REMOVED, "same": Mark("=", "idle", "unchanged")}


def mark(state: str, kind: str) -> Mark:
    """The mark of a state of a change, run, step, outcome, verdict, job or revision."""
    (sign, tone), word = _MARKS[kind].get(state, (IDLE, state))
    return Mark(sign, tone, word)


def sign(name: str) -> Mark:
    """The mark of a part of a plan."""
    return _SIGNS.get(name, Mark("·", "idle", name))


def checks(outcomes: tuple[Outcome, ...]) -> str:
    """`3 passed, 1 warned`."""
    return ", ".join(
        f"{number} {state}" for state, number in runs.count([runs.verdict(one) for one in outcomes]).items()
    )


def counts(told: Mapping[str, int]) -> str:
    """`5 unchanged, 2 ran`."""
    return ", ".join(f"{number:,} {word}" for word, number in told.items())


def latency(seconds: float) -> str:
    """`8 ms`, `1.2 s`; a dash where nothing was answered."""
    if seconds <= 0:
        return "–"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:,.0f} ms" if seconds >= 0.001 else f"{seconds * 1000:.2f} ms"


def rate(per_second: float) -> str:
    """`212/s`, `0.4/s`, `0/s`."""
    if per_second >= 9.95:
        return f"{per_second:,.0f}/s"
    return f"{per_second:.1f}/s" if per_second >= 0.05 else "0/s" if per_second == 0 else "< 0.1/s"


def value(told: Any) -> str:
    """A figure, a parameter or a cell as text."""
    if told is None:
        return "null"
    if isinstance(told, int | float) and not isinstance(told, bool):
        return words.number(told)
    if isinstance(told, Mapping):
        return ", ".join(f"{clean(name)} {value(inner)}" for name, inner in told.items())
    return clean(told) if isinstance(told, str) else clean(layers.text(told))


def clean(text: object) -> str:
    """Text without control characters: what a pushed tree says must not steer anything."""
    return languages.Named(wording.clean(str(text)))


def clean_lines(text: object) -> str:
    """The same of each line."""
    return languages.Named("\n".join(clean(line) for line in str(text).splitlines()))


def facts(body: Mapping[str, Any]) -> str:
    """`tests 5, commands 1`: a statement in words; identities and lists of lines say nothing to people."""
    shown = {name: told for name, told in body.items() if isinstance(told, str | int | float) and name != "revision"}
    return ", ".join(f"{clean(name)} {value(told)}" for name, told in shown.items())


def moment(at_us: int) -> str:
    """`2026-11-22 14:03:11 UTC`."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(at_us: int) -> str:
    """`2026-11-22T14:03:11Z`: for machines."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


FILTERS = {
    "mark": mark,
    "sign": sign,
    "checks": checks,
    "counts": counts,
    "latency": latency,
    "rate": rate,
    "value": value,
    "clean": clean,
    "clean_lines": clean_lines,
    "facts": facts,
    "detail": audit.words,
    "outcome_state": runs.verdict,
    "moment": moment,
    "iso": iso,
    "lasted": screen.lasted,
    "seconds": words.seconds,
    "size": words.size,
    "contents": words.contents,
    "finding": words.finding,
    "count": words.count,
}
