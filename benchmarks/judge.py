"""How soon the judge of a canary finds errors, and how often it fails a release that is good: simulated with the judge itself.

    python benchmarks/judge.py [--releases 2000] [--processes 2] [--json]

Seconds of traffic are drawn (requests by Poisson's law, split at random; errors one by one; times log-normal, their median
30 ms), counted as the gateway counts them, and shown to the judge each second, good releases at 5 requests/s each tenth second: what it
knows depends on the counts, not on how often it looks. Figures at a base rate of 1 % of errors, unless they say another one.

A bad release fails so many times as often as what runs beside it, from its first request on. A good one is the same as what
runs beside it, and goes the whole way of 10, 50 and 100 %: on when a step passes, or after half an hour of traffic.

Bounds: ten times the errors found in a median of 12 s (p95 20), four times in 40 s (p95 75); at most 1.5 % of 2,000 good
releases failed, at 200 and at 5 requests/s; every good release without errors through 10 % within 60 s. Exits 1 if one is missed.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, inf, log
from random import Random
from statistics import NormalDist
from typing import Any

from ciranda.monitor.judge import judge
from ciranda.monitor.judge.state import Rules
from ciranda.monitor.judge.tally import NOTHING, Tally
from ciranda.service.counters import BOUNDS_US

STEPS = (0.1, 0.5, 1.0)
BOUNDS: dict[str, Any] = {"10x": (12.0, 20.0), "4x": (40.0, 75.0), "good": 0.015, "pass": 60.0}
GOOD = ("base 1 %", "base 1 %, 5 requests/s")  # that a bound is for
AT_MOST = 1800  # seconds of a step
RULES = Rules()
_MEDIAN_MS, _SIGMA = 30.0, 0.6


@dataclass(frozen=True)
class Release:
    """A release and its traffic: `times` as many errors as what runs beside it, `slower` as long a time."""

    seed: int
    rate: float = 200.0  # requests a second of the whole route
    base: float = 0.01
    times: float = 1.0
    slower: float = 1.0
    every: int = 1  # seconds between two looks
    steps: tuple[float, ...] = STEPS
    timed: bool = True
    surges: bool = False  # of errors of everything, as when what both need is down
    bursts: float = 1.0  # errors that come together


@dataclass(frozen=True)
class Ended:
    """How the rollout of a release ended. `passed` has the second in which each step did."""

    outcome: str  # "fail", "pass", or "unsure" after `AT_MOST`
    seconds: int
    reason: str
    passed: tuple[int, ...] = ()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with multiprocessing.Pool(asked.processes) as pool:
        found = measure(asked.releases, lambda releases: pool.map(rolled, releases, chunksize=8))
    print(json.dumps(found) if asked.json else shown(found))
    return 1 if found["missed"] else 0


def measure(releases: int, run: Callable[[Sequence[Release]], Sequence[Ended]]) -> dict[str, Any]:
    """Every figure, and the bounds that were missed. A bad release is tried a quarter as often as a good one."""
    fewer = range(max(1, releases // 4))

    def bad(**traffic: Any) -> dict[str, Any]:
        ended = run([Release(seed, steps=(0.1,), **traffic) for seed in fewer])
        seconds = sorted(one.seconds if one.outcome == "fail" else inf for one in ended)
        middle, most = statistics.median(seconds), seconds[int(0.95 * len(seconds))]
        return {"median_s": finite(middle), "p95_s": finite(most), "found": len(seconds) - seconds.count(inf)}

    def good(seeds: range, **traffic: Any) -> dict[str, Any]:
        ended = run([Release(1_000_000 + seed, **traffic) for seed in seeds])
        failed = [one for one in ended if one.outcome == "fail"]
        through = [one.seconds for one in ended if one.outcome == "pass"]
        return {
            "releases": len(ended),
            "failed": len(failed),
            "share": len(failed) / len(ended),
            "through_s": statistics.median(through) if through else None,
            "slowest_first_step_s": max((one.passed[0] for one in ended if one.passed), default=None),
            "unsure": sum(one.outcome == "unsure" for one in ended),
        }

    tried = {
        **{f"10x, base {base:.1%}": bad(times=10.0, base=base) for base in (0.003, 0.01, 0.03)},
        **{f"4x, base {base:.1%}": bad(times=4.0, base=base) for base in (0.003, 0.01, 0.03)},
        "10x, 5 requests/s": bad(times=10.0, rate=5.0),
        "half as fast, p50 and p99 doubled": bad(slower=2.0),
    }
    every = range(releases)
    fine = {
        "base 1 %": good(every),
        "base 1 %, 5 requests/s": good(every, rate=5.0, every=10),
        "no errors": good(fewer, base=0.0),
        "base 0.1 %": good(fewer, base=0.001),
        "base 5 %": good(fewer, base=0.05),
        "base 1 %, surges of what all need, to 50 %": good(fewer, surges=True, steps=STEPS[:2]),
        "base 1 %, surges of what all need": good(fewer, surges=True),
        "base 1 %, errors in bursts of 2": good(fewer, bursts=2.0),
    }
    missed = [
        f"{times}, {what}"
        for times in ("10x", "4x")
        for what, bound in zip(("median_s", "p95_s"), BOUNDS[times], strict=True)
        if (tried[f"{times}, base 1.0%"][what] or inf) > bound
    ]
    missed += [f"good, {name}" for name in GOOD if fine[name]["share"] > BOUNDS["good"]]
    if (fine["no errors"]["slowest_first_step_s"] or inf) > BOUNDS["pass"]:
        missed.append("a good release without errors, 10 %")
    return {"tried": len(fewer), "bad": tried, "good": fine, "bounds": BOUNDS, "missed": missed}


def finite(seconds: float) -> float | None:
    """None for what was never found."""
    return None if seconds == inf else seconds


def shown(found: dict[str, Any]) -> str:
    lines = [f"bad releases at 10 %, {found['tried']:,} of each: seconds until they are found, median and p95"]
    for name, one in found["bad"].items():
        times = " ".join(f"{'–' if one[what] is None else one[what]:>6}" for what in ("median_s", "p95_s"))
        lines.append(f"  {name:<36}{times}   {one['found']:,} found")
    lines.append("good releases, the whole way: failed; seconds until they are through, the slowest through 10 %")
    for name, one in found["good"].items():
        lines.append(
            f"  {name:<36}{one['failed']:>6} of {one['releases']:,} ({one['share']:.2%}) "
            f"{one['through_s'] or '–':>8} {one['slowest_first_step_s'] or '–':>6}   {one['unsure']:,} unsure"
        )
    return "\n".join([*lines, *(f"  ✗ missed: {what}" for what in found["missed"])])


def rolled(release: Release, rules: Rules = RULES) -> Ended:
    """The rollout of a release, second by second. Everything follows from its seed."""
    random = Random(release.seed)
    state = judge.begin(rules)
    canary = control = NOTHING
    cumulative = [list(accumulate(buckets(_MEDIAN_MS * slower))) for slower in (release.slower, 1.0)]
    passed: list[int] = []
    second = 0
    surge = 1.0
    for share in release.steps:
        for _ in range(AT_MOST // release.every):
            second += release.every
            if release.surges and second % 20 < release.every:
                surge = random.choice((1.0, 1.0, 1.0, 5.0, 20.0))
            base = min(1.0, release.base * surge)
            canary = after(random, canary, release, share, min(1.0, base * release.times), cumulative[0])
            if share < 1.0:
                control = after(random, control, release, 1.0 - share, base, cumulative[1])
            state = judge.look(state, canary, control, share=share)
            now = judge.judged(state)
            if now.outcome == "fail":
                return Ended("fail", second, now.reason, tuple(passed))
            if now.outcome == "pass":
                passed.append(second)
                break
    return Ended("pass" if len(passed) == len(release.steps) else "unsure", second, "", tuple(passed))


def after(
    random: Random, tally: Tally, release: Release, share: float, failing: float, cumulative: Sequence[float]
) -> Tally:
    """The counts of one release at the next look."""
    requests = poisson(random, release.rate * release.every * share)
    errors = hits(random, requests, failing / release.bursts)
    if release.bursts > 1.0:
        together = (1 + int(log(1.0 - random.random()) / log(1.0 - 1.0 / release.bursts)) for _ in range(errors))
        errors = min(requests, sum(together))
    histogram = tally.histogram
    if release.timed:
        places = Counter(random.choices(range(len(cumulative)), cum_weights=cumulative, k=requests))
        before = histogram or (0,) * len(cumulative)
        histogram = tuple(count + places[place] for place, count in enumerate(before))
    return Tally(tally.requests + requests, tally.errors + errors, histogram)


def buckets(median_ms: float) -> list[float]:
    """The shares of a log-normal time in the gateway's buckets."""
    law = NormalDist(log(median_ms * 1000), _SIGMA)
    ends = [law.cdf(log(bound)) for bound in BOUNDS_US] + [1.0]
    return [end - start for start, end in zip([0.0, *ends], ends, strict=False)]


def poisson(random: Random, expected: float) -> int:
    if expected > 30:
        return max(0, round(random.gauss(expected, expected**0.5)))
    events, product, limit = 0, random.random(), exp(-expected)
    while product > limit:
        events += 1
        product *= random.random()
    return events


def hits(random: Random, count: int, share: float) -> int:
    """How many of these count, each with this chance: from one to the next by the geometric law."""
    if share <= 0.0:
        return 0
    if share >= 1.0:
        return count
    found, place, step = 0, 0, log(1.0 - share)
    while True:
        place += 1 + int(log(1.0 - random.random()) / step)
        if place > count:
            return found
        found += 1


if __name__ == "__main__":
    sys.exit(main())
