"""The sequential judge of a canary: it may look at any time, and what it has seen decides when it is enough.

A release fails when its errors, its latency or one of its metrics is worse than what runs beside it, so that a good
one ever fails with a chance of at most `Rules.budget`, over all steps. A step passes when the canary's errors are shown
to be rare enough, or no more frequent than is tolerated. Everything else is unsure.
"""

from collections.abc import Mapping
from dataclasses import replace

from ciranda.monitor.judge import budget, faults, times, values
from ciranda.monitor.judge.state import Bursts, Evidence, Judgement, Rules, State
from ciranda.monitor.judge.tally import Pair, Tally, trimmed

NONE: Mapping[str, Pair] = {}


def begin(rules: Rules) -> State:
    """A judge that has seen nothing."""
    return State(rules)


def look(state: State, canary: Tally, control: Tally, *, share: float, metrics: Mapping[str, Pair] = NONE) -> State:
    """What is known after this look; the tallies count since the rollout began.

    `share` is the part of the requests that goes to the canary now, above 0 and up to 1; another one than at the last
    look begins a step. A tally that is behind the last one is no news. Raises ValueError for a share or a metric that
    cannot be.
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"a canary's share lies above 0 and up to 1: {share}")
    if unknown := sorted(set(metrics) - set(state.rules.metrics)):
        raise ValueError(f"the judge was not told of {', '.join(unknown)} when it began")
    if state.failed is not None or canary.behind(state.canary) or control.behind(state.control):
        return state
    if share != state.share:
        state = _step(state, share)
    ours, theirs = _small(canary), _small(control)
    warm = ours.requests >= times.COLD if state.timed is None else ours.requests - state.timed[0].requests >= times.LONG
    if warm:
        state = replace(state, timed=(ours, theirs), timings=state.timings + 1)
    failed, beside = ours.errors - state.canary.errors, theirs.errors - state.control.errors
    state = replace(
        state,
        canary=ours,
        control=theirs,
        bursts=state.bursts.after(failed, beside),
        window=replace(state.window, looks=state.window.looks + (failed > 0)),
        metrics={**state.metrics, **metrics},
    )
    now = judged(state)
    return replace(state, failed=now) if now.outcome == "fail" else replace(state, window=faults.window(state))


def judged(state: State) -> Judgement:
    """What is known, with its evidence. Pure."""
    if state.failed is not None:
        return state.failed
    found = faults.judged(state)
    measures = (*times.judged(state), *values.judged(state))
    evidence = (found.evidence, *measures)
    if failing := [one for one in evidence if one.spent >= 1.0]:
        return Judgement("fail", _failed(failing, state.rules), evidence)
    rules, requests = state.rules, state.canary.requests - state.began[0].requests
    if requests < rules.enough:
        return Judgement("unsure", f"{requests:,} of at least {rules.enough:,} requests in this step", evidence)
    if leaning := [one for one in evidence if one.spent >= budget.LEANS]:
        return Judgement("unsure", f"what may be a fault: {leaning[0].text}", evidence)
    if found.rare:
        reason = f"{found.evidence.text}: fewer than {rules.objective:.3g} of all requests fail"
        return Judgement("pass", reason, evidence)
    if found.no_worse:
        reason = f"{found.evidence.text}: less than {rules.tolerated:g} times as often"
        return Judgement("pass", reason, evidence)
    return Judgement("unsure", f"{found.evidence.text}: too little to tell", evidence)


def _step(state: State, share: float) -> State:
    """The state at the beginning of another step."""
    began = (state.canary, state.control)
    window = replace(state.window, began=faults.plain(began))
    if 0.0 < state.share < 1.0:
        window = replace(window, shown=faults.step_shows(state))
    if share >= 1.0:
        window = replace(window, errors=state.canary.errors, looks=0)
    requests, errors = state.alone
    if state.share >= 1.0:
        canary, _ = faults.beside(state)
        requests, errors = requests + canary.requests, errors + canary.errors
    return replace(
        state,
        share=share,
        step=state.step + 1,
        began=began,
        timed=None if state.timed is None else began,
        timings=state.timings + (state.timed is not None),
        window=window,
        alone=(requests, errors),
        bursts=Bursts(),
        spread=faults.spread(state),
        metrics_began={name: (pair.canary, pair.control) for name, pair in state.metrics.items()},
    )


def _failed(failing: list[Evidence], rules: Rules) -> str:
    first = failing[0]
    if first.name == "errors":
        return f"{first.text}: at least twice as often"
    if first.name.startswith("latency"):
        return f"{first.text}: more than {rules.slower:g} times as long"
    return f"{first.text}: worse than is tolerated"


def _small(tally: Tally) -> Tally:
    # the counters are read while they are written, so that an error may be there before its request
    return Tally(tally.requests, min(tally.errors, tally.requests), tuple(trimmed(tally.histogram)))
