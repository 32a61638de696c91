"""The gate fails closed."""

from dataclasses import replace
from typing import Any

import pytest

from ciranda.checks import gate, policy
from ciranda.checks.code import CodeOutcome
from ciranda.pipeline import records

RULE = policy.CheckRule("flights", "b3:1")
RULES = policy.Rules(code=("pytest",), checks={"good": RULE})


def outcome(check: str = "good", **changes: Any) -> records.Outcome:
    plain = records.Outcome(check=check, asset="flights", passed=True, severity="fail", cached=False, seconds=0.1)
    return replace(plain, **changes)


def judged(rules: policy.Policy, *outcomes: records.Outcome, base: tuple[records.Outcome, ...] = ()) -> gate.Decision:
    return gate.decide(gate.of_checks(rules, outcomes, base))


def test_all_green_opens_the_gate() -> None:
    rules = policy.effective_policy(RULES, RULES)
    verdicts = (
        *gate.of_code(rules, [CodeOutcome("pytest", True, 1.0, "3 passed")]),
        *gate.of_checks(rules, [outcome()], []),
    )
    assert gate.decide(verdicts) == gate.Decision(True, verdicts)


@pytest.mark.parametrize("found", [outcome(passed=False, count=3, of=9), outcome(passed=None, error="boom")])
def test_red_and_unsure_block(found: records.Outcome) -> None:
    assert not judged(policy.effective_policy(RULES, RULES), found).passed


def test_a_required_check_that_is_missing_blocks() -> None:
    decision = judged(policy.effective_policy(RULES, policy.Rules(code=("pytest",))))
    assert (decision.passed, decision.reason) == (False, "flights: good could not be judged")


def test_a_command_that_was_not_run_blocks() -> None:
    assert gate.of_code(policy.effective_policy(RULES, RULES), [])[0].judgement == "inconclusive"


def test_when_unsure_of_the_base_eases_an_inconclusive_check() -> None:
    rules = policy.effective_policy(replace(RULES, when_unsure={"good": "warn"}), RULES)
    assert judged(rules, outcome(passed=None)).passed


def test_the_bases_threshold_judges_the_changes_number() -> None:
    base = replace(RULES, checks={"good": replace(RULE, at_least=0.5)})
    change = replace(RULES, checks={"good": replace(RULE, at_least=0.1)})
    decision = judged(policy.effective_policy(base, change), outcome(value=0.3))
    assert decision.verdicts[0].judgement == "fail"
    assert "at least 0.5" in decision.verdicts[0].message


def test_a_body_that_no_longer_gives_a_number_does_not_pass_a_bound() -> None:
    base = replace(RULES, checks={"good": replace(RULE, at_least=0.5)})
    assert not judged(policy.effective_policy(base, base), outcome(value=None)).passed


def test_an_edited_body_must_pass_and_so_must_the_bases() -> None:
    change = replace(RULES, checks={"good": replace(RULE, body="b3:2")})
    rules = policy.effective_policy(RULES, change)
    assert not judged(rules, outcome(), base=(outcome(passed=False),)).passed
    assert not judged(rules, outcome()).passed
    assert not judged(rules, outcome(passed=False), base=(outcome(),)).passed
    assert judged(rules, outcome(), base=(outcome(),)).passed


def test_the_changes_own_checks_block_too() -> None:
    change = replace(RULES, checks={**RULES.checks, "new": RULE})
    rules = policy.effective_policy(RULES, change)
    assert not judged(rules, outcome(), outcome("new", passed=False)).passed


def test_a_warning_check_does_not_block() -> None:
    base = replace(RULES, checks={"good": replace(RULE, severity="warn")})
    decision = judged(policy.effective_policy(base, base), outcome(passed=False, count=1))
    assert decision.passed
    assert decision.verdicts[0].judgement == "warn"


def test_a_loosened_rule_blocks_until_it_is_accepted() -> None:
    rules = policy.effective_policy(RULES, replace(RULES, code=()))
    assert not gate.decide(gate.of_rules(rules, accepted=False)).passed
    assert gate.decide(gate.of_rules(rules, accepted=True)).passed


def test_a_failed_step_and_a_missing_graph_block() -> None:
    failed = records.StepResult("delay", "failed", None, 1.0, "boom")
    assert gate.decide((), steps=[failed]).reason == "delay failed"
    assert gate.decide((), problem="a cycle: a → b → a").reason == "a cycle: a → b → a"


def test_the_reason_names_what_failed_once_and_not_what_could_not_be_judged_for_it() -> None:
    failed = records.StepResult("sales", "failed", None, 1.0, "boom")
    unsure = gate.Verdict("good", "sales", "inconclusive", True, "base")
    found = [unsure, replace(unsure, body="change"), replace(unsure, subject="other"), replace(unsure, subject="other")]
    assert gate.decide(found, steps=[failed]).reason == "sales failed; other: good could not be judged"
    assert gate.decide([unsure]).reason == "sales: good could not be judged"


def test_several_loosened_rules_are_one_reason() -> None:
    found = [gate.Verdict(line, "rules", "fail", True, "base") for line in ("check a is gone", "check b is gone")]
    assert gate.decide(found).reason == "it loosens 2 rules: check a is gone, check b is gone"
    assert gate.decide(found[:1]).reason == "it loosens a rule: check a is gone"


def test_what_is_left_to_a_person_neither_blocks_nor_passes() -> None:
    rules = policy.effective_policy(replace(RULES, when_unsure={"good": "ask", "pytest": "ask"}), RULES)
    decision = judged(rules, outcome(passed=None))
    assert (decision.passed, decision.asks) == (False, True)
    assert decision.reason == "flights: good could not be judged"
    code = gate.of_code(rules, [CodeOutcome("pytest", None, 600.0, "it did not end within 600 s")])
    assert gate.decide(code).asks
    assert judged(rules, outcome(passed=False)).asks is False  # a failure is no question
    assert judged(rules, outcome()).passed


def test_one_row_is_one_row() -> None:
    rules = policy.effective_policy(RULES, RULES)
    assert judged(rules, outcome(passed=False, count=1)).reason == "flights: good failed on 1 row"


def test_nothing_is_asked_of_a_person_while_something_blocks() -> None:
    both = replace(RULES, checks={"good": RULE, "bad": RULE}, when_unsure={"good": "ask"})
    decision = judged(policy.effective_policy(both, both), outcome(passed=None), outcome("bad", passed=False, count=2))
    assert (decision.passed, decision.asks) == (False, False)
    assert decision.reason == "flights: bad failed on 2 rows"


def test_a_verdict_tells_the_rules_of_a_schema_and_how_often_it_failed() -> None:
    rules = policy.effective_policy(RULES, RULES)
    (verdict,) = gate.of_checks(rules, [outcome(passed=False, count=3, rules={"far min": 3}, failed=2, tried=3)], [])
    told = gate.as_mapping(verdict)
    assert (told["rules"], told["failed"], told["tried"]) == ({"far min": 3}, 2, 3)
