"""What an environment is configured with: each value and its layer, each secret and who uses it. Never a secret's value."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ciranda.app.views import project as projects
from ciranda.environment import resolve, revisions, secrets, settings
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.project import layers, read
from ciranda.project.values import Scalar
from ciranda.release import releases
from ciranda.release.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Row:
    """A value as it is in force; `actor` and `at_us` where it was set on the server; `note`: why it is not in force."""

    name: str
    value: Scalar
    layer: str
    actor: str = ""
    at_us: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret; version 0: it is needed and not set. `users`: what names it (`services.delays`); `running`: the version that runs."""

    name: str
    version: int
    actor: str
    at_us: int | None
    users: tuple[str, ...]
    running: int | None


@dataclass(frozen=True, slots=True)
class View:
    """One environment."""

    project: str
    environment: str
    revision: str | None  # "prod#17"
    release: str | None  # "r42"
    config: tuple[Row, ...]
    secrets: tuple[Sealed, ...]

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def gather(database: Database, store: Store, project: str, environment: str) -> View:
    """What runs there, else what the newest release would be there. Raises errors.NotFound."""
    revisions.environment(database, project, environment)
    now = revisions.current(database, project, environment)
    now = None if now is None or now.gone else now
    release = releases.latest(database, project) if now is None else releases.by_id(database, now.release)
    content = None if release is None else releases.manifest(store, release)
    return View(
        project,
        environment,
        None if now is None else now.name,
        None if release is None else release.name,
        _config(database, project, environment, now, content),
        _secrets(database, project, environment, now, content),
    )


def _config(
    database: Database, project: str, environment: str, now: revisions.Revision | None, content: Manifest | None
) -> tuple[Row, ...]:
    there = {one.name: one for one in settings.listed(database, project, environment)}
    server = {name: one.value for name, one in there.items()}
    in_force = (
        {} if content is None else resolve.configuration(content, environment, server) if now is None else now.config
    )
    rows = []
    for name in sorted(in_force.keys() | there.keys()):
        one = there.get(name)
        if name not in in_force:
            assert one is not None
            rows.append(Row(name, one.value, "server", one.actor, one.at_us, "not declared by what runs there"))
        elif one is not None and in_force[name].layer == "server":
            rows.append(Row(name, in_force[name].value, "server", one.actor, one.at_us))
        else:
            rows.append(Row(name, in_force[name].value, in_force[name].layer))
    return tuple(rows)


def _secrets(
    database: Database, project: str, environment: str, now: revisions.Revision | None, content: Manifest | None
) -> tuple[Sealed, ...]:
    users: dict[str, list[str]] = {}
    if content is not None:
        place = content.environments.get(environment)
        for name, service in sorted(content.services.items()):
            for secret in service.secrets:
                users.setdefault(secret, []).append(f"services.{name}")
        for secret in place.secrets if place else ():
            users.setdefault(secret, []).append(f"environments.{environment}")
    there = {one.name: one for one in secrets.listed(database, project, environment)}
    found = []
    for name in sorted(there.keys() | users.keys()):
        one = there.get(name, secrets.Secret(name, 0, "", 0))
        running = None if now is None else now.secrets.get(name)
        found.append(Sealed(name, one.version, one.actor, one.at_us or None, tuple(users.get(name, ())), running))
    return tuple(found)


def meant(database: Database, named: str | None, environment: str, folder: Path) -> tuple[str, bool]:
    """The project meant, and whether only the folder's declaration knows it or the environment: nothing was delivered there yet.

    Raises errors.NotFound, errors.Usage as `project.choose` does; errors.Invalid for a declaration that cannot be read.
    """
    here = str(projects.declared(folder).get("name", ""))
    there = projects.names(database)
    if here and here == (named or here):
        known = here in there and any(one.name == environment for one in revisions.environments(database, here))
        if not known:
            path = next(place / read.FILE for place in (folder, *folder.parents) if (place / read.FILE).is_file())
            declared = [one.name for one in read.read(path).environments]
            if environment not in declared:
                raise errors.NotFound(
                    f"{here} has no environment {environment}", hint=f"declared: {', '.join(declared) or 'none'}"
                )
        return here, not known
    project = projects.choose(database, named, folder)
    revisions.environment(database, project, environment)
    return project, False


def text(value: Scalar) -> str:
    """A value as people read it."""
    return layers.text(value) or '""'
