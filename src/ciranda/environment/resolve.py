"""What a release would be in an environment: computed here alone, for the plan that is shown, the plan that is applied and the
revision that is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ciranda.environment import revisions, secrets, settings
from ciranda.environment.revisions import Count, Revision, Value, Verification
from ciranda.kernel.database import Database, Transaction
from ciranda.project import layers
from ciranda.project.rollout import Rollout
from ciranda.project.values import Scalar
from ciranda.release import manifest, releases


@dataclass(frozen=True, slots=True)
class Resolved:
    """A release in an environment: its configuration with the layer of each value, the versions of the secrets that its services
    name, how many instances run, and what verifies it. Empty: nothing runs there."""

    config: dict[str, Value] = field(default_factory=dict)
    secrets: dict[str, int] = field(default_factory=dict)
    instances: dict[str, Count] = field(default_factory=dict)
    verify: Verification = field(default_factory=Verification)
    rollout: Rollout | None = None


def resolve(
    database: Database | Transaction, release: releases.Release, content: manifest.Manifest, environment: str
) -> Resolved:
    """What a release would be in an environment now.

    Raises errors.Refused when a secret that it names is not set there, or what was set there is not of the declared type.
    """
    now = revisions.current(database, release.project, environment)
    place = content.environments.get(environment)
    return Resolved(
        config=configuration(content, environment, settings.values(database, release.project, environment)),
        secrets=secrets.chosen(database, content, environment),
        instances=scale_of(content, now),
        verify=Verification(place.verify, place.verify_timeout) if place else Verification(),
        rollout=place.rollout if place else None,
    )


def configuration(content: manifest.Manifest, environment: str, server: Mapping[str, Scalar]) -> dict[str, Value]:
    """The configuration of a release: the declared default, the environment's layer, then what was set on the server. Pure.

    Raises errors.Refused for a value of the server's that is not of the declared type.
    """
    place = content.environments.get(environment)
    values = layers.resolve(content.settings, environment, place.values if place else {}, server)
    return {name: Value(one.value, one.layer) for name, one in values.items()}


def scale_of(content: manifest.Manifest, now: Revision | None) -> dict[str, Count]:
    """How many instances a release would run: what was set by `scale` stays, else what it declares. Pure."""
    kept = {} if now is None else {name: count for name, count in now.instances.items() if count.layer == "scale"}
    return {name: kept.get(name, Count(service.instances, "declared")) for name, service in content.services.items()}


def of_revision(revision: Revision) -> Resolved:
    """What a revision has."""
    return Resolved(revision.config, revision.secrets, revision.instances, revision.verify, rollout=revision.rollout)


def same(now: Revision | None, release: str, wanted: Resolved) -> bool:
    """Whether what runs, or is on its way, is this already; what is live was verified, so only its content counts. Pure."""
    if now is None or now.gone:
        return False
    content = (now.release, now.config, now.secrets, now.instances)
    return content == (release, wanted.config, wanted.secrets, wanted.instances) and (
        now.state == "reached" or now.verify == wanted.verify
    )
