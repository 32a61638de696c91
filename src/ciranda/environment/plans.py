"""Plans in the ledger: what would become of an environment, known by its digest, approved and applied as that and as nothing else."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.environment import emergencies, freezes, furnishing, holds, moves, plan, resolve, revisions, saved_plans
from ciranda.environment.infra import standing
from ciranda.environment.plan import Part, Side
from ciranda.environment.resolve import Resolved
from ciranda.kernel import clock, digest, errors, events, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.release import releases
from ciranda.release.manifest import Environment, Manifest

sql = statements.load("ciranda.environment")
Read = Callable[[releases.Release], Manifest]  # the content of a release


@dataclass(frozen=True, slots=True)
class Plan:
    """What would become of an environment. `release` None: everything there goes; `base` is the revision that is there now.

    `needed` is how many users must approve it; `empty`: the environment is that already.
    """

    project: str
    environment: str
    base: revisions.Revision | None
    release: releases.Release | None
    resolved: Resolved
    needed: int
    parts: tuple[Part, ...]
    empty: bool
    four_eyes: bool = False  # its author and who applies it do not count among those who approve it
    freeze: tuple[str, ...] = ()  # when the release lets nothing in, by its own word

    def body(self) -> dict[str, Any]:
        """What the digest is of: the same question on the same state has the same body, whenever it is asked."""
        told = asdict(self.resolved)
        told["verify"]["commands"] = list(self.resolved.verify.commands)
        del told["rollout"], told["infra"]
        if self.resolved.rollout is not None:
            told["rollout"] = self.resolved.rollout.document()
        return {
            "project": self.project,
            "environment": self.environment,
            "base": None if self.base is None else self.base.id,
            "release": None if self.release is None else self.release.digest,
            "approvals": self.needed,
            **({"four_eyes": True} if self.four_eyes else {}),
            "parts": [part.document() for part in self.parts],
            **({} if self.resolved.infra is None else {"infra": self.resolved.infra.document()}),
            **told,
        }

    @property
    def digest(self) -> str:
        """The plan's identity."""
        return digest.of("plan", self.body())

    @property
    def changes(self) -> tuple[Part, ...]:
        """The parts that do not stay."""
        return tuple(part for part in self.parts if part.sign != "same")


def make(
    database: Database | Transaction,
    read: Read,
    project: str,
    environment: str,
    release: releases.Release | None,
    infra: str = "",
) -> Plan:
    """What an environment would become with a release, or (None) when it is destroyed.

    `infra` is the plan of its infrastructure that is meant, else the newest.

    Raises what reading the content of a release raises.
    """
    base = revisions.current(database, project, environment)
    there = base if base is not None and not base.gone else None
    before = None if there is None else read(releases.by_id(database, there.release))
    after = None if release is None else read(release)
    resolved = (
        Resolved(infra=standing.leaving(database, project, environment, infra))
        if release is None or after is None
        else resolve.resolve(database, release, after, environment, infra)
    )
    now = Side() if there is None or before is None else plan.of_release(before, resolve.of_revision(there))
    then = Side() if after is None else plan.of_release(after, resolved)
    parts = plan.difference(now, then, plan.infra(resolved.infra))
    empty = there is None and resolved.infra is None if release is None else resolve.same(base, release.id, resolved)
    if not empty and there is not None and all(part.sign == "same" for part in parts):
        commands = plan.text(there.verify.commands), plan.text(resolved.verify.commands)
        parts = (Part("verification", environment, "change", *commands), *parts)
    places = [_place(content, environment) for content in (before, after)]
    needed = max((place.approvals for place in places if place is not None), default=0)
    if release is not None and resolved.infra is not None and resolved.infra.destroys:
        needed = max(needed, 1)  # what goes with it does not come back: somebody says so
    eyes = any(place.four_eyes for place in places if place is not None)
    brings = places[1].freeze if places[1] is not None else ()
    return Plan(project, environment, base, release, resolved, needed, parts, empty, eyes, brings)


def asks(database: Database | Transaction, read: Read, content: Manifest, environment: str) -> bool:
    """Whether a release of this content needs any approval to enter: by its own rules, or by those of what is there now."""
    now = revisions.current(database, content.project, environment)
    there = None if now is None or now.gone else read(releases.by_id(database, now.release))
    places = (_place(content, environment), None if there is None else _place(there, environment))
    return environment in content.infra or any(place.approvals for place in places if place is not None)


def reader(store: Store) -> Read:
    """Reads the content of releases, each once."""
    known: dict[str, Manifest] = {}

    def content(release: releases.Release) -> Manifest:
        if release.id not in known:
            known[release.id] = releases.manifest(store, release)
        return known[release.id]

    return content


def save(tx: Transaction, wanted: Plan, *, actor: str) -> str:
    """Keep a plan, so that it can be approved and applied by its digest, which is returned; safe to repeat."""
    body = wanted.body()
    name = digest.of("plan", body)
    tx.execute(
        sql.keep_plan, digest=name, project=wanted.project, environment=wanted.environment, base=body["base"],
        release=body["release"], body=digest.canonical(body).decode(), actor=actor, created_us=clock.now_us(),
    )  # fmt: skip
    return name


def ask(tx: Transaction, wanted: Plan, *, actor: str) -> bool:
    """Record that a release waits for approvals of this plan; False when that is known."""
    name = save(tx, wanted, actor=actor)
    new = tx.execute(sql.ask_for_plan, digest=name, at_us=clock.now_us())
    if new:
        body = {"environment": wanted.environment, "plan": name, "needed": wanted.needed}
        body |= {} if wanted.release is None else {"release": wanted.release.id}
        subject = f"{wanted.project}/{wanted.environment}"
        events.append(tx, chain=wanted.project, kind="plan.asked", subject=subject, actor=actor, body=body)
    return bool(new)


def approve(tx: Transaction, wanted: Plan, *, actor: str) -> bool:
    """Approve a plan as it is now; False when that user did before.

    Raises errors.Refused while nobody knows yet what would become of its infrastructure.
    """
    furnishing.refuse_unplanned(wanted.environment, wanted.resolved.infra)
    name = save(tx, wanted, actor=actor)
    new = tx.execute(sql.insert_approval, plan=name, actor=actor, at_us=clock.now_us())
    if new:
        body = {"environment": wanted.environment, "plan": name}
        body |= {} if wanted.release is None else {"release": wanted.release.id}
        subject = f"{wanted.project}/{wanted.environment}"
        events.append(tx, chain=wanted.project, kind="plan.approved", subject=subject, actor=actor, body=body)
    return bool(new)


def again(database: Database | Transaction, read: Read, saved: saved_plans.Saved) -> Plan:
    """A saved plan as it would be made now. Raises errors.Stale when that is another one."""
    release = None if saved.release is None else releases.get(database, saved.project, saved.release)
    infra = saved.body.get("infra", {}).get("plan", "")
    made = make(database, read, saved.project, saved.environment, release, infra)
    if made.digest != saved.digest and not made.empty:
        raise stale(made, saved.digest, saved.body)
    return made


def stale(made: Plan, name: str, body: Mapping[str, Any]) -> errors.Stale:
    """What is other now than when a plan was made."""
    place, own = made.environment, made.body()
    named = made.release.name if made.release is not None else ""
    if body["base"] != own["base"]:
        there = "nothing" if made.base is None else f"#{made.base.number}"
        why = f"{place} is at {there} now, which is not what it was made on"
    else:
        keys = ("release", "config", "secrets", "instances", "verify", "approvals", "four_eyes", "infra")
        other = [key for key in keys if body.get(key) != own.get(key)]
        why = (
            f"{' and '.join(other) or 'what it would change'} of {place} {'are' if len(other) > 1 else 'is'} other now"
        )
    verb = f"ciranda plan {named} -e {place}" if named else f"ciranda destroy -e {place}"
    return errors.Stale(f"the plan {saved_plans.short(name)} is stale: {why}", hint=f"make it anew: {verb}")


def counted(database: Database | Transaction, wanted: Plan, *, actor: str = "") -> list[saved_plans.Approval]:
    """The approvals of a plan that count: of users who may approve it still, and with `four_eyes` neither of who pushed the
    change nor of who applies the plan (`actor`).
    """
    own = {actor, "" if wanted.release is None else wanted.release.author} if wanted.four_eyes else set()
    return saved_plans.counted(database, wanted.digest, wanted.project, wanted.environment, without=own)


def refuse_unapproved(database: Database | Transaction, wanted: Plan, *, actor: str) -> None:
    """Raises errors.Refused while too few users have approved it. `actor` is who applies it."""
    name = wanted.digest
    there = counted(database, wanted, actor=actor)
    if len(there) < wanted.needed:
        by = f" (by {', '.join(one.actor for one in there)})" if there else ""
        if wanted.four_eyes and len(saved_plans.approvals(database, name)) > len(there):
            by += "; who pushed the change or applies the plan does not count"
        needs = "1 approval" if wanted.needed == 1 else f"{wanted.needed} approvals"
        raise errors.Refused(
            f"{wanted.environment} needs {needs} of the plan {saved_plans.short(name)}, and it has {len(there)}{by}",
            hint=f"ciranda approve {saved_plans.short(name)}",
        )


def refuse_unready(database: Database | Transaction, wanted: Plan, content: Manifest) -> None:
    """Raises errors.Refused unless the environment before it has reached the release."""
    place = content.environments.get(wanted.environment)
    release = wanted.release
    if place is None or place.after is None or release is None:
        return
    before = revisions.of_release(database, wanted.project, place.after, release.id)
    if before is not None and before.state == "reached":
        return
    last = None if before is None or before.state == "target" else f"it {before.state} there: {before.reason}"
    where = f"{place.after}, which comes before {wanted.environment}, has not reached {release.name}"
    if before is not None and before.state == "target":
        hint = f"wait for it: ciranda wait {release.name} -e {place.after}"
    else:
        hint = f"begin there: ciranda promote {release.name} -e {place.after}"
    raise errors.Refused(f"{where}{f' ({last})' if last else ''}", hint=hint)


def apply(
    tx: Transaction, wanted: Plan, read: Read, *, actor: str, event: str | None = None, emergency: str = ""
) -> revisions.Revision:
    """Make of a plan that was made in this transaction the target of its environment, whose gates it must pass.

    What is so already stays: the revision that is there is the answer. Raises errors.Refused while the environment is held
    or frozen, too few users have approved the plan, or the environment before has not reached the release;
    errors.NotFound when there is nothing to destroy. With a reason for an `emergency` none of these keeps it out: what
    stood in the way is recorded.
    """
    if wanted.empty:
        if wanted.base is None:
            raise errors.NotFound(
                f"nothing runs in {wanted.environment} of {wanted.project}", hint="what there is: ciranda status"
            )
        return wanted.base
    save(tx, wanted, actor=actor)
    if wanted.release is None:
        furnishing.refuse(tx, wanted.project, wanted.environment, wanted.resolved.infra)
        refuse_unapproved(tx, wanted, actor=actor)
        assert wanted.base is not None  # else there would be nothing to destroy
        gone = moves.destroy(tx, wanted.base, actor=actor)
        furnishing.begin(tx, gone, wanted.resolved.infra, actor=actor)
        return gone
    furnishing.refuse(tx, wanted.project, wanted.environment, wanted.resolved.infra)
    content = read(wanted.release)
    refused = [*barred(tx, wanted, content, actor=actor)]
    if refused and not emergency:
        raise refused[0]
    made = moves.enter(tx, wanted.environment, wanted.release, wanted.resolved, actor=actor, event=event)
    made = furnishing.begin(tx, made, wanted.resolved.infra, actor=actor)
    freezes.learn(tx, wanted.project, wanted.environment, wanted.freeze)
    if refused:
        passed = [error.message for error in refused]
        emergencies.record(tx, made, plan=wanted.digest, reason=emergency, passed=passed, actor=actor)
    return made


def barred(
    database: Database | Transaction, wanted: Plan, content: Manifest, *, actor: str
) -> Iterator[errors.Refused]:
    """Everything that keeps a release out of an environment, but for the checks that compare it with what is live."""
    assert wanted.release is not None
    place, name = (wanted.project, wanted.environment), wanted.release.name
    asked: tuple[Callable[[], None], ...] = (
        lambda: None if stays(wanted) else holds.refuse_held(database, *place),
        lambda: freezes.refuse_frozen(database, *place, name, wanted.freeze),
        lambda: refuse_unready(database, wanted, content),
        lambda: refuse_unapproved(database, wanted, actor=actor),
    )
    for refuse in asked:
        try:
            refuse()
        except errors.Refused as error:
            yield error


def stays(wanted: Plan) -> bool:
    """It is the release that is there, and its infrastructure alone is to follow: no other enters what is held. Pure."""
    base, release = wanted.base, wanted.release
    return base is not None and release is not None and not base.gone and base.release == release.id


def _place(content: Manifest | None, environment: str) -> Environment | None:
    return None if content is None else content.environments.get(environment)
