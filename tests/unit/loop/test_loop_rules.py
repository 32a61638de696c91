"""A base's rules are whole, or nothing is judged by them."""

import pytest

from ciranda.checks import policy
from ciranda.kernel import errors
from ciranda.loop import rules

RULES = policy.Rules(checks={"good": policy.CheckRule("flights", "b3:1")})


def test_rules_that_hold_what_was_promised_are_used() -> None:
    assert rules.whole(RULES, ["good"], "3f2a1c9d") is RULES
    assert rules.whole(RULES, [], "3f2a1c9d") is RULES


def test_a_check_that_was_there_when_the_base_was_judged_and_is_not_found_now_closes_the_gate() -> None:
    with pytest.raises(errors.Refused, match="3f2a1c9 cannot be read whole: its pipeline no longer has lost"):
        rules.whole(RULES, ["good", "lost"], "3f2a1c9d")
