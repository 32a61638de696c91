"""What the judge sees of a rollout: counters that only grow, and begin anew with their file. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import zip_longest

from ciranda.environment.rollout.progress import Count, Counts, Side, Watched
from ciranda.monitor.judge import judge
from ciranda.monitor.judge.state import Judgement, Rules
from ciranda.project.rollout import Rollout


def begin(
    rules: Rollout, routes: Mapping[str, str], counts: Counts, *, canary: str, control: str
) -> dict[str, Watched]:
    """The judges of the services that both releases have, by name; `routes` has the prefix of each. They share one budget."""
    budget = Rules().budget / max(1, len(routes))
    judged = Rules(objective=rules.objective, budget=budget, canary=canary, control=control)
    return {
        service: Watched(Side(counts.of(prefix, canary)), Side(counts.of(prefix, control)), judge.begin(judged))
        for service, prefix in routes.items()
    }


def look(watched: Watched, canary: Count, control: Count, share: float | None) -> Watched:
    """What is known after this look. `share` None: the requests since the last one were not split as the step says, so they do not
    count."""
    ours, theirs = _grown(watched.canary, canary, share), _grown(watched.control, control, share)
    after = replace(watched, canary=ours, control=theirs)
    if share is None:
        return after
    return replace(after, judge=judge.look(watched.judge, ours.total.tally, theirs.total.tally, share=share))


def failing(services: Mapping[str, Watched]) -> tuple[str, Judgement] | None:
    """The first service whose release is worse, and what the judge says of it."""
    for name, one in services.items():
        if (found := one.judgement).outcome == "fail":
            return name, found
    return None


def passing(services: Mapping[str, Watched], share: float) -> bool:
    """Whether every service passes the step of this share: what a judge said of an earlier one does not count."""
    return all(one.judge.share == share and one.judgement.outcome == "pass" for one in services.values())


def unsure(services: Mapping[str, Watched]) -> str:
    """Why nothing can be told, of the first service of which it cannot."""
    for name, one in services.items():
        if (found := one.judgement).outcome != "pass":
            return named(name, found.reason, services)
    return ""


def named(service: str, text: str, services: Iterable[str]) -> str:
    """What is said of a service, which is named where there are several."""
    return f"{service}: {text}" if len(list(services)) > 1 else text


def _grown(side: Side, now: Count, share: float | None) -> Side:
    if share is None:
        return Side(now, side.total)
    seen, total = side.seen, side.total
    longer = zip_longest(now.histogram, seen.histogram, fillvalue=0)
    if now.requests < seen.requests or now.errors < seen.errors or any(new < old for new, old in longer):
        seen = Count()  # the counters were begun anew
    return Side(
        now,
        Count(
            total.requests + now.requests - seen.requests,
            total.errors + now.errors - seen.errors,
            tuple(_sums(total.histogram, now.histogram, seen.histogram)),
        ),
    )


def _sums(total: tuple[int, ...], now: tuple[int, ...], seen: tuple[int, ...]) -> Iterable[int]:
    for before, new, old in zip_longest(total, now, seen, fillvalue=0):
        yield before + new - old
