"""Latency: is a quantile of the canary's times higher than what runs beside it allows?

If q is a release's p-quantile, its times below q are hits of a share of at most p, and those up to q of at least p: a
known share, whatever the times are like. So bounds for which the counts show otherwise at any time lie to one side of
the quantile: a time-uniform band (Howard and Ramdas, "Sequential estimation of quantiles", 2022). A canary is too slow
when the lower end of its band lies above the upper end of the control's, times what is tolerated.
"""

from bisect import bisect_right
from itertools import accumulate

from ciranda.monitor.judge import budget, lean
from ciranda.monitor.judge.state import Evidence, State
from ciranda.monitor.judge.tally import Tally
from ciranda.service.counters import BOUNDS_US, quantile

QUANTILES = (0.5, 0.99)
COLD = 100  # first requests of a canary that say nothing of its times
LONG = 10_000  # requests of the canary after which times are judged anew, so that a good hour does not hide a slow one
LATER = 2.0  # times what is tolerated, beside times of an earlier hour


def judged(state: State) -> list[Evidence]:
    """What the histograms show of each quantile; nothing before there are times of both."""
    if state.timed is None:
        return []
    canary = state.canary.since(state.timed[0])
    control = state.timed[1] if state.share >= 1.0 else state.control.since(state.timed[1])
    if sum(canary.histogram) == 0 or sum(control.histogram) == 0:
        return []
    slower = state.rules.slower * (LATER if state.share >= 1.0 else 1.0)
    wanted = budget.for_measure(state.rules, state.timings, len(QUANTILES))
    return [_quantile(state, canary, control, share, slower, wanted) for share in QUANTILES]


def _quantile(state: State, canary: Tally, control: Tally, share: float, slower: float, wanted: float) -> Evidence:
    ours, theirs = quantile(canary.histogram, share), quantile(control.histogram, share)
    spent = min(1.0, leans(canary.histogram, control.histogram, share, slower) / wanted) if ours > theirs else 0.0
    text = (
        f"{_said(share)} of {state.rules.canary} take up to {words(ours)} ({sum(canary.histogram):,} requests), "
        f"up to {words(theirs)} on {state.rules.control}"
    )
    return Evidence(f"latency p{share * 100:g}", ours, theirs, theirs * slower, max(0.0, spent), text)


def leans(canary: tuple[int, ...], control: tuple[int, ...], share: float, slower: float) -> float:
    """The evidence that the canary's quantile is above `slower` times the control's: the least of both sides, where it is most."""
    ours, theirs = list(accumulate(canary)), list(accumulate(control))
    best = 0.0
    for place in range(min(len(ours), len(BOUNDS_US))):
        # bucket n counts what is below BOUNDS_US[n]
        allowed = bisect_right(BOUNDS_US, BOUNDS_US[place] / slower) - 1
        if allowed < 0 or ours[place] >= share * ours[-1]:
            continue
        reached = theirs[min(allowed, len(theirs) - 1)]
        if reached <= share * theirs[-1]:
            continue
        best = max(best, min(lean.below(ours[place], ours[-1], share), lean.above(reached, theirs[-1], share)))
    return best


def words(value: float) -> str:
    """Seconds for people: `96 ms`."""
    return f"{value:.2g} s" if value >= 1 else f"{value * 1000:.3g} ms"


def _said(share: float) -> str:
    return "half of the answers" if share == 0.5 else f"{share:.0%} of the answers"
