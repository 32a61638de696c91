"""The judge of a canary: what it fails, what it passes, and the laws it keeps."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.monitor.judge import faults, judge, lean, times
from ciranda.monitor.judge.state import Rules, State, read
from ciranda.monitor.judge.tally import NOTHING, Pair, Sum, Tally
from ciranda.service.counters import BOUNDS_US

RULES = Rules(canary="r42", control="r41")

counts = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 12), st.integers(0, 12))
seconds = st.lists(counts, max_size=25)


def tallies(each: Sequence[tuple[int, int, int, int]]) -> list[tuple[Tally, Tally]]:
    """What the counters show after each second, of (requests, errors) on both sides."""
    found, canary, control = [], NOTHING, NOTHING
    for requests, beside, failed, beside_failed in each:
        canary = Tally(canary.requests + requests, canary.errors + min(failed, requests))
        control = Tally(control.requests + beside, control.errors + min(beside_failed, beside))
        found.append((canary, control))
    return found


def looked(state: State, each: Sequence[tuple[Tally, Tally]], share: float = 0.5) -> State:
    for canary, control in each:
        state = judge.look(state, canary, control, share=share)
    return state


def steady(canary: tuple[int, int], control: tuple[int, int], looks: int, share: float = 0.1) -> State:
    """So many requests and errors at each look."""
    each = [(Tally(canary[0] * n, canary[1] * n), Tally(control[0] * n, control[1] * n)) for n in range(1, looks + 1)]
    return looked(judge.begin(RULES), each, share)


def slow(requests: int, milliseconds: float) -> tuple[int, ...]:
    """A histogram of answers that all take as long."""
    place = next(place for place, bound in enumerate(BOUNDS_US) if bound > milliseconds * 1000)
    return (*(0,) * place, requests)


def test_a_judge_that_has_seen_nothing_is_unsure() -> None:
    found = judge.judged(judge.begin(replace(RULES, metrics=("model score",))))
    assert (found.outcome, found.reason) == ("unsure", "0 of at least 100 requests in this step")


def test_a_canary_that_fails_more_often_is_failed_in_plain_words() -> None:
    found = judge.judged(steady((20, 3), (180, 0), 10))
    assert found.outcome == "fail"
    assert found.reason == "9 of 60 requests failed, 0 of 540 on r41: at least twice as often"
    assert found.evidence[0].name == "errors"
    assert found.evidence[0].spent == 1.0


def test_a_canary_without_errors_passes_when_enough_was_seen() -> None:
    early, later = judge.judged(steady((20, 0), (180, 0), 4)), judge.judged(steady((20, 0), (180, 0), 40))
    assert (early.outcome, early.reason) == ("unsure", "80 of at least 100 requests in this step")
    assert later.outcome == "pass"
    assert later.reason == "0 of 800 requests failed, 0 of 7,200 on r41: fewer than 0.01 of all requests fail"
    assert later.evidence[0].bound < RULES.objective


def test_where_the_objective_is_missed_by_both_the_ratio_passes() -> None:
    found = judge.judged(steady((100, 3), (900, 27), 40))
    assert found.outcome == "pass"
    assert found.reason.endswith("less than 2 times as often")


def test_a_few_errors_or_one_burst_fail_nobody() -> None:
    assert judge.judged(steady((4, 4), (2000, 0), 1, share=0.01)).outcome == "unsure"
    burst = looked(judge.begin(RULES), [(Tally(20, 20), Tally(180, 0)), (Tally(40, 20), Tally(360, 0))], 0.1)
    assert judge.judged(burst).outcome == "unsure"
    assert judge.judged(burst).evidence[0].spent == 0.99


def test_errors_that_come_together_count_for_less() -> None:
    alone = [(Tally(20 * n, 2 * n), Tally(180 * n, 2 * n)) for n in range(1, 3)]
    bursts = [(Tally(40, 4), Tally(360, 0)), (Tally(80, 4), Tally(720, 4))]
    calm, wild = looked(judge.begin(RULES), alone, 0.1), looked(judge.begin(RULES), bursts, 0.1)
    assert faults.spread(calm) == 1.0
    assert faults.spread(wild) > 2.0


def test_a_canary_that_turns_bad_after_a_good_hour_is_found_as_soon() -> None:
    state = steady((20, 0), (180, 2), 3600)
    assert state.window.number > 10
    good, beside = state.canary, state.control
    for second in range(1, 20):
        canary = Tally(good.requests + 20 * second, good.errors + 2 * second)
        state = judge.look(state, canary, Tally(beside.requests + 180 * second, beside.errors + 2 * second), share=0.1)
    assert state.failed is not None
    assert state.failed.reason == "20 of 200 requests failed, 20 of 1,800 on r41: at least twice as often"


def test_an_error_that_is_counted_before_its_request_is_not_believed() -> None:
    state = judge.look(judge.begin(RULES), Tally(3, 5), Tally(0, 1), share=0.5)
    assert (state.canary, state.control) == (Tally(3, 3), NOTHING)
    assert judge.judged(state).outcome == "unsure"
    with pytest.raises(ValueError, match="between two bounds"):
        Pair(Sum(), Sum(), low=1.0, high=1.0)


def test_what_fails_both_fails_no_release() -> None:
    assert judge.judged(steady((20, 10), (180, 90), 100)).outcome == "pass"  # shown to be no worse


def test_a_step_brings_its_evidence_to_the_next() -> None:
    before = steady((20, 1), (180, 3), 12)
    here = judge.judged(before).evidence[0].spent
    after = judge.look(before, before.canary, before.control, share=0.5)
    assert 0.2 < here < 1.0
    assert judge.judged(after).evidence[0].spent == pytest.approx(here)
    assert after.step == 2
    assert judge.judged(after).outcome == "unsure"  # a pass is of the step


@pytest.mark.parametrize(("failing", "outcome"), [(60, "fail"), (4, "unsure"), (0, "pass")])
def test_without_a_control_its_earlier_requests_are_compared(failing: int, outcome: str) -> None:
    state = steady((500, 1), (500, 1), 10, share=0.5)
    for n in range(1, 6):
        canary = Tally(5000 + 400 * n, 10 + failing * n)
        state = judge.look(state, canary, state.control, share=1.0)
    assert judge.judged(state).outcome == outcome


def test_without_a_control_at_all_the_objective_decides() -> None:
    state = judge.begin(RULES)
    for n in range(1, 10):
        state = judge.look(state, Tally(200 * n, 0), NOTHING, share=1.0)
    assert judge.judged(state).outcome == "pass"


def test_a_canary_that_takes_longer_is_failed() -> None:
    state = judge.begin(RULES)
    for n in range(1, 60):
        canary = Tally(20 * n, 0, slow(20 * n, 90.0))
        state = judge.look(state, canary, Tally(180 * n, 0, slow(180 * n, 30.0)), share=0.1)
    found = judge.judged(state)
    assert found.outcome == "fail"
    assert found.reason == (
        "half of the answers of r42 take up to 98.3 ms (20 requests), up to 32.8 ms on r41: more than 1.5 times as long"
    )


def test_a_canary_that_slows_down_after_a_good_hour_is_failed() -> None:
    state = judge.begin(RULES)
    for n in range(1, 30):
        late = slow(600 * max(0, n - 25), 90.0)
        soon = (*slow(600 * min(n, 25), 30.0), *(0,) * len(late))
        canary = tuple(one + other for one, other in zip(soon, late, strict=False))
        state = judge.look(
            state, Tally(600 * n, 0, canary or soon), Tally(5400 * n, 0, slow(5400 * n, 30.0)), share=0.1
        )
    assert state.timings > 1
    assert state.failed is not None
    assert state.failed.reason.startswith("99% of the answers of r42 take up to 98.3 ms")


def test_a_cold_start_is_not_held_against_the_times() -> None:
    state, cold = judge.begin(RULES), slow(100, 900.0)
    for n in range(1, 60):
        warm = slow(20 * n, 30.0)
        canary = tuple(one + other for one, other in zip(cold, (*warm, *(0,) * (len(cold) - len(warm))), strict=True))
        control = Tally(180 * n, 0, slow(180 * n, 30.0))
        state = judge.look(state, Tally(100 + 20 * n, 0, canary), control, share=0.1)
    assert max(one.spent for one in judge.judged(state).evidence) < 0.01


def test_a_metric_that_is_worse_fails_and_one_that_is_tolerated_does_not() -> None:
    for tolerated, outcome in ((0.0, "fail"), (0.3, "pass")):
        state = judge.begin(replace(RULES, metrics=("model refusals",)))
        for n in range(1, 40):
            pair = Pair(Sum(20 * n, 12.0 * n), Sum(180 * n, 72.0 * n), tolerated=tolerated)
            state = judge.look(state, Tally(20 * n), Tally(180 * n), share=0.1, metrics={"model refusals": pair})
        found = judge.judged(state)
        assert found.outcome == outcome
    assert "model refusals is 0.6 on average" in found.evidence[-1].text


def test_lower_is_worse_where_that_is_said() -> None:
    state = judge.begin(replace(RULES, metrics=("model score",)))
    for n in range(1, 40):
        pair = Pair(Sum(20 * n, 60.0 * n), Sum(180 * n, 1080.0 * n), low=0.0, high=10.0, worse="lower")
        state = judge.look(state, Tally(20 * n), Tally(180 * n), share=0.1, metrics={"model score": pair})
    assert judge.judged(state).reason.startswith("model score is 3 on average")


def test_what_cannot_be_is_refused() -> None:
    state = judge.begin(RULES)
    for share in (0.0, 1.1):
        with pytest.raises(ValueError, match="share"):
            judge.look(state, NOTHING, NOTHING, share=share)
    with pytest.raises(ValueError, match="was not told of model x"):
        judge.look(state, NOTHING, NOTHING, share=0.1, metrics={"model x": Pair(Sum(), Sum())})
    for broken in ({}, {"format": "ciranda.judge/1"}, judge.begin(RULES).document() | {"began": 3}):
        with pytest.raises(errors.Corrupt):
            read(broken)


@given(seconds, seconds)
def test_a_state_that_was_written_and_read_goes_on_as_it_was(
    before: list[tuple[int, int, int, int]], later: list[tuple[int, int, int, int]]
) -> None:
    every = tallies([*before, *later])
    state = looked(judge.begin(RULES), every[: len(before)], 0.1)
    again = read(json.loads(json.dumps(state.document())))
    assert again == state
    assert looked(again, every[len(before) :]) == looked(state, every[len(before) :])


@given(seconds, st.data())
def test_a_look_that_is_missed_loses_nothing(each: list[tuple[int, int, int, int]], data: st.DataObject) -> None:
    every = tallies(each)
    some = [one for one in every[:-1] if data.draw(st.booleans())] + every[-1:]
    all_, few = looked(judge.begin(RULES), every), looked(judge.begin(RULES), some)
    if all_.failed is None and few.failed is None:
        assert (few.canary, few.control, few.began) == (all_.canary, all_.control, all_.began)
        one, other = faults.judged(all_), faults.judged(few)
        assert (one.rare, one.no_worse, one.evidence.bound) == (other.rare, other.no_worse, other.evidence.bound)


@given(seconds, st.data())
def test_an_older_look_is_no_news(each: list[tuple[int, int, int, int]], data: st.DataObject) -> None:
    every = tallies(each)
    state = looked(judge.begin(RULES), every)
    mixed = data.draw(st.permutations(every))
    assert looked(state, mixed) == state
    # in any order the greatest counts are what is known in the end
    other = looked(judge.begin(RULES), [*mixed, *every[-1:]])
    if state.failed is None and other.failed is None:
        assert (other.canary, other.control) == (state.canary, state.control)


@given(seconds)
def test_a_release_that_failed_stays_failed_and_none_passes_what_fails(each: list[tuple[int, int, int, int]]) -> None:
    state, failed = judge.begin(RULES), False
    for canary, control in tallies(each):
        state = judge.look(state, canary, control, share=0.3)
        now = judge.judged(state)
        assert not failed or now.outcome == "fail"
        failed = now.outcome == "fail"
        assert failed == any(one.spent >= 1.0 for one in now.evidence)
        assert all(0.0 <= one.spent <= 1.0 for one in now.evidence)


@given(st.integers(1, 500), st.integers(1, 2000), st.integers(0, 100), st.integers(0, 100))
def test_worse_counts_never_look_better(requests: int, beside: int, failed: int, beside_failed: int) -> None:
    failed, beside_failed = min(failed, requests), min(beside_failed, beside)

    def against(canary: Tally, control: Tally) -> float:
        return max(0.0, faults.against(judge.look(judge.begin(RULES), canary, control, share=0.5)))

    canary, control = Tally(requests, failed), Tally(beside, beside_failed)
    here = against(canary, control)
    if failed < requests:
        assert against(replace(canary, errors=failed + 1), control) >= here - 1e-9
    if beside_failed < beside:
        assert against(canary, replace(control, errors=beside_failed + 1)) <= here + 1e-9
    assert against(replace(canary, requests=requests + 1), control) <= here + 1e-9
    assert against(canary, replace(control, requests=beside + 1)) >= here - 1e-9


@given(st.integers(1, 300), st.integers(0, 300), st.floats(0.01, 0.2))
def test_a_band_holds_the_share_that_was_seen(count: int, hits: int, doubt: float) -> None:
    hits = min(hits, count)
    high = lean.highest(hits, count, doubt)
    assert hits / count <= high <= 1.0
    assert lean.highest(hits, count, doubt / 10) >= high
    assert lean.highest(0, 0, doubt) == 1.0


@given(st.lists(st.integers(0, 30), min_size=20, max_size=40), st.lists(st.integers(0, 30), min_size=20, max_size=40))
def test_slower_times_never_look_faster(canary: list[int], control: list[int]) -> None:
    def leans(ours: list[int]) -> float:
        return times.leans(tuple(ours), tuple(control), 0.5, 1.5)

    assert leans([0, *canary]) >= leans(canary) - 1e-9


tally = st.builds(
    Tally,
    st.integers(0, 300),
    st.integers(0, 300),
    st.lists(st.integers(0, 200), max_size=len(BOUNDS_US) + 2).map(tuple),
)
sums = st.builds(lambda count, mean: Sum(count, count * mean), st.integers(0, 300), st.floats(-0.5, 1.5))
anything = st.tuples(tally, tally, st.sampled_from([0.001, 0.1, 0.5, 1.0]), sums, sums)


@given(
    st.lists(anything, max_size=8),
    st.sampled_from([0.0, 0.01, 1.0]),
    st.sampled_from([1e-9, 0.01, 1.0]),
    st.sampled_from([("model score",), ()]),
)
def test_whatever_was_counted_can_be_judged_written_and_read(
    each: list[tuple[Tally, Tally, float, Sum, Sum]], objective: float, chance: float, metrics: tuple[str, ...]
) -> None:
    rules = replace(RULES, objective=objective, budget=chance, doubt=chance, metrics=metrics)
    state = judge.begin(rules)
    for canary, control, share, ours, theirs in each:
        added = {name: Pair(ours, theirs, worse="lower") for name in metrics}
        more = (state.canary, canary), (state.control, control)
        grown = [
            Tally(
                old.requests + new.requests,
                old.errors + new.errors,
                tuple(a + b for a, b in zip_longest(old.histogram, new.histogram, fillvalue=0)),
            )
            for old, new in more
        ]
        state = judge.look(read(json.loads(json.dumps(state.document()))), *grown, share=share, metrics=added)
        state = judge.look(state, canary, control, share=share)  # of an older look, or of another file
        found = judge.judged(state)
        assert found.outcome in ("fail", "pass", "unsure")
        assert all(0.0 <= one.spent <= 1.0 and math.isfinite(one.bound) for one in found.evidence)
        json.dumps(found.document(), allow_nan=False)
    assert judge.judged(read(json.loads(json.dumps(state.document())))) == judge.judged(state)


@pytest.mark.parametrize("metrics", [{}, {"model score": Pair(Sum(3, 1.0), Sum(9, 1.0))}])
def test_a_state_without_a_step_is_unsure(metrics: dict[str, Pair]) -> None:
    assert (
        judge.judged(replace(judge.begin(replace(RULES, metrics=("model score",))), metrics=metrics)).outcome
        == "unsure"
    )
    begun = replace(
        judge.begin(RULES), timed=(NOTHING, NOTHING), canary=Tally(9, 0, slow(9, 10)), control=Tally(9, 0, slow(9, 1))
    )
    assert judge.judged(begun).outcome == "unsure"
