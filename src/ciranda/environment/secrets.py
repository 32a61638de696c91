"""Secrets: sealed values of an environment, each with its versions. Only names and versions leave this file, but for whoever
has the key."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ciranda.kernel import clock, digest, errors, sealing, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.release.manifest import Manifest

sql = statements.load("ciranda.environment")
FILE = "secrets.key"  # in the home
PROJECT = "-"  # in place of an environment: a project's own, for its channels; no environment can be called so
SHORTEST, LONGEST = 4, 1 << 16  # bytes of a value: a shorter one cannot be told from other text in a log
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")


@dataclass(frozen=True, slots=True)
class Secret:
    """The newest version of a secret, set by whom and when (µs UTC)."""

    name: str
    version: int
    actor: str
    at_us: int


def check_name(name: str) -> None:
    """Raises errors.Invalid for what no file and no variable could be called."""
    if not _NAME.match(name):
        raise errors.Invalid(
            f"{name!r} cannot be the name of a secret",
            hint="letters, digits and underscores, as of an environment variable: DB_URL",
        )


def put(
    tx: Transaction, key: sealing.Key, project: str, environment: str, name: str, value: bytes, *, actor: str
) -> tuple[int, bool]:
    """Seal another version of a secret: its number, and whether it is new (the same value again is not).

    Raises errors.Invalid for a name or value that cannot be, errors.Refused when the newest was sealed with another key.
    """
    check_name(name)
    if not SHORTEST <= len(value) <= LONGEST:
        said = "empty" if not value else "too long" if len(value) > LONGEST else f"{len(value):,} bytes long"
        raise errors.Invalid(
            f"the value of {name} is {said}: a secret has {SHORTEST} to {LONGEST:,} bytes",
            hint="what need not be hidden belongs into [config]: ciranda config set NAME=VALUE -e ENV",
        )
    last = versions(tx, project, environment).get(name, 0)
    if last and value == _open(tx, key, project, environment, name, last):
        return last, False
    sealed = sealing.seal(key, value, bound=_bound(project, environment, name, last + 1))
    tx.execute(
        sql.insert_secret, project=project, environment=environment, name=name, version=last + 1, sealed=sealed, actor=actor,
        at_us=clock.now_us(),
    )  # fmt: skip
    return last + 1, True


def listed(database: Database | Transaction, project: str, environment: str) -> list[Secret]:
    """The secrets of an environment, by name."""
    return [Secret(**row) for row in database.query(sql.secrets, project=project, environment=environment)]


def versions(database: Database | Transaction, project: str, environment: str) -> dict[str, int]:
    """The newest version of each secret of an environment."""
    return {one.name: one.version for one in listed(database, project, environment)}


def needed(content: Manifest, environment: str) -> dict[str, str]:
    """The secrets that a release names there, each with who needs it: `services.delays`, `environments.prod`. Pure."""
    place = content.environments.get(environment)
    found = dict.fromkeys(place.secrets if place else (), f"environments.{environment}")
    for service in sorted(content.services):
        found |= dict.fromkeys(content.services[service].secrets, f"services.{service}")
    return found


def chosen(
    database: Database | Transaction, content: Manifest, environment: str, coming: Collection[str] = ()
) -> dict[str, int]:
    """The newest versions of the secrets that a release names; 0 for what its infrastructure is yet to set (`coming`).

    Raises errors.Refused for one that is not set there.
    """
    there = versions(database, content.project, environment)
    wanted = needed(content, environment)
    for name, who in sorted(wanted.items()):
        if name not in there and name not in coming:
            raise errors.Refused(
                f"{who} needs the secret {name}, which is not set for {environment}",
                hint=f"ciranda secret set {name} -e {environment}",
            )
    return {name: there.get(name, 0) for name in sorted(wanted)}


def unsealed(
    database: Database | Transaction, key: sealing.Key, project: str, environment: str, wanted: Mapping[str, int]
) -> dict[str, bytes]:
    """The values of versions. Raises errors.NotFound, errors.Refused for another key, errors.Corrupt."""
    return {name: _open(database, key, project, environment, name, version) for name, version in wanted.items()}


def every(database: Database | Transaction, key: sealing.Key, project: str) -> list[bytes]:
    """Every value that a project ever had. Raises as `unsealed` does."""
    found = []
    for row in database.query(sql.secrets_of_project, project=project):
        bound = _bound(project, row["environment"], row["name"], row["version"])
        found.append(sealing.unseal(key, row["sealed"], bound=bound))
    return found


def sealed_any(database: Database | Transaction) -> bool:
    """Whether anything was ever sealed in this home: then a missing key file is a loss, not a beginning."""
    return database.one(sql.any_secret) is not None


def ensure_key(database: Database | Transaction, path: Path) -> sealing.Key:
    """The key, made for the first thing that is sealed in a home. Raises errors.Refused when it is missing and something was."""
    if path.exists() or sealed_any(database):
        return sealing.load(path)
    return sealing.create(path)


def _open(
    database: Database | Transaction, key: sealing.Key, project: str, environment: str, name: str, version: int
) -> bytes:
    row = database.one(sql.secret, project=project, environment=environment, name=name, version=version)
    if row is None:
        raise errors.NotFound(
            f"{environment} has no version {version} of the secret {name}", hint=f"ciranda secret list -e {environment}"
        )
    try:
        return sealing.unseal(key, row["sealed"], bound=_bound(project, environment, name, version))
    except errors.Corrupt as error:
        raise errors.Corrupt(
            f"version {version} of the secret {name} does not open: it was changed, or does not belong here",
            where=f"{project} {environment}",
            hint=f"set it again: ciranda secret set {name} -e {environment}",
        ) from error


def _bound(project: str, environment: str, name: str, version: int) -> bytes:
    return digest.canonical([project, environment, name, version])
