"""Holds: while an environment is held no new release enters it; repair, restart, scaling and the way back go on."""

from ciranda.environment import revisions
from ciranda.kernel import clock, errors, events, statements
from ciranda.kernel.database import Database, Transaction

sql = statements.load("ciranda.environment")


def hold(tx: Transaction, project: str, environment: str, *, reason: str, actor: str) -> bool:
    """No new release enters from now on; False when it was held already."""
    return _set_hold(tx, project, environment, held=True, reason=reason, actor=actor)


def let_go(tx: Transaction, project: str, environment: str, *, actor: str) -> bool:
    """New releases may enter again; False when it was not held."""
    return _set_hold(tx, project, environment, held=False, reason="", actor=actor)


def refuse_held(database: Database | Transaction, project: str, environment: str) -> None:
    """Raises errors.Refused when the environment is held; one that does not exist yet is not."""
    row = database.one(sql.environment, project=project, name=environment)
    if row is not None and row["held"]:
        raise errors.Refused(
            f"{environment} is held by {row['held_by']}: {row['held_reason'] or 'no reason given'}",
            hint=f"let new releases in: ciranda hold {environment} --release",
        )


def _set_hold(tx: Transaction, project: str, environment: str, *, held: bool, reason: str, actor: str) -> bool:
    revisions.environment(tx, project, environment)
    changed = tx.execute(
        sql.set_hold, project=project, name=environment, held=int(held), reason=reason, by=actor if held else "",
        at_us=clock.now_us() if held else None,
    )  # fmt: skip
    if changed:
        events.append(
            tx, chain=project, kind="environment.held" if held else "environment.let-go",
            subject=f"{project}/{environment}", actor=actor, body={"environment": environment, "reason": reason},
        )  # fmt: skip
    return bool(changed)
