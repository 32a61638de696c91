"""The same release, other values: what a new configuration, another version of a secret, or going back to a revision changes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ciranda.environment import resolve, revisions, secrets, settings
from ciranda.environment.infra import outputs
from ciranda.environment.infra.answer import Output
from ciranda.environment.revisions import Revision, Value
from ciranda.kernel import errors, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.project import layers
from ciranda.project.values import Scalar
from ciranda.release.manifest import Manifest, Setting

sql = statements.load("ciranda.environment")


def typed(setting: Setting | None, name: str, written: str, known: Mapping[str, Setting]) -> Scalar:
    """A value for a setting as a person wrote it. Raises errors.NotFound for one that no release declares, errors.Invalid. Pure."""
    if setting is None:
        there = ", ".join(sorted(known)) or "none"
        raise errors.NotFound(
            f"no release declares {name}", hint=f"declare it and push: [config.{name}]   declared: {there}"
        )
    value = layers.parsed(setting.type, written)
    if value is None:
        raise errors.Invalid(f"{name} is {layers.SAID[setting.type]}, not {written[:60]!r}")
    if problem := layers.unfit(value):
        raise errors.Invalid(
            f"the value of {name} {problem}", hint="keep it in a file of the project, and set its path"
        )
    return value


def configured(
    now: Revision,
    content: Manifest,
    server: Mapping[str, Scalar],
    names: set[str],
    given: Mapping[str, Output] | None = None,
) -> Revision | None:
    """What runs with these settings as they are now, to be verified; None when nothing is another. Pure.

    `given` is what its infrastructure gives.
    """
    wanted = resolve.configuration(content, now.environment, server, given)
    config = {name: wanted[name] if name in names and name in wanted else value for name, value in now.config.items()}
    if config == now.config:
        return None
    place = content.environments.get(now.environment)
    verify = revisions.Verification(place.verify, place.verify_timeout) if place else revisions.Verification()
    return replace(now, config=config, cause="config", verify=verify)


def resealed(database: Database | Transaction, now: Revision, content: Manifest) -> Revision | None:
    """What runs with the newest versions of its secrets, to be verified; None when it has them."""
    found = newest(database, now)
    if found == now.secrets:
        return None
    place = content.environments.get(now.environment)
    verify = revisions.Verification(place.verify, place.verify_timeout) if place else revisions.Verification()
    return replace(now, secrets=found, cause="secret", verify=verify)


def newest(database: Database | Transaction, revision: Revision) -> dict[str, int]:
    """The newest versions of the secrets of a revision."""
    there = secrets.versions(database, revision.project, revision.environment)
    return {name: there.get(name, version) for name, version in revision.secrets.items()}


def furnished(database: Database | Transaction, revision: Revision) -> dict[str, Value]:
    """The configuration of a revision with what the environment's infrastructure gives now: that does not go back with it."""
    config = dict(revision.config)
    for output, given in resolve.gives(database, revision.project, revision.environment).items():
        name = outputs.named(output, config)
        if name is not None and config[name].layer == outputs.LAYER:
            value = outputs.typed(type(config[name].value).__name__, given.value)
            config[name] = config[name] if value is None else Value(value, outputs.LAYER)
    return config


def numbered(tx: Transaction, now: Revision, name: str) -> dict[str, Any]:
    """The row of a revision (`prod#17`) that one may go back to. Raises errors.NotFound, errors.Invalid, errors.Refused."""
    place, _, number = name.partition("#")
    hint = f"what ran there: ciranda status -e {now.environment}"
    if place != now.environment or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise errors.Invalid(f"{name} is no revision of {now.environment}", hint=f"write it like {now.name}; {hint}")
    row = tx.one(sql.revision_by_number, project=now.project, environment=place, number=int(number))
    if row is None:
        raise errors.NotFound(f"there is no revision {name}", hint=hint)
    found = revisions.revision(row)
    if found.id == now.id:
        raise errors.Refused(f"{now.environment} is at {name} already", hint=hint)
    if found.state != "reached" or found.gone:
        raise errors.Refused(f"{name} was never live", hint=hint)
    return row


def restore(tx: Transaction, older: Revision, *, actor: str) -> None:
    """Make the server's layer what it was in a revision."""
    values = {name: one.value for name, one in older.config.items() if one.layer == "server"}
    settings.replace(tx, older.project, older.environment, values, actor=actor)
