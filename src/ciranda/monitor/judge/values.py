"""Metrics of model and data: is the mean of a bounded value worse than what runs beside it allows?

Time-uniform confidence sequences of both means; the canary fails when its own lies wholly beyond the control's and
what is tolerated. In a step without a control nothing is said: another hour has other data.
"""

from ciranda.monitor.judge import budget, lean
from ciranda.monitor.judge.state import Evidence, State
from ciranda.monitor.judge.tally import Pair, Sum


def judged(state: State) -> list[Evidence]:
    """What the sums of this step show."""
    if state.share >= 1.0 or not state.metrics:
        return []
    wanted = budget.for_measure(state.rules, state.step, 1)
    found = []
    for name, pair in sorted(state.metrics.items()):
        canary, control = state.metrics_began.get(name, (Sum(), Sum()))
        step = Pair(
            pair.canary.since(canary), pair.control.since(control), pair.low, pair.high, pair.worse, pair.tolerated
        )
        if step.canary.count > 0 and step.control.count > 0:
            found.append(_metric(name, step, state.rules.control, wanted))
    return found


def _metric(name: str, pair: Pair, beside: str, wanted: float) -> Evidence:
    ours, theirs = mean(pair.canary), mean(pair.control)
    sign = 1.0 if pair.worse == "higher" else -1.0
    text = (
        f"{name} is {ours:.4g} on average ({pair.canary.count:,} values), "
        f"{theirs:.4g} on {beside} ({pair.control.count:,})"
    )
    return Evidence(name, ours, theirs, theirs + sign * pair.tolerated, min(1.0, leans(pair) / wanted), text)


def leans(pair: Pair) -> float:
    """The evidence that the canary's mean is worse by more than is tolerated: the least of both sides, where it is most."""
    canary, control = pair.shares()
    margin = pair.share_tolerated()
    low, high = mean(control), mean(canary) - margin
    if high <= low:
        return 0.0
    # one side falls and the other rises between the two means
    for _ in range(40):
        middle = (low + high) / 2
        if lean.below(control.total, control.count, middle) < lean.above(canary.total, canary.count, middle + margin):
            low = middle
        else:
            high = middle
    return max(0.0, lean.below(control.total, control.count, low))


def mean(one: Sum) -> float:
    return one.total / one.count if one.count else 0.0
