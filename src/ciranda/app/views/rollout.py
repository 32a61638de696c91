"""A rollout for people: shares, counts and evidence as they move, read from the ledger alone."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.environment import revisions
from ciranda.environment.revisions import Revision
from ciranda.environment.rollout import rows, steps
from ciranda.environment.rollout.progress import Watched
from ciranda.environment.times import SECOND
from ciranda.kernel import clock
from ciranda.kernel.database import Database
from ciranda.monitor.judge.state import Evidence
from ciranda.release import releases

BAR = 10  # characters of a bar
MARKS = {
    "passed": "✓",
    "failed": "✗",
    "aborted": "✗",
    "paused": "!",
    "waiting": "?",
    "running": "●",
    "starting": "●",
    "superseded": "–",
}


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests of one release and how many of them failed, since the rollout began."""

    requests: int
    failed: int

    @property
    def share(self) -> float:
        """The part that failed."""
        return self.failed / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Service:
    """A service that both releases have: what was counted of each, and what the judge says of it."""

    name: str
    canary: Counted
    control: Counted
    outcome: str
    reason: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A rollout. `state` is starting, running, paused, waiting, passed, failed, aborted or superseded; `weight` in percent."""

    project: str
    environment: str
    revision: str  # "prod#18"
    release: str  # "r42"
    against: str  # "r41"
    state: str
    weight: int
    steps: tuple[int, ...]
    quiet: str
    at_most: float  # seconds
    objective: float
    sticky: str
    reason: str
    actor: str
    at_us: int
    began_us: int | None
    stepped_us: int | None
    ended_us: int | None
    services: tuple[Service, ...] = ()

    @property
    def goes_on(self) -> bool:
        """Whether its end is still to come."""
        return self.state in ("starting", "running", "paused", "waiting") or (
            self.state == "passed" and self.ended_us is None
        )

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"goes_on": self.goes_on}


def gather(database: Database, project: str, environment: str = "") -> list[View]:
    """The last rollout of each environment of a project, or of one. Raises errors.NotFound for one that is not there."""
    places = (
        [revisions.environment(database, project, environment)]
        if environment
        else revisions.environments(database, project)
    )
    found = []
    for place in places:
        target = revisions.current_target(database, project, place.name)
        own = None if target is None else rows.find(database, target.id)
        if target is not None and own is None and target.rollout is not None and _steps(database, target):
            found.append(_starting(database, target))
            continue
        last = [own] if own is not None else rows.history(database, project, place.name)
        found += [of(database, row) for row in last]
    return found


def of(database: Database, row: rows.Row) -> View:
    """One rollout as the ledger has it."""
    revision, now = revisions.by_id(database, row.revision), row.progress
    state = "superseded" if revision.state == "superseded" and now.state not in ("failed", "aborted") else now.state
    if revision.state == "failed" and now.state not in ("failed", "aborted"):
        state = "failed"
    return View(
        revision.project, revision.environment, revision.name, releases.by_id(database, revision.release).name,
        releases.by_id(database, row.against).name, state, steps.weight(row.rules, now) or row.weight, row.rules.steps,
        row.rules.quiet, row.rules.at_most, row.rules.objective, row.rules.sticky,
        now.reason or (revision.reason if state in ("failed", "superseded") else ""), now.actor, clock.now_us(),
        now.began_us, now.stepped_us, revision.ended_us,
        tuple(_service(name, one) for name, one in sorted(now.services.items())),
    )  # fmt: skip


def lines(view: View) -> list[str]:
    """The rollout as people read it, at most 80 columns where names allow it."""
    mark = MARKS[view.state]
    way = " ".join(f"[{step} %]" if step == view.weight and view.goes_on else f"{step} %" for step in view.steps)
    since = "" if view.began_us is None else f"   since {_span(view.at_us - view.began_us)}" if view.goes_on else ""
    found = [
        f"{view.environment:<8} {mark} {view.release} beside {view.against or 'nothing'}   {way}   {view.state}{since}"
    ]
    wide = max((len(name) for name in (view.release, view.against)), default=3)
    for one in view.services:
        share = view.weight if view.state not in ("failed", "aborted", "superseded") else None
        found.append(f"  {one.name}")
        found.append(f"    {view.release:<{wide}} {_percent(share)} {_counted(one.canary)}")
        found.append(
            f"    {view.against:<{wide}} {_percent(None if share is None else 100 - share)} {_counted(one.control)}"
        )
        found += [f"    {_bar(each.spent)}  {each.text}" for each in one.evidence]
        found.append(f"    {one.outcome}: {one.reason}")
    if view.reason and not any(one.reason in view.reason for one in view.services):
        found.append(f"  {view.reason}")
    return [*found, *_next(view)]


def said(view: View) -> str:
    """A rollout in one line, as a log has it: `prod 10 %  14 of 212 requests failed, 3 of 1,904 on r41  unsure: …`."""
    parts = [
        f"{view.environment} {view.weight} %" if view.goes_on or view.state == "passed" else view.environment,
        view.state,
    ]
    for one in view.services:
        name = f"{one.name}: " if len(view.services) > 1 else ""
        parts.append(f"{name}{told(one, view.against)}")
        if view.state == "running" and one.outcome != "pass":
            parts.append(one.reason)
    if view.reason and view.state != "running":
        parts.append(view.reason)
    return "  ".join(dict.fromkeys(parts))


def told(one: Service, against: str) -> str:
    """`14 of 212 requests failed, 3 of 1,904 on r41`."""
    own = f"{one.canary.failed:,} of {one.canary.requests:,} requests failed"
    return f"{own}, {one.control.failed:,} of {one.control.requests:,} on {against}"


def _steps(database: Database, target: Revision) -> bool:
    live = revisions.live(database, target.project, target.environment)
    return live is not None and live.release != target.release and bool(live.instances.keys() & target.instances.keys())


def _starting(database: Database, target: Revision) -> View:
    rules, live = target.rollout, revisions.live(database, target.project, target.environment)
    assert rules is not None
    return View(
        target.project, target.environment, target.name, releases.by_id(database, target.release).name,
        "" if live is None else releases.by_id(database, live.release).name, "starting", 0, rules.steps, rules.quiet,
        rules.at_most, rules.objective, rules.sticky, "", "", clock.now_us(), None, None, None,
    )  # fmt: skip


def _service(name: str, one: Watched) -> Service:
    found = one.judgement
    canary, control = one.canary.total, one.control.total
    return Service(
        name, Counted(canary.requests, canary.errors), Counted(control.requests, control.errors), found.outcome,
        found.reason, found.evidence,
    )  # fmt: skip


def _next(view: View) -> Sequence[str]:
    place = view.environment
    if view.state == "waiting":
        return (
            f"  nothing can be told; go on: ciranda rollout resume -e {place}   back: ciranda rollout abort -e {place}",
        )
    if view.state == "paused":
        return (f"  go on: ciranda rollout resume -e {place}   back: ciranda rollout abort -e {place}",)
    return ()


def _counted(one: Counted) -> str:
    return f"{one.requests:>10,} requests {one.failed:>8,} failed {100 * one.share:>8.2f} %"


def _percent(share: int | None) -> str:
    return "     " if share is None else f"{share:>3} %"


def _bar(spent: float) -> str:
    full = round(min(max(spent, 0.0), 1.0) * BAR)
    return "█" * full + "░" * (BAR - full)


def _span(us: int) -> str:
    seconds = us // SECOND
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
