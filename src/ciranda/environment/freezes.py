"""Freezes: windows in which no new release enters; repair, restart, scaling, configuration and the way back go on.

What holds is what the last release that entered by a promotion says, and what the one that is to enter says: no release
brings the rule that lets it in, and going back to an older one brings back no older rule.
"""

import json
from collections.abc import Sequence

from ciranda.environment import revisions
from ciranda.kernel import clock, errors, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.project import freeze

sql = statements.load("ciranda.environment", "people.sql")


def now(
    database: Database | Transaction, project: str, environment: str, brings: Sequence[str] = ()
) -> freeze.Frozen | None:
    """Whether nothing may enter an environment now, and until when; `brings` is what the release says that would enter."""
    known = next((one for one in revisions.environments(database, project) if one.name == environment), None)
    return of(() if known is None else known.frozen, brings)


def of(windows: Sequence[str], brings: Sequence[str] = ()) -> freeze.Frozen | None:
    """The same of what is known of an environment."""
    together = tuple(dict.fromkeys((*windows, *brings)))
    return freeze.frozen(together, clock.now_us()) if together else None


def said(environment: str, found: freeze.Frozen) -> str:
    """`prod is frozen until Mon 2026-11-23 08:00 -03 (Fri 18:00 - Mon 08:00 America/Sao_Paulo)`."""
    return f"{environment} is frozen {found.said}"


def refuse_frozen(
    database: Database | Transaction, project: str, environment: str, release: str, brings: Sequence[str]
) -> None:
    """Raises errors.Refused while a window holds. `release` is its name."""
    found = now(database, project, environment, brings)
    if found is not None:
        raise errors.Refused(
            said(environment, found),
            hint=f"{release} enters then; where that is too late: ciranda promote {release} -e {environment} --emergency REASON",
        )


def learn(tx: Transaction, project: str, environment: str, windows: Sequence[str]) -> None:
    """Keep what a release says that enters."""
    tx.execute(sql.set_freeze, project=project, name=environment, windows=json.dumps(list(windows)))
