"""Plans applied, approved and promoted: each is made anew in the transaction that acts on it, so that nothing else is done."""

from collections.abc import Callable
from typing import TypeVar

from ciranda.app.views import plan as views
from ciranda.environment import plans, revisions, saved_plans
from ciranda.kernel import errors
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.release import releases

T = TypeVar("T")


def apply(database: Database, store: Store, name: str, *, actor: str) -> tuple[plans.Plan, revisions.Revision]:
    """Do what a plan says, known by its digest or the beginning of it.

    Raises errors.NotFound, errors.Stale when it would be another one now, errors.Refused where the environment does not let it in.
    """

    def work(tx: Transaction, read: plans.Read) -> tuple[plans.Plan, revisions.Revision]:
        made = plans.again(tx, read, saved_plans.find(tx, name))
        if made.release is None and not made.empty:
            raise errors.Refused(
                f"the plan {saved_plans.short(made.digest)} destroys {made.environment}, which is asked for by its name",
                hint=f"ciranda destroy -e {made.environment}",
            )
        return made, plans.apply(tx, made, read, actor=actor)

    return _do(database, store, work)


def promote(
    database: Database,
    store: Store,
    project: str,
    environment: str,
    release: str,
    *,
    actor: str,
    emergency: str = "",
    plan: str = "",
) -> tuple[plans.Plan, revisions.Revision]:
    """Make the plan of a release and apply it. Raises errors.NotFound, errors.Refused where it may not enter.

    `emergency`: why it enters past what keeps it out. `plan`: the digest that somebody was shown; another one is errors.Stale.
    """

    def work(tx: Transaction, read: plans.Read) -> tuple[plans.Plan, revisions.Revision]:
        wanted = releases.get(tx, project, release)
        views.refuse_unknown(tx, read(wanted), project, environment)
        made = plans.make(tx, read, project, environment, wanted)
        if plan and made.digest != plan:
            raise errors.Stale(
                f"{environment} or what {wanted.name} would be there has changed since the plan {saved_plans.short(plan)}",
                hint=f"look again: ciranda plan {wanted.name} -e {environment}",
            )
        return made, plans.apply(tx, made, read, actor=actor, emergency=emergency)

    return _do(database, store, work)


def approve(database: Database, store: Store, name: str, *, actor: str) -> tuple[plans.Plan, bool]:
    """Approve a plan; False when that user did before. Raises errors.NotFound, errors.Stale, errors.Refused when there is nothing to do."""

    def work(tx: Transaction, read: plans.Read) -> tuple[plans.Plan, bool]:
        made = plans.again(tx, read, saved_plans.find(tx, name))
        if made.empty:
            raise errors.Refused(
                f"there is nothing to approve: {made.environment} is as the plan {saved_plans.short(name)} says",
                hint=f"see: ciranda status -e {made.environment}",
            )
        return made, plans.approve(tx, made, actor=actor)

    return _do(database, store, work)


def destroy(
    database: Database, store: Store, project: str, environment: str, *, name: str, actor: str
) -> tuple[plans.Plan, revisions.Revision]:
    """Take everything out of an environment, as the plan that was shown says. Raises errors.NotFound, errors.Stale, errors.Refused."""

    def work(tx: Transaction, read: plans.Read) -> tuple[plans.Plan, revisions.Revision]:
        revisions.environment(tx, project, environment)
        made = plans.make(tx, read, project, environment, None)
        if not made.empty and made.digest != name:
            raise plans.stale(made, name, saved_plans.find(tx, name).body)
        return made, plans.apply(tx, made, read, actor=actor)

    return _do(database, store, work)


def _do(database: Database, store: Store, work: Callable[[Transaction, plans.Read], T]) -> T:
    return database.write(lambda tx: work(tx, plans.reader(store)))
