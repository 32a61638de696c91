"""The policy is the base's: a test a key."""

from dataclasses import replace

import pytest

from ciranda.checks import policy

RULE = policy.CheckRule(asset="flights", body="b3:1", at_least=0.5, at_most=2.0)
BASE = policy.Rules(
    code=("ruff check .", "pytest"),
    checks={"good": RULE, "other": policy.CheckRule("flights", "b3:2")},
    places={"test": policy.Place(verify=("smoke",)), "prod": policy.Place(before=("test",))},
)


def test_a_first_push_is_judged_by_everything_it_declares() -> None:
    found = policy.effective_policy(None, BASE)
    assert (found.code, found.checks, found.loosened, found.rerun) == (BASE.code, BASE.checks, (), ())


def test_an_equal_change_loosens_nothing() -> None:
    found = policy.effective_policy(BASE, BASE)
    assert (found.loosened, found.rerun, found.additional, found.additional_code) == ((), (), {}, ())


def test_the_bases_commands_and_thresholds_judge_whatever_the_change_says() -> None:
    change = policy.Rules(code=("true",), code_timeout=9999, checks={"good": replace(RULE, at_least=0.0)})
    found = policy.effective_policy(BASE, change)
    assert found.code == BASE.code
    assert found.code_timeout == BASE.code_timeout
    assert found.checks["good"].at_least == 0.5
    assert found.additional_code == ("true",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replace(BASE, code=("pytest",)), "checks.code no longer runs 'ruff check .'"),
        (replace(BASE, code_timeout=601.0), "checks.timeout 600 s → 601 s"),
        (replace(BASE, when_unsure={"good": "warn"}), "checks.when_unsure.good block → warn"),
        (replace(BASE, when_unsure={"good": "ask"}), "checks.when_unsure.good block → ask"),
        (replace(BASE, checks={"good": RULE}), "check other is gone"),
        (replace(BASE, places={"prod": policy.Place()}), "environments.prod no longer comes after test"),
        (
            replace(BASE, places={**BASE.places, "test": policy.Place()}),
            "environments.test.verify no longer runs 'smoke'",
        ),
        (
            replace(BASE, checks={**BASE.checks, "good": replace(RULE, asset="x")}),
            "check good looks at x, no longer at flights",
        ),
        (replace(BASE, checks={**BASE.checks, "good": replace(RULE, severity="warn")}), "check good only warns"),
        (replace(BASE, checks={**BASE.checks, "good": replace(RULE, at_least=0.4)}), "check good at_least 0.5 → 0.4"),
        (replace(BASE, checks={**BASE.checks, "good": replace(RULE, at_most=3.0)}), "check good at_most 2 → 3"),
        (
            replace(BASE, checks={**BASE.checks, "good": replace(RULE, at_most=None)}),
            "check good has no at_most any more (was 2)",
        ),
    ],
)
def test_every_loosened_rule_is_said(change: policy.Rules, said: str) -> None:
    assert policy.effective_policy(BASE, change).loosened == (said,)


@pytest.mark.parametrize(
    "change",
    [
        replace(BASE, code=(*BASE.code, "mypy")),
        replace(BASE, code_timeout=10.0),
        replace(BASE, checks={**BASE.checks, "good": replace(RULE, at_least=0.9, at_most=1.0)}),
        replace(BASE, checks={**BASE.checks, "new": RULE}),
        replace(BASE, places={"test": BASE.places["test"]}),
        replace(BASE, places={**BASE.places, "prod": policy.Place(("test", "staging"), ("smoke",))}),
    ],
)
def test_stricter_is_not_looser(change: policy.Rules) -> None:
    assert policy.effective_policy(BASE, change).loosened == ()


def test_an_edited_body_runs_beside_the_bases() -> None:
    change = replace(BASE, checks={**BASE.checks, "good": replace(RULE, body="b3:9")})
    assert policy.effective_policy(BASE, change).rerun == ("good",)


@pytest.mark.parametrize(("before", "after", "looser"), [("ask", "warn", 1), ("warn", "ask", 0), ("ask", "ask", 0)])
def test_asking_is_stricter_than_warning(before: str, after: str, looser: int) -> None:
    base, change = (replace(BASE, when_unsure={"good": unsure}) for unsure in (before, after))
    assert len(policy.effective_policy(base, change).loosened) == looser
    assert policy.effective_policy(base, replace(BASE, when_unsure={})).loosened == ()
