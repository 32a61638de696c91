"""Moves: what makes a revision the target of an environment, and what ends it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from ciranda.environment import holds, renew, resolve, revisions
from ciranda.environment.infra import places
from ciranda.environment.revisions import Cause, Count, Revision, Verification
from ciranda.kernel import clock, digest, errors, events, statements
from ciranda.kernel.database import Transaction
from ciranda.release import manifest, releases

sql = statements.load("ciranda.environment")


def declare(tx: Transaction, project: str, environment: str) -> None:
    """Make an environment known before anything is deployed there; safe to repeat."""
    tx.execute(sql.ensure_environment, project=project, name=environment, created_us=clock.now_us())


def target(
    tx: Transaction,
    *,
    environment: str,
    release: releases.Release,
    content: manifest.Manifest,
    actor: str,
    event: str | None = None,
) -> Revision:
    """Make a release the target of an environment, with its configuration there and the scale that was set there.

    Supersedes an unfinished older target. The same content twice is one revision, so a caller that was killed may
    repeat itself. `event` is the identity of the cause. Raises errors.Refused while the environment is held.
    """
    project = release.project
    declare(tx, project, environment)
    now = revisions.current(tx, project, environment)
    wanted = resolve.resolve(tx, release, content, environment)
    if now is not None and resolve.same(now, release.id, wanted):
        return now
    holds.refuse_held(tx, project, environment)
    return enter(tx, environment, release, wanted, actor=actor, event=event)


def enter(
    tx: Transaction,
    environment: str,
    release: releases.Release,
    wanted: resolve.Resolved,
    *,
    actor: str,
    event: str | None = None,
) -> Revision:
    """Make a release, resolved in this transaction, the target; whether it may enter was asked before."""
    declare(tx, release.project, environment)
    return insert(tx, draft(release.project, environment, release.id, wanted, cause="promotion", actor=actor), event)


def destroy(tx: Transaction, now: Revision, *, actor: str) -> Revision:
    """Aim an environment at nothing: routes and instances go, the history stays."""
    return insert(
        tx, draft(now.project, now.environment, now.release, resolve.Resolved(), cause="destroy", actor=actor)
    )


def rollback(
    tx: Transaction, project: str, environment: str, *, actor: str, reason: str = "", to: str | None = None
) -> tuple[Revision, Revision]:
    """Go back: the revision that is left, and a new target that copies the last reached one of an older release.

    Keeps the current scale and the newest secrets, marks what is left as bad, holds the environment. `to` names a release
    that was live here before, or a revision (`prod#17`), whose configuration then is the server's
    layer again. It is not verified again: a failing smoke test must not bar the way back.
    Raises errors.NotFound when nothing was live here before, errors.Refused when `to` runs already.
    """
    now = revisions.current(tx, project, environment)
    if now is None:
        revisions.environment(tx, project, environment)
        raise errors.NotFound(
            f"nothing has run in {environment} of {project} yet", hint="what there is: ciranda status"
        )
    left = releases.by_id(tx, now.release)
    if to is None:
        newer = left.number + 1 if now.gone else left.number  # what was destroyed is what one goes back to
        row = tx.one(sql.way_back, project=project, environment=environment, newer=newer)
        if row is None:
            raise errors.NotFound(
                f"{environment} has run no release before {left.name} that is good to go back to",
                hint=f"what ran there: ciranda status -e {environment}",
            )
    elif "#" in to:
        row = renew.numbered(tx, now, to)
    else:
        release = releases.get(tx, project, to)
        if release.id == now.release and not now.gone:
            raise errors.Refused(
                f"{environment} is at {release.name} already", hint=f"see: ciranda status -e {environment}"
            )
        row = tx.one(sql.reached_of_release, project=project, environment=environment, release=release.id)
        if row is None:
            raise errors.NotFound(
                f"{release.name} was never live in {environment}",
                hint=f"what ran there: ciranda status -e {environment}",
            )
    older = revisions.revision(row)
    if not now.gone and older.release != now.release:
        tx.execute(sql.mark_bad, project=project, environment=environment, release=now.release)
    from_ = now.name if older.release == left.id else left.name
    holds.hold(tx, project, environment, reason=reason or f"rolled back from {from_}", actor=actor)
    if to is not None and "#" in to:
        renew.restore(tx, older, actor=actor)
    wanted = resolve.Resolved(
        config=renew.furnished(tx, older),
        secrets=renew.newest(tx, older),
        instances={name: now.instances.get(name, count) for name, count in older.instances.items()},
    )
    made = draft(project, environment, older.release, wanted, cause="rollback", actor=actor)
    return now, insert(tx, replace(made, infra=places.recorded(tx, project, environment)), None)


def scale(tx: Transaction, project: str, environment: str, *, service: str, count: int, actor: str) -> Revision:
    """Another number of instances of a service, kept by new releases. Raises errors.NotFound, errors.Invalid."""
    now = revisions.current(tx, project, environment)
    if now is None:
        revisions.environment(tx, project, environment)
        raise errors.NotFound(f"nothing runs in {environment} of {project} yet", hint="what there is: ciranda status")
    if service not in now.instances:
        there = ", ".join(sorted(now.instances)) or "none"
        raise errors.NotFound(f"{environment} runs no service {service}", hint=f"its services: {there}")
    if not 1 <= count <= 100:
        raise errors.Invalid(f"{count} instances of {service}: between 1 and 100 are possible")
    wanted = replace(
        now, instances=now.instances | {service: Count(count, "scale")}, cause="scale", actor=actor,
        verify=now.verify if now.state == "target" else Verification(),
    )  # fmt: skip
    if now.instances[service].count == count:
        return now
    return insert(tx, wanted)


def mark_routed(tx: Transaction, wanted: Revision | str, at_us: int) -> None:
    """The target's instances answer now."""
    tx.execute(sql.mark_routed, id=_identity(wanted), at_us=at_us)


def mark_verifying(tx: Transaction, wanted: Revision | str, task: str) -> None:
    """The task that verifies the target is queued."""
    tx.execute(sql.mark_verifying, id=_identity(wanted), task=task)


def end(
    tx: Transaction, wanted: Revision, state: Literal["reached", "failed"], *, reason: str = "", actor: str
) -> bool:
    """The end of a target, with its event; False when it was superseded meanwhile."""
    ended = tx.execute(
        sql.mark_ended, id=wanted.id, state=state, reason=reason, bad=int(state == "failed"), ended_us=clock.now_us()
    )
    if ended:
        body = _body(wanted) | ({"reason": reason} if reason else {})
        events.append(tx, chain=wanted.project, kind=f"revision.{state}", subject=wanted.id, actor=actor, body=body)
    return bool(ended)


def draft(
    project: str, environment: str, release: str, wanted: resolve.Resolved, *, cause: Cause, actor: str
) -> Revision:
    """A revision that `insert` makes the target; `release` is the release's identity in the ledger. Pure."""
    return Revision(
        id="",
        project=project,
        environment=environment,
        number=0,
        release=release,
        config=wanted.config,
        secrets=wanted.secrets,
        instances=wanted.instances,
        verify=wanted.verify,
        cause=cause,
        actor=actor,
        state="target",
        reason="",
        bad=False,
        created_us=0,
        routed_us=None,
        ended_us=None,
        rollout=wanted.rollout,
        infra={} if wanted.infra is None else wanted.infra.recorded(),
    )


def insert(tx: Transaction, wanted: Revision, event: str | None = None) -> Revision:
    """Make it the target, with the next number; what was on its way is superseded. `event` is the identity of the cause."""
    at_us = clock.now_us()
    last = tx.one(sql.last_revision, project=wanted.project, environment=wanted.environment)
    assert last is not None
    number = int(last["number"]) + 1
    tx.execute(
        sql.supersede, project=wanted.project, environment=wanted.environment, ended_us=at_us,
        reason=f"{wanted.environment}#{number} took its place",
    )  # fmt: skip
    made = replace(
        wanted, id=clock.uuid7(), number=number, state="target", reason="", bad=False, created_us=at_us, routed_us=None,
        ended_us=None, verification=None,
    )  # fmt: skip
    tx.execute(
        sql.insert_revision, id=made.id, project=made.project, environment=made.environment, number=number,
        release=made.release, cause=made.cause, actor=made.actor, created_us=at_us, secrets=_text(made.secrets),
        infra=_text(made.infra),
        config=_text({name: {"value": one.value, "layer": one.layer} for name, one in made.config.items()}),
        instances=_text({name: {"count": one.count, "layer": one.layer} for name, one in made.instances.items()}),
        verify=_text({"commands": list(made.verify.commands), "timeout": made.verify.timeout}),
        rollout=_text({} if made.rollout is None else made.rollout.document()),
    )  # fmt: skip
    events.append(
        tx,
        chain=made.project,
        kind="revision.targeted",
        subject=made.id,
        actor=made.actor,
        cause=event,
        body=_body(made),
    )
    return made


def _body(wanted: Revision) -> dict[str, Any]:
    return {
        "environment": wanted.environment,
        "number": wanted.number,
        "release": wanted.release,
        "cause": wanted.cause,
    }


def _identity(wanted: Revision | str) -> str:
    return wanted if isinstance(wanted, str) else wanted.id


def _text(value: Mapping[str, Any]) -> str:
    return digest.canonical(value).decode()
