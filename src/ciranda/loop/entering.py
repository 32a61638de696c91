"""A release enters an environment: by the plan of that entry, when as many users have approved it as the environment asks for."""

from ciranda.environment import freezes, furnishing, plans, revisions, saved_plans
from ciranda.environment.infra.standing import Standing
from ciranda.kernel import errors
from ciranda.kernel.database import Transaction
from ciranda.loop import infra_asking, restore, tell, wording
from ciranda.loop.changes import Change
from ciranda.loop.places import Workshop
from ciranda.project import freeze
from ciranda.release import releases
from ciranda.release.manifest import Manifest


def enter(
    change: Change, release: releases.Release, environment: str, seen: revisions.Revision | None, places: Workshop
) -> bool:
    """Make the release the target; `seen` is what was live when its checks were asked about. False: not now, and why is said."""
    read = plans.reader(places.store)

    def work(tx: Transaction) -> None:
        if revisions.live(tx, change.project, environment) != seen:
            raise errors.NotYet(f"{environment} runs something else now")
        made = plans.make(tx, read, change.project, environment, release)
        plans.apply(tx, made, read, actor=change.actor)
        furnished.append(made.resolved.infra)

    furnished: list[Standing | None] = []
    content = restore.manifest(places, release)
    try:
        places.database.write(work)
    except furnishing.Unplanned:
        infra_asking.first(places, release, content, environment, actor=change.actor)
        say(change, environment, f"{environment}:infra", "infra: is being planned", places)
        return False
    except errors.NotYet:  # in this very moment what the checks compared with was replaced
        return False
    except errors.Refused as refused:  # it was held, or a secret is not set: it waits until that is otherwise
        text = f"{release.name} waits: {refused.message}"
        say(change, environment, f"{environment}:{refused.message}", text, places, f"{'':15}{refused.hint}")
        return False
    if furnished and (told := _applying(furnished[-1])):
        say(change, environment, f"{environment}:{told}", told, places)
    return True


def _applying(found: Standing | None) -> str:
    """What becomes of the infrastructure before the release starts; "" for nothing."""
    if found is None or found.answer is None or not found.applies:
        return ""
    counts = found.answer.counts()
    return f"infra: {counts['add']} to add, {counts['change']} to change, {counts['destroy']} to destroy"


def lacks(release: releases.Release, content: Manifest, environment: str, places: Workshop, *, actor: str) -> bool:
    """Whether the plan of the entry waits for approvals; one that cannot be made yet does not. `actor`: whose change it is."""
    read = plans.reader(places.store)
    if not plans.asks(places.database, read, content, environment):
        return False
    try:
        made = plans.make(places.database, read, release.project, environment, release)
    except errors.Refused:
        return False
    if made.resolved.infra is not None and made.resolved.infra.state == "unplanned":
        return False  # what would be approved is not known yet
    return not made.empty and len(plans.counted(places.database, made, actor=actor)) < made.needed


def ask(change: Change, release: releases.Release, environment: str, places: Workshop) -> None:
    """Record that the release waits for approvals, and say so once for each plan."""
    made = plans.make(places.database, plans.reader(places.store), release.project, environment, release)
    name, missing = made.digest, made.needed - len(plans.counted(places.database, made, actor=change.actor))
    key = f"{environment}:approvals:{name}"
    if missing > 0 and not tell.Teller(places.lines, change.id).said(key):
        places.database.write(lambda tx: plans.ask(tx, made, actor=change.actor))
        needs = wording.plural(missing, "approval")
        others = " of somebody else" if made.four_eyes else ""
        say(change, environment, key, f"waits for {needs}{others}: ciranda approve {saved_plans.short(name)}", places)


def frozen(release: releases.Release, content: Manifest, environment: str, places: Workshop) -> freeze.Frozen | None:
    """Whether a window keeps new releases out of the environment now."""
    declared = content.environments.get(environment)
    brings = () if declared is None else declared.freeze
    return freezes.now(places.database, release.project, environment, brings)


def say_frozen(
    change: Change, release: releases.Release, environment: str, found: freeze.Frozen, places: Workshop
) -> None:
    """Say until when the release waits, once for each window."""
    key = f"{environment}:frozen:{found.until_us}"
    say(change, environment, key, f"frozen {found.said}: {release.name} waits, and enters then", places)


def say(change: Change, environment: str, key: str, text: str, places: Workshop, *more: str) -> None:
    """Say something of an environment in the change's lines, once."""
    line = wording.line(environment, "!" if more else "", text, width=change.width)
    tell.Teller(places.lines, change.id).once(key, line, *more)
