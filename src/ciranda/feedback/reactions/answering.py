"""A person's word on a reaction that asks for it."""

from ciranda.feedback.reactions import rows
from ciranda.kernel import errors
from ciranda.kernel.database import Transaction


def approve(tx: Transaction, project: str, number: int, *, actor: str) -> rows.Reaction:
    """Let it act. Raises errors.NotFound, errors.Stale when it does not ask (any more)."""
    one = _asking(tx, project, number)
    rows.move(tx, one, "acting", why=f"{actor} approved it", actor=actor)
    return rows.numbered(tx, project, number)


def decline(tx: Transaction, project: str, number: int, *, actor: str, reason: str) -> rows.Reaction:
    """Let it be. Raises errors.NotFound, errors.Stale when it does not ask (any more)."""
    one = _asking(tx, project, number)
    rows.move(tx, one, "declined", why=reason or f"{actor} declined it", actor=actor)
    return rows.numbered(tx, project, number)


def _asking(tx: Transaction, project: str, number: int) -> rows.Reaction:
    one = rows.numbered(tx, project, number)
    if one.state != "asking":
        raise errors.Stale(
            f"reaction {number} does not wait for anybody: it is {one.state}",
            hint=f"see: ciranda reaction show {number}",
        )
    return one
