"""The gate: from what was found to whether a ref may move. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ciranda.checks.code import CodeOutcome
from ciranda.checks.policy import CheckRule, Policy
from ciranda.pipeline import records

Judgement = Literal["pass", "warn", "fail", "inconclusive", "ask"]  # "ask": a person decides


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an outcome means at the gate. `subject` is an asset, "code" or "rules"; `body` whose code found it."""

    check: str
    subject: str
    judgement: Judgement
    required: bool
    body: Literal["base", "change"]
    message: str = ""
    count: int | None = None
    of: int | None = None
    value: float | None = None
    evidence: str | None = None
    cached: bool = False
    seconds: float = 0.0
    rules: Mapping[str, int] = field(default_factory=dict)  # of a schema: how many rows break each rule
    failed: int = 0  # how often it failed on the very same inputs, and how often it was run on them
    tried: int = 0

    @property
    def blocks(self) -> bool:
        """True when this verdict keeps the gate closed."""
        return self.judgement in ("fail", "inconclusive")


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the gate opens, every verdict, and the reason in one line when it stays closed."""

    passed: bool
    verdicts: tuple[Verdict, ...]
    reason: str = ""
    asks: bool = False  # nothing blocks, and what `reason` says is left to a person


def of_code(policy: Policy, outcomes: Sequence[CodeOutcome]) -> tuple[Verdict, ...]:
    """The verdicts of the code checks; a required command that was not run is inconclusive."""
    found = {outcome.command: outcome for outcome in outcomes}
    verdicts: list[Verdict] = []
    for command in (*policy.code, *policy.additional_code):
        required = command in policy.code
        outcome = found.get(command)
        if outcome is None:
            verdicts.append(Verdict(command, "code", "inconclusive", required, "base", "it was not run"))
            continue
        judgement: Judgement = "inconclusive" if outcome.passed is None else "pass" if outcome.passed else "fail"
        body: Literal["base", "change"] = "base" if required else "change"
        verdicts.append(
            Verdict(
                command, "code", _eased(judgement, policy, command), required, body, outcome.summary,
                cached=outcome.cached, seconds=outcome.seconds, failed=outcome.failed, tried=outcome.tried,
            )
        )  # fmt: skip
    return tuple(verdicts)


def of_checks(
    policy: Policy, outcomes: Iterable[records.Outcome], base_outcomes: Iterable[records.Outcome]
) -> tuple[Verdict, ...]:
    """The verdicts of the function checks: the base's body where the change edits it, and the change's, with the base's bounds."""
    found = {outcome.check: outcome for outcome in outcomes}
    rerun = {outcome.check: outcome for outcome in base_outcomes}
    verdicts: list[Verdict] = []
    for name, rule in policy.checks.items():
        if name in policy.rerun or name not in found:
            verdicts.append(_verdict(policy, name, rule, rerun.get(name), required=True, body="base"))
        if name in found:
            verdicts.append(_verdict(policy, name, rule, found[name], required=True, body="change"))
    verdicts.extend(
        _verdict(policy, name, rule, found.get(name), required=False, body="change")
        for name, rule in policy.additional.items()
    )
    return tuple(verdicts)


def of_rules(policy: Policy, *, accepted: bool) -> tuple[Verdict, ...]:
    """One verdict a loosened rule: fails unless somebody who may has accepted it."""
    return tuple(
        Verdict(line, "rules", "warn" if accepted else "fail", True, "base", "accepted" if accepted else line)
        for line in policy.loosened
    )


def decide(
    verdicts: Sequence[Verdict], *, steps: Iterable[records.StepResult] = (), problem: str | None = None
) -> Decision:
    """The gate opens when no verdict blocks or asks, every step has a version and there was a graph at all."""
    if problem is not None:
        return Decision(False, tuple(verdicts), problem)
    reasons = list(dict.fromkeys(_reasons(verdicts, list(steps))))
    if not reasons:
        questions = [
            f"{each.subject}: {each.check} could not be judged" for each in verdicts if each.judgement == "ask"
        ]
        return Decision(not questions, tuple(verdicts), _said(questions), asks=bool(questions))
    return Decision(False, tuple(verdicts), _said(reasons))


def _said(reasons: Sequence[str]) -> str:
    each = list(dict.fromkeys(reasons))
    return "; ".join(each[:3]) + (f" and {len(each) - 3} more" if len(each) > 3 else "")


def _reasons(verdicts: Sequence[Verdict], steps: Sequence[records.StepResult]) -> Iterator[str]:
    failed = [result.step for result in steps if result.state == "failed"]
    yield from (f"{step} failed" for step in failed)
    loosened = [verdict.check for verdict in verdicts if verdict.subject == "rules" and verdict.blocks]
    if loosened:
        yield f"it loosens {'a rule' if len(loosened) == 1 else f'{len(loosened)} rules'}: {', '.join(loosened)}"
    unmade = [result.step for result in steps if result.version is None] if failed else []
    for verdict in verdicts:
        if not verdict.blocks or verdict.subject == "rules":
            continue
        if verdict.judgement == "inconclusive" and verdict.subject in unmade:
            continue  # said already: what it looks at was not made
        if verdict.subject == "code":
            yield f"code: {verdict.check} {'could not be judged' if verdict.judgement == 'inconclusive' else 'failed'}"
        elif verdict.judgement == "inconclusive":
            yield f"{verdict.subject}: {verdict.check} could not be judged"
        else:
            rows = f" on {verdict.count:,} row{'s'[: verdict.count != 1]}" if verdict.count else ""
            yield f"{verdict.subject}: {verdict.check} failed{rows}"


def _verdict(
    policy: Policy,
    name: str,
    rule: CheckRule,
    outcome: records.Outcome | None,
    *,
    required: bool,
    body: Literal["base", "change"],
) -> Verdict:
    if outcome is None:
        return Verdict(name, rule.asset, _eased("inconclusive", policy, name), required, body, "it did not run")
    return Verdict(
        check=name,
        subject=outcome.asset,
        judgement=_judgement(policy, name, rule, outcome),
        required=required,
        body=body,
        message=_why(rule, outcome),
        count=outcome.count,
        of=outcome.of,
        value=outcome.value,
        evidence=outcome.evidence,
        cached=outcome.cached,
        seconds=outcome.seconds,
        rules=outcome.rules,
        failed=outcome.failed,
        tried=outcome.tried,
    )


def _judgement(policy: Policy, name: str, rule: CheckRule, outcome: records.Outcome) -> Judgement:
    if outcome.passed is None:
        return _eased("inconclusive", policy, name)
    if outcome.passed and _within(rule, outcome.value):
        return "pass"
    return "warn" if rule.severity == "warn" else "fail"


def _within(rule: CheckRule, value: float | None) -> bool:
    if rule.at_least is None and rule.at_most is None:
        return True
    if value is None:
        return False  # the base asks for a number; a body that no longer gives one does not pass
    return (rule.at_least is None or value >= rule.at_least) and (rule.at_most is None or value <= rule.at_most)


def _why(rule: CheckRule, outcome: records.Outcome) -> str:
    if outcome.value is None or not outcome.passed or _within(rule, outcome.value):
        return outcome.message
    bounds = [("at least", rule.at_least), ("at most", rule.at_most)]
    wanted = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
    return f"{outcome.value:g}, and the base wants {wanted}"


def _eased(judgement: Judgement, policy: Policy, name: str) -> Judgement:
    eased = policy.when_unsure.get(name) if judgement == "inconclusive" else None
    return "warn" if eased == "warn" else "ask" if eased == "ask" else judgement


def as_mapping(verdict: Verdict) -> Mapping[str, object]:
    """The verdict as JSON values."""
    return {
        "check": verdict.check, "subject": verdict.subject, "judgement": verdict.judgement, "required": verdict.required,
        "body": verdict.body, "message": verdict.message, "count": verdict.count, "of": verdict.of, "value": verdict.value,
        "evidence": verdict.evidence, "cached": verdict.cached, "seconds": round(verdict.seconds, 3),
        "rules": dict(verdict.rules), "failed": verdict.failed, "tried": verdict.tried,
    }  # fmt: skip
