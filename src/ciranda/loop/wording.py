"""The lines that a push prints: pure, from records to text of at most 80 columns."""

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ciranda.checks import gate
from ciranda.checks.code import CodeOutcome
from ciranda.environment import revisions
from ciranda.environment.rollout import rows
from ciranda.kernel import errors
from ciranda.pipeline import records, tries
from ciranda.release import releases

WIDTH = 80 - len("remote: ")
SHOWN = 3  # rows of evidence in a push; ten are kept
LONGEST = 400  # characters of a line that tells what somebody else's code said
NO_GRAPH = "the pipeline has no graph"
# A frame of the project's own code: its files are named from its root, all others by an absolute path.
_FRAME = re.compile(r'  File "([^"/][^"]*)", line (\d+)')


def headline(project: str, short: str, subject: str) -> str:
    """`flights 3f2a1c9  Add weather features`."""
    return _clip(f"{project} {short}  {subject}", WIDTH)


def line(name: str, mark: str, text: str, *, width: int, right: str = "") -> str:
    """One part's line: its name, a mark, what there is to say and, at the right edge, how long it took."""
    left = f"  {name:<{width}}  {mark} {text}" if mark else f"  {name:<{width}}  {text}"
    if not right:
        return left
    room = WIDTH - len(right) - 2
    return f"{left:<{room}}  {right}" if len(left) <= room else f"{left}  {right}"


def took(seconds: float, *, cached: bool = False) -> str:
    """`1.9 s`, or `cached    0.0 s`."""
    return f"{'cached' if cached else '':<6}  {seconds:>5.1f} s"


def code(outcomes: Sequence[CodeOutcome], *, width: int, eased: Mapping[str, str] | None = None) -> list[str]:
    """The line of the code checks, and the tail of the one that failed; `eased` says which only warn or ask when unsure."""
    seconds = sum(outcome.seconds for outcome in outcomes)
    beside = [
        line(
            "",
            "!" if (eased or {})[outcome.command] == "warn" else "?",
            f"{outcome.command}: {outcome.summary}",
            width=width,
        )
        for outcome in outcomes
        if outcome.passed is None and outcome.command in (eased or {})
    ]
    unsteady = [(outcome.command, tries.told(outcome.failed, outcome.tried)) for outcome in outcomes]
    beside += [line("", "!", f"{command} is {said}", width=width) for command, said in unsteady if said]
    beside = [_clip(text, LONGEST) for text in beside]
    failed = [o for o in outcomes if o.passed is False or (o.passed is None and o.command not in (eased or {}))]
    if failed:
        first = failed[0]
        what = f"{first.command}: {first.summary}"
        return [
            line("code", "✗", what, width=width, right=took(seconds)),
            *(_under(width, text) for text in first.tail),
            *beside,
        ]
    passed = [outcome for outcome in outcomes if outcome.passed]
    tests = sum(outcome.tests or 0 for outcome in passed)
    plain = sum(1 for outcome in passed if outcome.tests is None)
    parts = [plural(tests, "test")] * (tests > 0) + [plural(plain, "command")] * (plain > 0)
    cached = bool(outcomes) and all(outcome.cached for outcome in outcomes)
    told = ", ".join(parts) or ("nothing judged" if outcomes else "nothing declared")
    return [
        line("code", "✓" if passed or not outcomes else "!", told, width=width, right=took(seconds, cached=cached)),
        *beside,
    ]


def refusal(error: errors.CirandaError) -> Iterator[str]:
    """Everything that is wrong with a declaration, each with its place and the way out."""
    for each in getattr(error, "problems", None) or [error]:
        where, what = each.where, getattr(each, "what", None) or str(each)
        yield "  ".join(part for part in (where, what) if part)
        if each.hint:
            yield f"{'':<{len(where)}}  {each.hint}" if where else f"  {each.hint}"


def problem(text: str | None, *, width: int) -> list[str]:
    """Why there is no graph: the user's traceback, a cycle, two steps making one asset."""
    told = cause(text)
    rest = [part for part in (text or "").splitlines() if part.strip() and not told.endswith(part.strip())]
    return [
        _clip(line("pipeline", "✗", told, width=width), LONGEST),
        *(_under(width, part) for part in rest[-13:]),
    ]


def cause(text: str | None) -> str:
    """A problem or an error in one line: the place in the project's own code and what was raised there, else the first line."""
    lines = [part for part in (text or "").splitlines() if part.strip()]
    frames = _frames(text or "")
    if not frames:
        return lines[0].strip() if lines else NO_GRAPH
    file, number = frames[-1]
    last = max(place for place, part in enumerate(lines) if part.startswith('  File "'))
    raised = next((part for part in lines[last:] if not part.startswith(" ")), lines[-1].strip())
    return f"{file}:{number}  {raised}"


def asset(
    result: records.StepResult,
    verdicts: Sequence[gate.Verdict],
    *,
    width: int,
    evidence: Mapping[str, Mapping[str, Any]],
    run: int,
) -> list[str]:
    """An asset's line with its checks; under it every check that does not pass, with a sample of its rows."""
    cached = result.state == "unchanged" and all(verdict.cached for verdict in verdicts)
    seconds = result.seconds + sum(verdict.seconds for verdict in verdicts if not verdict.cached)
    if result.state == "failed":
        told = cause(result.error or "it failed")
        rest = [part for part in (result.error or "").splitlines() if part.strip() and not told.endswith(part.strip())]
        return [
            _clip(line(result.step, "✗", told, width=width, right=took(result.seconds)), LONGEST),
            *(_under(width, part) for part in rest[-12:]),
        ]
    if result.state == "skipped":
        return [line(result.step, "-", "not made: what it needs failed", width=width)]
    blocking = [verdict for verdict in verdicts if verdict.blocks]
    warned = [verdict for verdict in verdicts if verdict.judgement == "warn"]
    passed = len({verdict.check for verdict in verdicts if verdict.judgement == "pass"})
    lines: list[str] = []
    if not blocking:
        parts = [*_facts(result.version), *([plural(passed, "check")] if passed else [])]
        lines.append(
            line(result.step, "✓", ", ".join(parts) or "made", width=width, right=took(seconds, cached=cached))
        )
    for verdict in blocking:
        mark = "✗" if verdict.judgement == "fail" else "?"
        first, *more = textwrap.wrap(_clip(clean(_found(verdict)), LONGEST), WIDTH - width - 6)
        lines.append(line(result.step if not lines else "", mark, first, width=width))
        lines.extend(_under(width, text) for text in more)
        if verdict.evidence and verdict.evidence in evidence:
            lines.extend(_under(width, text) for text in sample(evidence[verdict.evidence], WIDTH - width - 4))
            lines.append(_under(width, f"all of them: ciranda show {result.step}@run-{run} --check {verdict.check}"))
    lines.extend(line("", "!", f"{_found(verdict)} (warns)", width=width) for verdict in warned)
    asked = [verdict for verdict in verdicts if verdict.judgement == "ask"]
    lines.extend(_clip(line("", "?", f"{_found(verdict)} (asks)", width=width), LONGEST) for verdict in asked)
    unsteady = {verdict.check: tries.told(verdict.failed, verdict.tried) for verdict in verdicts}
    lines.extend(line("", "!", f"{check} is {said}", width=width) for check, said in unsteady.items() if said)
    return lines


def sample(evidence: Mapping[str, Any], width: int) -> list[str]:
    """A small table of the first rows that are wrong: as many columns as fit, whole."""
    rows: list[Sequence[Any]] = evidence.get("rows", [])
    if not rows:
        return []
    table = [[str(name), *(_cell(row[at]) for row in rows[:SHOWN])] for at, name in enumerate(evidence["columns"])]
    shown: list[list[str]] = []
    used = 0
    for column in table:
        size = max(len(text) for text in column) + 2
        if shown and used + size > width:
            break
        shown.append([f"{text:<{size}}" for text in column])
        used += size
    lines = [_clip("".join(cells).rstrip(), width) for cells in zip(*shown, strict=True)]
    lines[-1] += f"  ({len(rows)} kept)" if len(rows) > SHOWN else ""
    return lines


def question(reason: str, number: int, *, width: int) -> list[str]:
    """What a change asks of a person, and how they let it in."""
    return [
        _clip(line("gate", "?", f"a person decides: {reason}", width=width), LONGEST),
        _under(width, f"let it in: ciranda approve change/{number}"),
    ]


def rules(verdicts: Iterable[gate.Verdict], *, width: int) -> list[str]:
    """A line a loosened rule, and how an admin lets it in."""
    told = list(verdicts)
    lines = [
        line("rules", "✗" if verdict.blocks else "!", f"{verdict.check}{'' if verdict.blocks else ' (accepted)'}", width=width)
        for verdict in told
    ]  # fmt: skip
    if any(verdict.blocks for verdict in told):
        lines.append(_under(width, "an admin may let it in: git push -o accept-policy …"))
    return lines


def environment(
    revision: revisions.Revision,
    stated: Iterable[releases.Statement],
    *,
    width: int,
    rolled: rows.Row | None = None,
    live: str = "",
) -> list[str]:
    """What became of a release in an environment: how long it took to be live, what verified it, or why it is not.

    `rolled` is its rollout, if it entered by steps, beside the release `live`.
    """
    assert revision.ended_us is not None
    seconds = (revision.ended_us - revision.created_us) / 1e6
    verified = [
        statement.body
        for statement in stated
        if statement.kind == "verification" and statement.body.get("revision") == revision.id
    ]
    if rolled is not None and revision.state == "failed" and rolled.progress.state in ("failed", "aborted"):
        text = f"{_steps(rolled)}{rolled.weight} % ✗ {rolled.progress.reason}; back to {live}"
        return _wrapped(revision.environment, text, width)
    if revision.state == "failed":
        lines = [line(revision.environment, "✗", revision.reason, width=width, right=took(seconds))]
        return lines + [_under(width, text) for body in verified[-1:] for text in body.get("tail", [])]
    tests = sum(int(body.get("tests", 0)) for body in verified[-1:])
    commands = sum(int(body.get("commands", 0)) for body in verified[-1:])
    smoke = [plural(tests, "smoke check")] if tests else [plural(commands, "verification")] if commands else []
    if rolled is not None:
        return _wrapped(revision.environment, ", ".join([_rolled(rolled), *smoke]), width)
    return [line(revision.environment, "✓", ", ".join([f"live in {seconds:.1f} s", *smoke]), width=width)]


def share(revision: revisions.Revision, release: str, live: str, weight: int, *, width: int) -> str:
    """That a release has begun to enter by steps."""
    follow = f"ciranda rollout -e {revision.environment} --follow"
    return line(revision.environment, "", f"{weight} % to {release}, {100 - weight} % to {live}: {follow}", width=width)


def waits(revision: revisions.Revision, rolled: rows.Row, *, width: int) -> list[str]:
    """That nothing can be told of a release at its step, and what a person may do about it."""
    place = revision.environment
    return [
        *_wrapped(place, f"{_steps(rolled)}{rolled.weight} % ? {rolled.progress.reason}", width),
        _under(width, f"go on: ciranda rollout resume -e {place}   back: ciranda rollout abort -e {place}"),
    ]


def _rolled(rolled: rows.Row) -> str:
    """`10 % ✓  50 % ✓  100 % ✓   0 of 4,812 requests failed`."""
    services = rolled.progress.services.values()
    requests = sum(one.canary.total.requests for one in services)
    failed = sum(one.canary.total.errors for one in services)
    return f"{_steps(rolled)}100 % ✓   {failed:,} of {plural(requests, 'request')} failed"


def _steps(rolled: rows.Row) -> str:
    """The steps that are left behind: `✓` the judge passed it, `–` it was quiet or a person let it on."""
    marks = {"p": "✓", "q": "– quiet", "h": "– by hand"}
    steps = zip(rolled.rules.steps, rolled.progress.ways, strict=False)
    return "".join(f"{step} % {marks[way]}  " for step, way in steps)


def _wrapped(name: str, text: str, width: int) -> list[str]:
    first, *more = textwrap.wrap(clean(text), WIDTH - width - 4, drop_whitespace=True, break_on_hyphens=False)
    return [line(name, "", first, width=width), *(_under(width, each) for each in more)]


def plural(count: int, noun: str) -> str:
    """`1 test`, `14 tests`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def clean(text: str) -> str:
    """The text without control characters: what a pushed tree says must not steer a terminal."""
    return "".join(symbol for symbol in text if symbol == "\t" or unicodedata.category(symbol) not in ("Cc", "Cf"))


def _facts(version: records.Version | None) -> list[str]:
    if version is None:
        return []
    facts = [plural(version.rows, "row")] if version.rows is not None else []
    measured = sorted(version.figures.items(), key=lambda figure: not isinstance(figure[1], float))
    for name, value in measured[:2]:
        if isinstance(value, float):
            facts.append(f"{name} {value:.3f}")
        elif isinstance(value, int | str):
            facts.append(f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}")
    return facts


def _found(verdict: gate.Verdict) -> str:
    whose = " (the base's body)" if verdict.body == "base" and verdict.blocks else ""
    if verdict.judgement in ("inconclusive", "ask"):
        return f"{verdict.check}{whose}: {verdict.message or 'could not be judged'}"
    by_rule = f": {verdict.message}" if verdict.rules else ""
    if verdict.count is not None and verdict.of:
        return f"{verdict.check}{whose}: {verdict.count:,} of {verdict.of:,} rows{by_rule}"
    if verdict.count is not None:
        return f"{verdict.check}{whose}: {verdict.count:,} rows{by_rule}"
    return f"{verdict.check}{whose}: {verdict.message}" if verdict.message else f"{verdict.check}{whose}"


def _under(width: int, text: str) -> str:
    return _clip(f"  {'':<{width}}  {text}", LONGEST)


def _frames(text: str) -> list[tuple[str, str]]:
    """File and line of the project's own frames in a traceback; a file that is not in the project has an absolute path."""
    return _FRAME.findall(text)


def _cell(value: Any) -> str:
    return "null" if value is None else _clip(clean(str(value)), 40)


def _clip(text: str, width: int) -> str:
    text = clean(text)
    return text if len(text) <= width else text[: max(width - 1, 1)] + "…"
