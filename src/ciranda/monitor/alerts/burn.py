"""Objectives: how fast a service uses up what it may fail, over several windows at once.

The Site Reliability Workbook, chapter 5 ("Alerting on SLOs"), table 5-8: an alert when both a long window and one of a twelfth of it burn
faster than the factor says, so that it is sure, and over soon after its cause is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ciranda.monitor.alerts import wording
from ciranda.monitor.alerts.measure import Found
from ciranda.monitor.alerts.rules import Watched
from ciranda.monitor.series import courses
from ciranda.monitor.series.levels import SECOND
from ciranda.monitor.series.samples import Reading
from ciranda.release.manifest import Objective

FEW = 5  # bad answers in the long window: fewer wake nobody, however few answers there were
NAMES = {3600.0: "1h", 21_600.0: "6h", 259_200.0: "3d"}


@dataclass(frozen=True, slots=True)
class Burn:
    """A pair of windows in seconds: faster than `factor` over both is told with `severity`."""

    factor: float
    long: float
    short: float
    severity: str


BURNS = (
    Burn(14.4, 3600.0, 300.0, "page"),
    Burn(6.0, 21_600.0, 1800.0, "page"),
    Burn(1.0, 259_200.0, 21_600.0, "ticket"),
)


@dataclass(frozen=True, slots=True)
class Promise:
    """One side of an objective: the share that may be bad, and of what it is said."""

    kind: str  # "availability", "latency"
    allowed: float
    below: float | None  # seconds, of latency

    def bad(self, whole: courses.Whole) -> float | None:
        """The share of bad answers; None: nobody asked."""
        return whole.share if self.below is None else whole.slower(self.below)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of an objective: the share of bad answers over its window so far, and of what it allows how much is used up."""

    objective: str
    kind: str
    promised: float
    bad: float | None
    used: float | None


def promises(objective: Objective) -> Iterator[Promise]:
    """What an objective promises."""
    if objective.availability is not None:
        yield Promise("availability", 1 - objective.availability, None)
    if objective.latency is not None and objective.below is not None:
        yield Promise("latency", 1 - objective.latency, objective.below)


def rule(name: str, kind: str, burn: Burn) -> str:
    """What the alert of a window is called: `delays:availability:1h`."""
    return f"{name}:{kind}:{NAMES[burn.long]}"


def measure(reading: Reading, watched: Watched, now: int) -> list[tuple[Found, Burn, Objective]]:
    """What every objective of an environment finds, by release: one that is new must not hide behind one that is well."""
    found = []
    for name, objective in watched.objectives.items():
        labels = {"project": watched.project, "environment": watched.environment, "service": objective.service}
        lengths = sorted({length for burn in BURNS for length in (burn.long, burn.short)})
        seen = {length: _by_release(reading, labels, length, now) for length in lengths}
        releases = sorted(seen[lengths[0]])  # those that had traffic lately: others burn nothing now
        for promise in promises(objective):
            quicker: set[str] = set()  # releases of which an alert says already that they burn too fast
            for burn in BURNS:
                one = rule(name, promise.kind, burn)
                if not releases:
                    found.append((Found(one, "objective", "no data", objective.service), burn, objective))
                for release in releases:
                    windows = (seen[burn.long].get(release), seen[burn.short].get(release))
                    judged = judge(one, objective, promise, burn, release, windows)
                    found.append((replace(judged, behind=release in quicker), burn, objective))
                    quicker |= {release} if judged.outcome == "over" else set()
    return found


def judge(
    name: str,
    objective: Objective,
    promise: Promise,
    burn: Burn,
    release: str,
    windows: Sequence[courses.Whole | None],
) -> Found:
    """Whether a release burns faster than the factor over both windows, the long one first. Pure."""
    long, short = windows
    shares = [None if one is None else promise.bad(one) for one in (long, short)]
    if long is None or shares[0] is None or shares[1] is None:
        return Found(name, "objective", "no data", objective.service, release, release)
    rates = [share / promise.allowed for share in shares if share is not None]
    few = shares[0] * long.requests * long.seconds < FEW - 0.5
    over = min(rates) > burn.factor and not few
    what = "are errors" if promise.below is None else f"take longer than {wording.took(promise.below)}"
    text = (
        f"{objective.service} {release}: {wording.share(shares[0])} of the answers of {wording.span(burn.long)} {what},"
        f" {rates[0]:.3g} times what the objective allows"
    )
    return Found(name, "objective", "over" if over else "under", objective.service, release, release, rates[0], text)


def standing(reading: Reading, labels: Mapping[str, str], name: str, objective: Objective, now: int) -> list[Standing]:
    """Where an objective stands over its window."""
    over = round(objective.window * SECOND)
    whole = None
    read = courses.together(courses.grown(reading, {**labels, "service": objective.service}, now - over, now))
    if read:
        whole = read[0].whole
    found = []
    for promise in promises(objective):
        bad = None if whole is None else promise.bad(whole)
        found.append(
            Standing(name, promise.kind, 1 - promise.allowed, bad, None if bad is None else bad / promise.allowed)
        )
    return found


def _by_release(reading: Reading, labels: Mapping[str, str], length: float, now: int) -> dict[str, courses.Whole]:
    over = round(length * SECOND)
    read = courses.grown(reading, labels, now - over, now)
    return {one.release: whole for one in read if (whole := one.whole) is not None}
