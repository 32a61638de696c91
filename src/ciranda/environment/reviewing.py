"""The review of an emergency, by somebody else where somebody else may."""

from ciranda.access import users
from ciranda.environment import emergencies
from ciranda.kernel import clock, errors, events, statements
from ciranda.kernel.database import Transaction

sql = statements.load("ciranda.environment", "people.sql")


def review(
    tx: Transaction, project: str, environment: str, number: int, *, note: str, actor: str
) -> emergencies.Emergency:
    """It was looked at, by somebody else where somebody else may. Raises errors.NotFound, errors.Refused."""
    found = emergencies.get(tx, project, environment, number)
    if found.reviewer:
        raise errors.Refused(
            f"{found.reviewer} has reviewed {environment}#{number} already", hint="what waits: ciranda status"
        )
    others = [
        one.user.name
        for one in users.everybody(tx)
        if one.user.name != found.actor and one.user.may("operator", project, environment)
    ]
    if actor == found.actor and others:
        raise errors.Refused(f"{actor} did it: somebody else reviews it", hint=f"who may: {', '.join(others[:5])}")
    tx.execute(sql.review_emergency, revision=found.revision, actor=actor, note=note, at_us=clock.now_us())
    body = {"environment": environment, "number": number, "revision": found.revision, "note": note}
    subject = f"{project}/{environment}"
    events.append(tx, chain=project, kind="emergency.reviewed", subject=subject, actor=actor, body=body)
    return emergencies.get(tx, project, environment, number)
