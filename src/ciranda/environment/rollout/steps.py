"""What comes next in a rollout: from its rules, how far it is and what was counted. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from ciranda.environment.rollout import judging
from ciranda.environment.rollout.progress import BACK, Counts, Entering, KeepRollout, Progress, State
from ciranda.environment.times import SECOND
from ciranda.project.rollout import Rollout

LOOK_US = SECOND  # between looks of the judge


def weight(rules: Rollout, progress: Progress) -> int:
    """The share of the requests that the candidate gets, in percent: nothing once it has failed, all once it has passed."""
    if progress.state in BACK:
        return 0
    return 100 if progress.state == "passed" else rules.steps[min(progress.step, len(rules.steps) - 1)]


def begin(
    rules: Rollout, routes: Mapping[str, str], counts: Counts, now_us: int, *, canary: str, control: str
) -> Progress:
    """A rollout at its first step; one whose only step is the last has passed before it began."""
    state: State = "passed" if rules.steps[0] == 100 else "running"
    services = judging.begin(rules, routes, counts, canary=canary, control=control)
    return Progress(state, 0, now_us, now_us, now_us, services)


def due(progress: Progress | None, now_us: int) -> bool:
    """Whether the counters are wanted: to begin, and each second, also while a release that has all requests is verified."""
    if progress is None:
        return True
    return progress.state not in BACK and now_us - progress.looked_us >= LOOK_US


def advance(
    revision: str,
    entering: Entering,
    routes: Mapping[str, str],
    routed: Mapping[str, int],
    now_us: int,
    *,
    canary: str,
    control: str,
) -> KeepRollout | None:
    """The next state of a rollout; None when there is nothing new. `routes` has the prefix of each service that both releases have,
    `routed` the percent that the candidate has there now."""
    before, rules, counts = entering.progress, entering.rules, entering.counts
    if before is None or before.state in BACK or counts is None:
        return None
    wanted = weight(rules, before)
    services = {
        name: judging.look(
            one,
            counts.of(routes[name], canary),
            counts.of(routes[name], control),
            wanted / 100 if routed.get(name) == wanted else None,
        )
        if name in routes
        else one
        for name, one in before.services.items()
    }
    seen = replace(before, services=services, looked_us=now_us)
    bad = judging.failing(services)
    if bad is not None:
        reason = judging.named(bad[0], bad[1].reason, services)
        return KeepRollout(revision, before, replace(seen, state="failed", reason=reason), 0, "failed")
    if before.state in ("paused", "passed") or entering.held:
        return _kept(revision, before, seen, wanted)
    if judging.passing(services, wanted / 100):
        return stepped(revision, rules, before, seen, now_us)
    if before.state == "running" and now_us - before.stepped_us >= rules.at_most * SECOND:
        unsure = judging.unsure(services)
        if rules.quiet == "promote":
            return stepped(
                revision, rules, before, seen, now_us, f"nothing could be told for {rules.at_most:g} s: {unsure}"
            )
        waiting = replace(seen, state="waiting", reason=unsure)
        return KeepRollout(revision, before, waiting, wanted, "waits")
    return _kept(revision, before, seen, wanted)


def stepped(
    revision: str, rules: Rollout, before: Progress, seen: Progress, now_us: int, reason: str = "", actor: str = ""
) -> KeepRollout:
    """The next step of a rollout, by the judge or, with an `actor`, by a person."""
    step = before.step + 1
    after = replace(
        seen,
        state="passed" if rules.steps[step] == 100 else "running",
        step=step,
        stepped_us=now_us,
        reason=reason,
        actor=actor,
        ways=before.ways + ("h" if actor else "q" if reason else "p"),
    )
    return KeepRollout(revision, before, after, rules.steps[step], "stepped")


def _kept(revision: str, before: Progress, seen: Progress, wanted: int) -> KeepRollout | None:
    """A look that has seen nothing is not worth a write: a quiet service may wait for days."""
    return KeepRollout(revision, before, seen, wanted) if before.services != seen.services else None
