"""Errors: does the canary fail at least twice as often as what runs beside it; does it fail rarely enough?

Requests are compared within a step only, in which the split is the same: of the errors there, the canary's share is
that of its requests if it is no worse (a conditional binomial: both rates are unknown, and may move, as long as they
move together). What all steps show is multiplied. A step without a control is compared with the control's earlier
requests, and has to be twice as bad before anything counts against it, since the hour is another one.

A canary that was good for an hour may turn bad, and the hour must not speak for it: when the evidence of a window is
against the doubt, another window begins, and each has a part of the budget, the later ones less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from ciranda.monitor.judge import budget, lean
from ciranda.monitor.judge.state import Evidence, State, Window
from ciranda.monitor.judge.tally import Tally

FEWEST, LOOKS = 5, 3  # errors of the canary, and looks that found some, below which it is never failed for them
USUAL = 2.0  # errors that, as if seen before, came as they should
LATER = 2.0  # times the rate of earlier requests that counts as no worse
ACQUITTED = -3.0  # evidence at which a window ends
BESIDE, AFTER = 0.8, 0.2  # weights of the steps with a control, and of those without


@dataclass(frozen=True, slots=True)
class Faults:
    """What the errors show."""

    evidence: Evidence
    rare: bool  # the canary's own rate lies under the objective
    no_worse: bool  # its ratio to the control's lies under the tolerated one


def judged(state: State) -> Faults:
    """What the counts show of errors."""
    rules = state.rules
    canary, control = beside(state)
    spent = max(0.0, against(state) / budget.for_errors(rules))
    if state.canary.errors - state.window.errors < FEWEST or state.window.looks < LOOKS:
        spent = min(spent, 0.99)
    wanted = log(1.0 / rules.doubt)
    worse = expected_share(canary, control, rules.tolerated)
    no_worse = control.errors > 0 and lean.below(canary.errors, canary.errors + control.errors, worse) >= wanted
    own = state.canary.since(state.began[0])
    told = _in_window(state) if spent >= budget.LEANS and state.share < 1.0 else (canary, control)
    evidence = Evidence(
        "errors",
        rate(told[0]),
        rate(told[1]),
        lean.highest(own.errors, own.requests, rules.doubt),
        min(spent, 1.0),
        f"{said(told[0])}, {said(told[1], verb=False)} on {rules.control}",
    )
    return Faults(evidence, lean.below(own.errors, own.requests, rules.objective) >= wanted, no_worse)


def beside(state: State) -> tuple[Tally, Tally]:
    """Canary and control that this step compares: those of the step, or all earlier requests of a control that has left."""
    canary = state.canary.since(state.began[0])
    return canary, state.began[1] if state.share >= 1.0 else state.control.since(state.began[1])


def against(state: State) -> float:
    """The evidence that the canary fails at least twice as often: of this window, and beside earlier requests."""
    canary, _ = beside(state)
    requests, errors = state.alone
    if state.share >= 1.0:
        requests, errors = requests + canary.requests, errors + canary.errors
    after = 0.0
    before = state.began[1]
    if requests and before.requests:
        share = expected_share(Tally(requests, errors), before, LATER)
        worse = lean.above(errors, errors + before.errors, share, lean.TWICE)
        after = min(worse, lean.above(errors, requests, state.rules.objective)) / state.spread
    number = state.window.number
    return lean.added((log(BESIDE / (number * (number + 1))) + window_shows(state), log(AFTER) + after))


def window(state: State) -> Window:
    """The window that the next look belongs to."""
    if state.share >= 1.0 or window_shows(state) > ACQUITTED:
        return state.window
    return Window(state.window.number + 1, plain((state.canary, state.control)), errors=state.canary.errors)


def window_shows(state: State) -> float:
    """The evidence of the window that runs."""
    steps = state.window.shown if state.share >= 1.0 else step_shows(state)
    return lean.together(steps, lean.TWICE) if steps else 0.0


def step_shows(state: State) -> tuple[float, ...]:
    """The evidence of the window, by odds, with what this step adds to it."""
    canary, control = _in_window(state)
    if canary.requests <= 0 or control.requests <= 0:
        return state.window.shown
    share = expected_share(canary, control, 1.0)
    here = lean.ratios(canary.errors, canary.errors + control.errors, share, lean.TWICE)
    before = state.window.shown or (0.0,) * len(here)
    together = spread(state)
    return tuple(earlier + now / together for earlier, now in zip(before, here, strict=True))


def _in_window(state: State) -> tuple[Tally, Tally]:
    """Canary and control in this step since the window began."""
    canary, control = state.window.began
    return state.canary.since(canary), state.control.since(control)


def plain(both: Sequence[Tally]) -> tuple[Tally, Tally]:
    """The same without their times."""
    canary, control = (Tally(one.requests, one.errors) for one in both)
    return canary, control


def spread(state: State) -> float:
    """How much more the canary's share of a look's errors varies than if each came alone, at least 1.

    Errors that come together count for as much less (quasi-likelihood: Wedderburn, 1974; McCullagh and Nelder, 1989,
    §4.5). The share is that of this step, so that a canary that is worse all the time does not vary more.
    """
    canary, control = beside(state)
    looks, errors = state.bursts.looks, canary.errors + control.errors
    if looks < 2 or state.share >= 1.0:
        return state.spread
    own = (canary.errors + USUAL * expected_share(canary, control, 1.0)) / (errors + USUAL)
    squares = state.bursts.squares - 2 * own * canary.errors + own * own * errors
    return max(1.0, squares / (own * (1 - own)) / (looks - 1)) if 0 < own < 1 else 1.0


def expected_share(canary: Tally, control: Tally, times: float) -> float:
    """The canary's share of all errors, if it fails this many times as often as the control."""
    weighed = times * canary.requests
    return weighed / (weighed + control.requests) if weighed else 0.0


def rate(one: Tally) -> float:
    return one.errors / one.requests if one.requests else 0.0


def said(one: Tally, *, verb: bool = True) -> str:
    """`14 of 212 requests failed`."""
    return f"{one.errors:,} of {one.requests:,}" + (f" request{'s' * (one.requests != 1)} failed" if verb else "")
