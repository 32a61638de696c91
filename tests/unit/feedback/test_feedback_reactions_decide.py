"""When a rule reacts: bounded, in its place, never to what it brought about itself."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.feedback.reactions import decide
from ciranda.feedback.reactions.decide import Decision, Past, Place, Trigger
from ciranda.feedback.reactions.rule import Rule

S = 1_000_000
NOW = 1_000_000 * S
RETRAIN = Rule("retrain", "drift", "retrain", "", 3600.0, 2, 0)
BACK = Rule("back", "errors", "rollback", "", 3600.0, 2, 0)
DRIFT = Trigger("drift", "", "delays", "r7", "day: drifted")
ERRORS = Trigger("errors", "errors", "delays", "r7", "errors: 9 % of 400")
LIVE = Place("r7", moving=False, held=False, went_back=False, brought_by="ana")


def past(state: decide.State = "done", ago: float = 7200.0, *, under_way: bool = False) -> Past:
    return Past(state, NOW - int(ago * S), under_way)


@pytest.mark.parametrize(
    ("rule", "trigger", "speaks"),
    [
        (RETRAIN, DRIFT, True),
        (RETRAIN, ERRORS, False),
        (BACK, ERRORS, True),
        (replace(BACK, on="alert:errors"), ERRORS, True),
        (replace(BACK, on="alert:slow"), ERRORS, False),
        (replace(RETRAIN, service="delays"), DRIFT, True),
        (replace(RETRAIN, service="web"), DRIFT, False),
        (replace(RETRAIN, service="web"), replace(DRIFT, service=""), True),
    ],
)
def test_a_rule_speaks_of_what_it_names(rule: Rule, trigger: Trigger, speaks: bool) -> None:
    assert decide.matches(rule, trigger) is speaks


@pytest.mark.parametrize(
    ("rule", "trigger", "place", "history", "answer", "why"),
    [
        (RETRAIN, DRIFT, LIVE, [], "act", "within its bounds"),
        (RETRAIN, DRIFT, replace(LIVE, live=None), [], "skip", "nothing is live"),
        (RETRAIN, DRIFT, replace(LIVE, live="r8"), [], "skip", "it is true of r7, and r8 is live"),
        (RETRAIN, replace(DRIFT, release=""), LIVE, [], "act", "within its bounds"),
        (RETRAIN, DRIFT, LIVE, [past("asking")], "skip", "a person is asked already"),
        (RETRAIN, DRIFT, LIVE, [past(under_way=True)], "skip", "what it set going last time has not ended"),
        (RETRAIN, DRIFT, LIVE, [past(ago=3599)], "skip", "it cools down for 3600 s after its last act"),
        (RETRAIN, DRIFT, LIVE, [past(), past(ago=9000)], "skip",
         "it has acted twice within a day, and twice is the most"),
        (RETRAIN, DRIFT, LIVE, [past(), past(ago=86_401)], "act", "within its bounds"),
        (RETRAIN, DRIFT, LIVE, [past("declined", 1), past("lapsed", 1)], "act", "within its bounds"),
        (RETRAIN, DRIFT, LIVE, [past("refused", 1)], "skip", "it cools down for 3600 s after its last act"),
        (RETRAIN, DRIFT, replace(LIVE, brought_by="reaction:retrain"), [past()], "ask",
         "r7 came of this very reaction: once more is for a person to say"),
        (replace(RETRAIN, ask_first=2), DRIFT, LIVE, [past()], "ask", "a person is asked the first twice"),
        (replace(RETRAIN, ask_first=1), DRIFT, LIVE, [past()], "act", "within its bounds"),
        (RETRAIN, DRIFT, replace(LIVE, held=True, moving=True), [], "act", "within its bounds"),
        (BACK, ERRORS, LIVE, [], "act", "within its bounds"),
        (BACK, ERRORS, replace(LIVE, moving=True), [], "skip", "another revision is on its way already"),
        (BACK, ERRORS, replace(LIVE, held=True), [], "skip", "the environment is held: a person is at it"),
        (BACK, ERRORS, replace(LIVE, went_back=True), [], "skip",
         "r7 is itself what was gone back to: further back is for a person to say"),
    ],
)  # fmt: skip
def test_the_answer_and_why(
    rule: Rule, trigger: Trigger, place: Place, history: list[Past], answer: decide.Answer, why: str
) -> None:
    assert decide.decide(rule, trigger, place, history, NOW) == Decision(answer, why)


@given(
    gaps=st.lists(st.floats(0, 30_000), min_size=1, max_size=60),
    cool_down=st.floats(0, 10_000),
    at_most=st.integers(1, 5),
    ask_first=st.integers(0, 3),
)
def test_however_often_it_happens_the_acts_are_bounded(
    gaps: list[float], cool_down: float, at_most: int, ask_first: int
) -> None:
    """A storm of events, each question approved at once: never more acts than the rule allows, never too close."""
    rule = replace(RETRAIN, cool_down=cool_down, at_most=at_most, ask_first=ask_first)
    now, acts, asked, history = NOW, [], 0, list[Past]()
    for gap in gaps:
        now += int(gap * S)
        decision = decide.decide(rule, DRIFT, LIVE, history, now)
        if decision.answer != "skip":
            asked += decision.answer == "ask"
            acts.append(now)
            history.insert(0, Past("done", now, False))
    assert all(later - one >= int(cool_down) * S for one, later in pairwise(acts))
    assert all(sum(0 <= act - one < decide.DAY_US for act in acts) <= at_most for one in acts)
    assert asked == min(ask_first, len(acts))
