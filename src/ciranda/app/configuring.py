"""Configuration and secrets of environments, as control changes them; each change that matters there makes a revision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ciranda.environment import clone, moves, renew, resolve, revisions, secrets, settings
from ciranda.kernel import errors, events, sealing
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.release import releases
from ciranda.release.manifest import Manifest, Setting


@dataclass(frozen=True, slots=True)
class Configuring:
    """Over one home; `key` is where the key of the secrets lies."""

    database: Database
    store: Store
    key: Path

    def config(
        self, project: str, environment: str, *, assign: Mapping[str, str], unset: Sequence[str], actor: str
    ) -> revisions.Revision | None:
        """Set and take back values of the server's layer; the revision that this makes, if it makes one.

        Raises errors.NotFound for an environment, for a setting that no release declares, for a value that was not set.
        """

        def work(tx: Transaction) -> revisions.Revision | None:
            revisions.environment(tx, project, environment)
            now, content = self._now(tx, project, environment)
            known = self._settings(tx, project, content)
            for name in unset:
                if not settings.drop(tx, project, environment, name):
                    there = ", ".join(settings.values(tx, project, environment)) or "nothing"
                    raise errors.NotFound(
                        f"{name} is not set for {environment} on the server", hint=f"what is: {there}"
                    )
            for name, written in assign.items():
                value = renew.typed(known.get(name), name, written, known)
                settings.put(tx, project, environment, name, value, actor=actor)
            body = {"environment": environment, "set": sorted(assign), "unset": sorted(unset)}
            place = f"{project}/{environment}"
            events.append(tx, chain=project, kind="config.set", subject=place, actor=actor, body=body)
            if now is None or content is None:
                return None
            server = settings.values(tx, project, environment)
            given = resolve.gives(tx, project, environment)
            made = renew.configured(now, content, server, {*assign, *unset}, given)
            return None if made is None else moves.insert(tx, replace(made, actor=actor))

        return self.database.write(work)

    def secret(
        self, project: str, environment: str, name: str, value: bytes, *, declared: bool, actor: str
    ) -> tuple[int, bool, revisions.Revision | None]:
        """Set a secret: its version, whether that is new, and the revision that this makes, if it makes one.

        `declared`: an environment that nobody delivered to yet may get secrets, since whoever asks has declared it.
        """
        secrets.check_name(name)
        key = secrets.ensure_key(self.database, self.key)

        def work(tx: Transaction) -> tuple[int, bool, revisions.Revision | None]:
            if not declared:
                revisions.environment(tx, project, environment)
            version, new = secrets.put(tx, key, project, environment, name, value, actor=actor)
            if new:
                body = {"environment": environment, "name": name, "version": version}
                place = f"{project}/{environment}"
                events.append(tx, chain=project, kind="secret.set", subject=place, actor=actor, body=body)
            now, content = self._now(tx, project, environment)
            made = None if now is None or content is None else renew.resealed(tx, now, content)
            return version, new, None if made is None else moves.insert(tx, replace(made, actor=actor))

        return self.database.write(work)

    def clone(
        self, project: str, environment: str, to: str, *, with_secrets: bool, actor: str
    ) -> tuple[revisions.Revision, revisions.Revision]:
        """Make an environment from what another one runs."""
        key = sealing.load(self.key) if with_secrets and secrets.sealed_any(self.database) else None

        def work(tx: Transaction) -> tuple[revisions.Revision, revisions.Revision]:
            def read(release: str) -> Manifest:
                return releases.manifest(self.store, releases.by_id(tx, release))

            return clone.clone(tx, project, environment, to, read=read, key=key, actor=actor)

        return self.database.write(work)

    def unseal(self, project: str, environment: str, wanted: Mapping[str, int]) -> dict[str, bytes]:
        """The values of versions of secrets. Raises errors.Refused without the key, errors.Corrupt."""
        return secrets.unsealed(self.database, sealing.load(self.key), project, environment, wanted)

    def _now(
        self, tx: Transaction, project: str, environment: str
    ) -> tuple[revisions.Revision, Manifest] | tuple[None, None]:
        now = revisions.current(tx, project, environment)
        if now is None or now.gone:
            return None, None
        return now, releases.manifest(self.store, releases.by_id(tx, now.release))

    def _settings(self, tx: Transaction, project: str, content: Manifest | None) -> dict[str, Setting]:
        """What is declared: by the newest release, and by what runs there."""
        newest = releases.latest(tx, project)
        found = {} if newest is None else dict(releases.manifest(self.store, newest).settings)
        return found | ({} if content is None else content.settings)
