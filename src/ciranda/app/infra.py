"""Infrastructure in control: the backend of Terraform, what people ask of it, and what is due by the clock."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.environment import revisions, secrets
from ciranda.environment.infra import runs, states
from ciranda.environment.infra.runs import Run
from ciranda.environment.infra.states import Writer
from ciranda.kernel import errors, events
from ciranda.kernel.database import Transaction
from ciranda.loop import changes, infra_asking
from ciranda.loop.places import Workshop

EVERY = 1.0  # seconds between looks


@dataclass(frozen=True, slots=True)
class Infra:
    """Over one home; `key` is where the key of the secrets lies, `workshop` what the loop works with."""

    workshop: Callable[[], Workshop]
    key: Path

    def look(self) -> None:
        """What is due by the clock."""
        infra_asking.look(self.workshop())

    def plan(self, project: str, environment: str, *, release: str | None, again: bool, actor: str) -> dict[str, Any]:
        """Have Terraform plan a release (None: that everything goes), unless that was done; `run` is None then."""
        run, found = infra_asking.plan(self.workshop(), project, environment, release, actor=actor, again=again)
        return {"run": None if run is None else run.id, "state": found.state}

    def drift(self, project: str, environment: str, *, actor: str) -> dict[str, Any]:
        """Have Terraform look whether everything is as it was left."""
        return {"run": infra_asking.drift(self.workshop(), project, environment, actor=actor).id}

    def unlock(self, project: str, environment: str, *, id: str, actor: str) -> dict[str, Any]:
        """Break the lock of a state (`id`: that one alone). Raises errors.Refused while a run of ours holds it."""

        def work(tx: Transaction) -> states.Lock:
            revisions.environment(tx, project, environment)
            lock = states.lock_of(tx, project, environment)
            if lock is None:
                raise errors.NotFound(
                    f"the state of {environment} is not locked", hint=f"see: ciranda infra state -e {environment}"
                )
            if id and id != lock.id:
                raise errors.Stale(
                    f"the lock is {lock.id} now, of {lock.told().get('Who') or lock.actor}",
                    hint=f"see: ciranda infra state -e {environment}",
                )
            if lock.run and not runs.get(tx, lock.run).over:
                raise errors.Refused(
                    f"the lock belongs to what Ciranda is doing there for {lock.actor}: it gives it back by itself",
                    hint=f"see: ciranda infra history -e {environment}",
                )
            states.give_back(tx, project, environment, b"", writer=Writer(actor))
            body = {"environment": environment, "lock": lock.id, "who": str(lock.told().get("Who") or lock.actor)}
            subject = f"{project}/{environment}"
            events.append(tx, chain=project, kind="infra.unlocked", subject=subject, actor=actor, body=body)
            return lock

        lock = self.workshop().database.write(work)
        return {"lock": lock.id, "who": lock.told().get("Who") or lock.actor, "at_us": lock.at_us}

    def known(self, project: str, environment: str, user: str, password: str) -> Run | None:
        """The run whose Terraform says so of itself."""
        return runs.known(self.workshop().database, project, environment, user, password)

    def fetch(self, project: str, environment: str) -> bytes | None:
        """The newest state; None where there is none."""
        workshop = self.workshop()
        self._refuse_unknown(project)
        last = states.latest(workshop.database, project, environment)
        if last is None or last.gone:
            return None
        return states.open(workshop.store, secrets.ensure_key(workshop.database, self.key), last)

    def keep(self, project: str, environment: str, data: bytes | None, *, writer: Writer, lock: str) -> None:
        """Another state (None: it is gone). Raises as `states.put` does."""
        workshop = self.workshop()
        self._refuse_unknown(project)
        key = secrets.ensure_key(workshop.database, self.key)
        if data is None:
            workshop.database.write(lambda tx: states.purge(tx, project, environment, writer=writer, lock=lock))
            return
        states.put(workshop.database, workshop.store, key, project, environment, data, writer=writer, lock=lock)

    def lock(self, project: str, environment: str, data: bytes, *, writer: Writer) -> None:
        """Take the lock of a state. Raises states.Locked."""
        self._refuse_unknown(project)
        self.workshop().database.write(lambda tx: states.take(tx, project, environment, data, writer=writer))

    def give_back(self, project: str, environment: str, data: bytes, *, writer: Writer) -> None:
        """Give the lock back. Raises states.Locked."""
        self._refuse_unknown(project)
        self.workshop().database.write(lambda tx: states.give_back(tx, project, environment, data, writer=writer))

    def _refuse_unknown(self, project: str) -> None:
        if changes.project(self.workshop().database, project) is None:
            raise errors.NotFound(f"there is no project {project}", hint="push it: git push ciranda main")
