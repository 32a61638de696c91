"""A plan for people: what would become of an environment, what it costs to go there and back, and what keeps it out."""

import statistics
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ciranda.app.views import difference, facts, waiting
from ciranda.environment import freezes, plan, plans, revisions, saved_plans
from ciranda.environment.times import SECOND, STANDBY_US
from ciranda.kernel import clock, confine, errors
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.release import releases
from ciranda.release.manifest import Manifest
from ciranda.versions import repositories

LATEST = 50  # revisions of which the costs are told
MINUTES = STANDBY_US // SECOND // 60
ROOM = 10  # columns of what stands before a line below the table


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds until requests reach what an environment moves to, by its own past; None where there is none. `warm`: it stands by."""

    warm: bool
    start: float | None  # with new instances
    swap: float | None  # to what is warm


@dataclass(frozen=True, slots=True)
class View:
    """A plan with what people want to know of it. `live` is the revision and the release that are there: ("prod#17", "r41")."""

    plan: plans.Plan
    digest: str
    live: tuple[str, str] | None
    texts: Mapping[str, str]  # of assets, by name
    touches: Mapping[str, tuple[str, ...]]  # of assets, by name
    used: frozenset[str]  # the assets that services use, before or after
    costs: Costs
    commits: tuple[int, int] | None = None  # how many, by how many people
    approvals: tuple[str, ...] = ()
    blocked: str = ""  # why it does not enter by itself now
    unconfined: str = ""  # why its instances run without bubblewrap
    unkept: tuple[str, ...] = ()  # sources of the release that no store keeps
    beside: str = ""  # the live release that it would have to compare with; empty: none that has a service of it

    @property
    def release(self) -> str:
        """`r42`; empty: everything goes."""
        return self.plan.release.name if self.plan.release is not None else ""

    def document(self) -> dict[str, Any]:
        """The plan as JSON values."""
        parts = [
            part.document()
            | {
                "text": difference.said(part, self.texts),
                "back": _back(self, part) if part.sign != "same" else "",
                "touches": list(self.touches.get(part.name, ())) if part.kind in difference.ASSETS else [],
            }
            for part in self.plan.parts
        ]
        return {
            "project": self.plan.project,
            "environment": self.plan.environment,
            "digest": self.digest,
            "live": None if self.live is None else {"revision": self.live[0], "release": self.live[1]},
            "release": self.release or None,
            "empty": self.plan.empty,
            "parts": parts,
            "counts": difference.counts(self.plan.parts),
            "warm": self.costs.warm,
            "seconds": {"start": self.costs.start, "swap": self.costs.swap},
            "rollout": None if not _steps(self) or (rules := self.plan.resolved.rollout) is None else rules.document(),
            "commits": None if self.commits is None else {"count": self.commits[0], "people": self.commits[1]},
            "approvals": {"needed": self.plan.needed, "by": list(self.approvals), "four_eyes": self.plan.four_eyes},
            "blocked": self.blocked,
            "unconfined": self.unconfined,
            "unkept": list(self.unkept),
        }


def gather(
    database: Database,
    store: Store,
    project: str,
    environment: str,
    release: str | None = None,
    *,
    folder: Path | None = None,
) -> View:
    """What a release (the newest one when none is named) would change. `folder` is that of the repositories.

    Raises errors.NotFound, errors.Refused for a secret that is not set.
    """
    wanted = releases.latest(database, project) if release is None else releases.get(database, project, release)
    if wanted is None:
        raise errors.NotFound(f"{project} has no release yet", hint="push: git push ciranda main")
    read = plans.reader(store)
    refuse_unknown(database, read(wanted), project, environment)
    return look(database, read, plans.make(database, read, project, environment, wanted), folder=folder)


def destruction(database: Database, store: Store, project: str, environment: str) -> View:
    """What goes when an environment is destroyed. Raises errors.NotFound."""
    revisions.environment(database, project, environment)
    read = plans.reader(store)
    return look(database, read, plans.make(database, read, project, environment, None))


def refuse_unknown(database: Database | Transaction, content: Manifest, project: str, environment: str) -> None:
    """Raises errors.NotFound for an environment that neither the release names nor anything ran in."""
    known = [place.name for place in revisions.environments(database, project)]
    if environment not in content.environments and environment not in known:
        raise errors.NotFound(
            f"{project} has no environment {environment}",
            hint=f"what there is: {', '.join(dict.fromkeys([*content.environments, *known])) or 'none'}",
        )


def look(database: Database, read: plans.Read, made: plans.Plan, *, folder: Path | None = None) -> View:
    """A plan with everything that is told of it."""
    base = made.base if made.base is not None and not made.base.gone else None
    before = None if base is None else releases.by_id(database, base.release)
    after = made.release
    old = {} if before is None else facts.of_release(database, before, read(before))
    new = old if after is None or after == before else facts.of_release(database, after, read(after))
    texts = {
        part.name: facts.of_part(part.sign, old.get(part.name), new.get(part.name), there=made.environment)
        for part in made.parts
        if part.kind in difference.ASSETS
    }
    digest = made.digest
    return View(
        plan=made,
        digest=digest,
        live=None if base is None or before is None else (base.name, before.name),
        texts=texts,
        touches={} if after is None else touched(database, read(after), made.parts),
        used=frozenset(name for one in (before, after) if one is not None for name in read(one).used),
        costs=_costs(database, made),
        commits=None if before is None or after is None else _commits(database, folder, before, after),
        approvals=tuple(one.actor for one in plans.counted(database, made)) if made.needed else (),
        blocked=_blocked(database, read, made, before),
        unconfined=_unconfined(read, after),
        unkept=() if after is None else read(after).unkept,
        beside=_beside(database, made),
    )


def _beside(database: Database, made: plans.Plan) -> str:
    live = revisions.live(database, made.project, made.environment)
    if live is None or made.release is None or live.release == made.release.id:
        return ""
    shared = live.instances.keys() & made.resolved.instances.keys()
    return releases.by_id(database, live.release).name if shared else ""


def touched(database: Database, content: Manifest, parts: tuple[plan.Part, ...]) -> dict[str, tuple[str, ...]]:
    """By changed asset: the assets that are made of it, and the services and jobs that use it or one of those."""
    changed = [part for part in parts if part.kind in difference.ASSETS and part.sign in ("add", "change")]
    made_of = facts.inputs(database, content.assets) if changed else {}
    found = {}
    for part in changed:
        below = facts.downstream(part.name, made_of)
        there = {part.name, *below}
        found[part.name] = (
            *(f"{content.assets[name].kind} {name}" for name in below),
            *(f"service {name}" for name, service in sorted(content.services.items()) if there & set(service.uses)),
            *(f"job {name}" for name, job in sorted(content.jobs.items()) if there & set(job.run)),
        )
    return found


def lines(view: View) -> list[str]:
    """The plan as people read it, at most 80 columns where names allow it, but for its last line."""
    made, place = view.plan, view.plan.environment
    if made.empty:
        if made.release is None:
            return [f"nothing runs in {place}: nothing to do"]
        return [f"{place} runs {view.release}: nothing to do", *_warnings(view, empty=True)]
    goal = view.release or "nothing"
    left = f"{place} → {goal}" if view.live is None else f"{view.live[0].replace('#', ' #')} ({view.live[1]}) → {goal}"
    right = ""
    if view.commits is not None and view.commits[0]:
        people = "1 person" if view.commits[1] == 1 else f"{view.commits[1]:,} people"
        right = f"{facts.plural(view.commits[0], 'commit')} by {people}"
    found = [f"{left:<{difference.WIDTH - len(right)}}{right}".rstrip()]
    found += difference.rows(made.parts, view.texts, back=partial(_back, view), touches=view.touches)
    found += _hung("forward", _forward(view))
    if view.live is not None:
        found += _hung("back", _way_back(view))
    found += _warnings(view, empty=False)
    counted = difference.counts(made.parts)
    name = saved_plans.short(view.digest)
    verb = f"ciranda apply {name}" if made.release is not None else f"ciranda destroy -e {place}"
    told = f"{counted['add']} to add, {counted['change']} to change, {counted['remove']} to destroy."
    return [*found, f"Plan {name}…: {told}     apply: {verb}"]


def _hung(name: str, text: str) -> list[str]:
    return textwrap.wrap(f"  {name:<{ROOM - 2}} {text}", difference.WIDTH, subsequent_indent=" " * (ROOM + 1))


def _forward(view: View) -> str:
    if view.plan.release is None:
        return "routes go, then instances; nothing stays warm"
    if not view.plan.resolved.instances:
        return "nothing to start"
    by = _steps(view)
    if view.costs.warm:
        return f"{by or 'a swap'}: {view.release} is warm{_about(view.costs.swap)}"
    return (
        f"new instances{_about(view.costs.start)}, then {by}"
        if by
        else f"new instances, then a swap{_about(view.costs.start)}"
    )


def _steps(view: View) -> str:
    """By which shares a release enters; empty: at once, as where nothing is live that it could be compared with."""
    rules = view.plan.resolved.rollout
    if rules is None or not view.beside:
        return ""
    shares = " → ".join(f"{step} %" for step in rules.steps)
    quiet = "waits for you" if rules.quiet == "hold" else "goes on"
    return f"{shares} of the requests, each when it is no worse than {view.beside}; after {rules.at_most:g} s in doubt it {quiet}"


def _way_back(view: View) -> str:
    assert view.live is not None
    verb, release = f"ciranda rollback {view.plan.environment}", view.live[1]
    if view.plan.release is None:
        return f"{verb}: new instances of {release}{_about(view.costs.start)}"
    cold = f"; cold about {view.costs.start:.1f} s" if view.costs.start is not None else ""
    return f"{verb}: a swap while {release} is warm ({MINUTES} min){_about(view.costs.swap)}{cold}"


def _about(seconds: float | None) -> str:
    return "" if seconds is None else f", about {seconds:.1f} s"


def _back(view: View, part: plan.Part) -> str:
    """How one part comes back."""
    if part.kind == "secret":
        return "stays on rollback"
    if part.kind == "infra":
        return "back: a plan of its own"
    if view.live is None:
        return "back: destroy"
    if view.plan.release is None:
        return "back: new instances" if part.kind == "service" else "back: at once"
    if part.kind == "job" or (part.kind in difference.ASSETS and part.name not in view.used):
        return "back: at once"
    return "back: a swap" if view.costs.swap is None else f"back: {view.costs.swap:.1f} s"


def _warnings(view: View, *, empty: bool) -> list[str]:
    said = []
    if not empty and view.plan.needed:
        by = f" ({', '.join(view.approvals)})" if view.approvals else ""
        if len(view.approvals) < view.plan.needed:
            needs = facts.plural(view.plan.needed, "approval")
            needs += " of others than who pushed it or applies it" if view.plan.four_eyes else ""
            said.append(
                f"needs {needs}, has {len(view.approvals)}{by}: ciranda approve {saved_plans.short(view.digest)}"
            )
        else:
            said.append(f"approved by {', '.join(view.approvals)}")
    if not empty and view.blocked:
        said.append(view.blocked)
    if view.unconfined:
        said.append(f"unconfined: instances run without bubblewrap here ({view.unconfined})")
    if not empty and view.unkept:
        said.append(facts.unreplayable(view.unkept))
    return [line for text in said for line in textwrap.wrap(f"! {text}", difference.WIDTH, subsequent_indent="  ")]


def _costs(database: Database, made: plans.Plan) -> Costs:
    past = [
        one
        for one in revisions.history(database, made.project, made.environment, LATEST)
        if one.routed_us is not None and not one.gone
    ]
    return Costs(
        warm=_is_warm(database, made),
        start=_median([one for one in past if one.cause == "promotion"]),
        swap=_median([one for one in past if one.cause == "rollback"]),
    )


def _median(past: list[revisions.Revision]) -> float | None:
    took = [((one.routed_us or 0) - one.created_us) / SECOND for one in past[:5]]
    return statistics.median(took) if took else None


def _is_warm(database: Database, made: plans.Plan) -> bool:
    """Whether instances of just this content stand by, as far as the ledger knows."""
    if made.release is None:
        return False
    since_us = clock.now_us() - STANDBY_US
    left = revisions.reached_since(database, made.project, made.environment, since_us)
    wanted = (made.release.id, made.resolved.config, made.resolved.secrets)
    return any((one.release, one.config, one.secrets) == wanted for one in left)


def _commits(
    database: Database, folder: Path | None, before: releases.Release, after: releases.Release
) -> tuple[int, int] | None:
    """How many commits lead from one release to another, by how many people; None where Git cannot say."""
    known = changes.project(database, after.project)
    if known is None or folder is None or before.commit_sha == after.commit_sha:
        return None
    try:
        return repositories.between(repositories.path(folder, known.repository), before.commit_sha, after.commit_sha)
    except errors.CirandaError:
        return None


def _blocked(database: Database, read: plans.Read, made: plans.Plan, before: releases.Release | None) -> str:
    place = next((one for one in revisions.environments(database, made.project) if one.name == made.environment), None)
    if made.release is None:
        return ""
    if place is not None and place.held and not plans.stays(made):
        reason = f": {place.held_reason}" if place.held_reason else ""
        return f"{place.name} is held by {place.held_by}{reason}: let it in with  ciranda hold {place.name} --release"
    frozen = freezes.of(() if place is None else place.frozen, made.freeze)
    if frozen is not None:
        return freezes.said(made.environment, frozen)
    content = read(made.release)
    declared = content.environments.get(made.environment)
    after = None if declared is None else declared.after
    ended = None if after is None else waiting.look(database, made.release, content, after)
    if ended is not None and ended.state != "reached":
        return ended.text
    try:
        plans.refuse_unready(database, made, content)
    except errors.Refused as error:
        return error.message
    if before is not None and before.number > made.release.number:
        older = f"{made.release.name} is older than {before.name}, which runs"
        return f"{older}; to go back and hold: ciranda rollback {made.environment} --to {made.release.name}"
    return ""


def _unconfined(read: plans.Read, release: releases.Release | None) -> str:
    if release is None or not read(release).services:
        return ""
    there = confine.available()
    return "" if there else there.why or "it does not work here"
