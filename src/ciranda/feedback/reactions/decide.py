"""Whether a rule reacts to what happened: pure, so that each answer can be told, tested and trusted.

A reaction is bounded on purpose: it waits for its own last act, cools down, acts at most so often a day, asks a person the
first times, and never answers to what it brought about itself without asking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ciranda.feedback.reactions.rule import Rule

Answer = Literal["act", "ask", "skip"]
State = Literal["asking", "acting", "done", "refused", "declined", "lapsed", "skipped"]
DAY_US = 86_400_000_000
_ACTED: tuple[State, ...] = ("acting", "done", "refused")


@dataclass(frozen=True, slots=True)
class Trigger:
    """What happened, as a rule sees it."""

    kind: Literal["drift", "errors", "alert"]
    rule: str  # of the alert; "" of drift
    service: str
    release: str  # "r42": the one that it is true of; "" where it is true of none
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """What runs where it happened."""

    live: str | None  # "r42"
    moving: bool  # a target is on its way
    held: bool
    went_back: bool  # what is live came by a rollback
    brought_by: str  # who brought what is live: "reaction:retrain", a user


@dataclass(frozen=True, slots=True)
class Past:
    """A reaction of the same rule in the same place, newest first in a history."""

    state: State
    at_us: int
    under_way: bool  # what it set going has not come to its end


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, and why in a sentence."""

    answer: Answer
    why: str


def matches(rule: Rule, trigger: Trigger) -> bool:
    """Whether a rule speaks of what happened."""
    if rule.service and trigger.service and rule.service != trigger.service:
        return False
    if rule.on.startswith("alert:"):
        return rule.on == f"alert:{trigger.rule}"
    return rule.on == trigger.kind


def decide(rule: Rule, trigger: Trigger, place: Place, history: Sequence[Past], now_us: int) -> Decision:
    """What a rule does about what happened, `history` being its own reactions in this place, newest first."""
    barred = _out_of_place(rule, trigger, place)
    if barred:
        return Decision("skip", barred)
    if any(one.state == "asking" for one in history):
        return Decision("skip", "a person is asked already")
    acted = [one for one in history if one.state in _ACTED]
    if any(one.under_way for one in acted):
        return Decision("skip", "what it set going last time has not ended")
    if acted and now_us - acted[0].at_us < rule.cool_down * 1e6:
        return Decision("skip", f"it cools down for {rule.cool_down:g} s after its last act")
    today = sum(now_us - one.at_us < DAY_US for one in acted)
    if today >= rule.at_most:
        return Decision("skip", f"it has acted {times(today)} within a day, and {times(rule.at_most)} is the most")
    if place.brought_by == f"reaction:{rule.name}":
        return Decision("ask", f"{place.live} came of this very reaction: once more is for a person to say")
    before = len(acted)
    if before < rule.ask_first:
        return Decision("ask", f"a person is asked the first {times(rule.ask_first)}")
    return Decision("act", "within its bounds")


def _out_of_place(rule: Rule, trigger: Trigger, place: Place) -> str:
    """Why a rule has nothing to do here; empty: it may have."""
    if place.live is None:
        return "nothing is live"
    if trigger.release and trigger.release != place.live:
        return f"it is true of {trigger.release}, and {place.live} is live"
    if rule.do == "rollback":
        if place.moving:
            return "another revision is on its way already"
        if place.went_back:
            return f"{place.live} is itself what was gone back to: further back is for a person to say"
        if place.held:
            return "the environment is held: a person is at it"
    return ""


def times(number: int) -> str:
    """ "once", "twice", "3 times"."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")
