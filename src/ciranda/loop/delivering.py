"""A release on its way: what each environment says of it (decided by loop/deliver.py), what is done about it, and what is told."""

from collections.abc import Collection
from dataclasses import dataclass

from ciranda.environment import revisions
from ciranda.environment.rollout import rows
from ciranda.kernel import failpoints
from ciranda.loop import changes, deliver, entering, infra_asking, recheck, restore, tell, wording
from ciranda.loop.changes import Change
from ciranda.loop.places import Workshop
from ciranda.release import releases
from ciranda.release.manifest import Manifest
from ciranda.service import logs


@dataclass(frozen=True, slots=True)
class Delivery:
    """The release that a change became, on its way through the environments that its manifest names."""

    change: Change
    release: releases.Release
    content: Manifest
    places: Workshop

    @property
    def teller(self) -> tell.Teller:
        """Writes the lines of the change."""
        return tell.Teller(self.places.lines, self.change.id)


def advance(change: Change, places: Workshop) -> bool:
    """One look at the environments, and what it asks for; True when something moved."""
    assert change.release is not None
    release = releases.by_id(places.database, change.release)
    one = Delivery(change, release, restore.manifest(places, release), places)
    seen = [_place(one, name) for name in one.content.environments]
    _report(one)  # after the look that decides: what ends the delivery has been said
    moved = False
    for act in deliver.decide(seen):
        match act:
            case deliver.Enter(environment):
                moved |= _enter(one, environment)
            case deliver.Ask(environment):
                entering.ask(change, release, environment, places)
            case deliver.End(state, environment):
                moved |= _end(one, state, environment)
    return moved


def _enter(one: Delivery, environment: str) -> bool:
    failpoints.failpoint("change.entering")
    there = revisions.live(one.places.database, one.change.project, environment)
    barred = recheck.barred(one.change, one.release, one.content, environment, one.places)
    if barred is None:
        if why := infra_asking.unplannable(one.places, one.change, one.release, one.content, environment):
            return _end(one, "failed", environment, why=why)
        return entering.enter(one.change, one.release, environment, there, one.places)
    if not barred.waits:
        return _end(one, "failed", environment, why=barred.reason)
    # the checks that compare with what is live run again: said once for each release that is
    entering.say(one.change, environment, f"{environment}:{barred.reason}", barred.reason, one.places)
    one.places.database.write(lambda tx: recheck.ask(tx, one.release))
    return False


def _own(one: Delivery, name: str) -> revisions.Revision | None:
    """What an environment made of the release for this change: data that comes back makes an old release again."""
    database = one.places.database
    found = revisions.of_release(database, one.release.project, name, one.release.id)
    now = revisions.current(database, one.release.project, name)
    older = found is not None and found.created_us < one.change.recorded_us and (now is None or now.id != found.id)
    return None if older else found


def _place(one: Delivery, name: str) -> deliver.Place:
    database, release = one.places.database, one.release
    own = _own(one, name)
    now = revisions.current(database, release.project, name)
    running = None if now is None else releases.by_id(database, now.release)
    newer = running is not None and running.number > release.number and running.created_us > one.change.recorded_us
    held = revisions.environment(database, release.project, name).held
    gone = now is not None and now.gone
    waits = own is None and not held and not gone and _is_next(one, name)
    held = held or (waits and entering.frozen(release, one.content, name, one.places) is not None)
    next_one = waits and not held
    return deliver.Place(
        name,
        one.content.environments[name].after,
        None if own is None else own.state,
        newer and not gone,
        held,
        gone,
        lacks=next_one and entering.lacks(release, one.content, name, one.places, actor=one.change.actor),
    )


def _is_next(one: Delivery, name: str) -> bool:
    after = one.content.environments[name].after
    before = None if after is None else _own(one, after)
    return after is None or (before is not None and before.state == "reached")


def _report(one: Delivery) -> None:
    """Say once what became of the release in each environment; the file of lines remembers what was said."""
    database, release = one.places.database, one.release
    said = one.teller.keys()
    for name in one.content.environments:
        revision = _own(one, name)
        if revision is None:
            _report_outside(one, name)
        elif revision.state == "target":
            _report_rollout(one, revision, said)
        elif revision.state in ("reached", "failed") and (key := f"{name}:{revision.state}") not in said:
            rolled = None if revision.rollout is None else rows.find(database, revision.id)
            live = "" if rolled is None else releases.by_id(database, rolled.against).name
            stated = releases.stated(database, release)
            lines = wording.environment(revision, stated, width=one.change.width, rolled=rolled, live=live)
            one.teller.say(*lines, key=key)


def _report_rollout(one: Delivery, revision: revisions.Revision, said: Collection[str]) -> None:
    """Say once that a release enters by steps, and at each step at which nothing can be told."""
    rolled = None if revision.rollout is None else rows.find(one.places.database, revision.id)
    if rolled is None:
        return
    name, width = revision.environment, one.change.width
    if (key := f"{name}:rollout") not in said:
        live = releases.by_id(one.places.database, rolled.against).name
        one.teller.say(wording.share(revision, one.release.name, live, rolled.weight, width=width), key=key)
    if rolled.progress.state == "waiting" and (key := f"{name}:waiting:{rolled.progress.step}") not in said:
        one.teller.say(*wording.waits(revision, rolled, width=width), key=key)


def _report_outside(one: Delivery, name: str) -> None:
    """Say once why an environment that the release has not entered does not let it in by itself."""
    project, release = one.release.project, one.release.name
    now = revisions.current(one.places.database, project, name)
    if now is not None and now.gone:
        text = f"destroyed: {release} enters by  ciranda promote {release} -e {name}"
        entering.say(one.change, name, f"{name}:gone", text, one.places)
        return
    held = revisions.environment(one.places.database, project, name)
    if held.held and _is_next(one, name):
        text = f"held by {held.held_by}: {release} waits for  ciranda hold {name} --release"
        entering.say(one.change, name, f"{name}:held", text, one.places)
    elif _is_next(one, name) and (found := entering.frozen(one.release, one.content, name, one.places)) is not None:
        entering.say_frozen(one.change, one.release, name, found, one.places)


def _end(one: Delivery, state: str, environment: str, *, why: str = "") -> bool:
    change, release, places = one.change, one.release.name, one.places
    reason = {
        "live": "",
        "failed": why or f"{environment} could not be reached",
        "overtaken": f"a newer release is in {environment}",
    }[state]
    teller = one.teller
    if teller.ended():
        pass
    elif state == "live" and environment and one.content.services:
        urls = [f"{places.gateway()}/{change.project}/{environment}/{service}/" for service in one.content.services]
        teller.end(*(f"live  {url}" for url in urls), f"undo: ciranda rollback {environment}")
    elif state == "overtaken":
        teller.end(f"{release} goes no further: {reason}")
    elif state == "failed" and why:
        teller.say(wording.line(environment, "✗", why, width=change.width))
        teller.end(f"{release} stops here; what runs in {environment} goes on")
    elif state == "failed":
        written = logs.find(places.home / "logs", change.project, environment)
        wrote = [f"what its instances wrote: {written[-1].parent}"] if written else []
        teller.end(f"{release} stops here: {reason}; what ran there goes on", *wrote)
    else:
        teller.end()
    return places.database.write(lambda tx: changes.move(tx, change, "settled", reason=reason, event="change.settled"))
