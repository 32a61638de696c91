"""Rollouts, as control shows and steers them."""

from dataclasses import dataclass
from typing import Any

from ciranda.app.views import rollout as views
from ciranda.environment.rollout import rows
from ciranda.kernel import errors
from ciranda.kernel.database import Database, Transaction

ACTS = ("pause", "resume", "abort")


@dataclass(frozen=True, slots=True)
class Rollouts:
    """Over one home."""

    database: Database

    def listing(self, project: str, environment: str = "") -> dict[str, Any]:
        """The last rollout of each environment, or of one. Raises errors.NotFound."""
        return {
            "project": project,
            "rollouts": [one.document() for one in views.gather(self.database, project, environment)],
        }

    def act(self, act: str, project: str, environment: str, *, actor: str, reason: str = "") -> dict[str, Any]:
        """Pause, resume or abort the rollout that goes on. Raises errors.NotFound, errors.Refused."""

        def work(tx: Transaction) -> None:
            match act:
                case "pause":
                    rows.pause(tx, project, environment, actor=actor)
                case "resume":
                    rows.resume(tx, project, environment, actor=actor)
                case "abort":
                    rows.abort(tx, project, environment, actor=actor, reason=reason)
                case _:
                    raise errors.NotFound(f"a rollout cannot {act[:40]}", hint=f"it can {', '.join(ACTS)}")

        self.database.write(work)
        return views.gather(self.database, project, environment)[0].document()
