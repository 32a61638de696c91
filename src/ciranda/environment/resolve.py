"""What a release would be in an environment: computed here alone, for the plan that is shown, the plan that is applied and the
revision that is made."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ciranda.environment import revisions, secrets, settings
from ciranda.environment.infra import outputs, places, standing
from ciranda.environment.infra.answer import Output
from ciranda.environment.infra.standing import Standing
from ciranda.environment.revisions import Count, Revision, Value, Verification
from ciranda.kernel.database import Database, Transaction
from ciranda.project import layers
from ciranda.project.rollout import Rollout
from ciranda.project.values import Scalar
from ciranda.release import manifest, releases


@dataclass(frozen=True, slots=True)
class Resolved:
    """A release in an environment: its configuration with the layer of each value, the versions of the secrets that its services
    name, how many instances run, what verifies it, by which steps it enters, and how its infrastructure stands.

    Empty: nothing runs there."""

    config: dict[str, Value] = field(default_factory=dict)
    secrets: dict[str, int] = field(default_factory=dict)
    instances: dict[str, Count] = field(default_factory=dict)
    verify: Verification = field(default_factory=Verification)
    rollout: Rollout | None = None
    infra: Standing | None = None  # None: there is none


def resolve(
    database: Database | Transaction,
    release: releases.Release,
    content: manifest.Manifest,
    environment: str,
    plan: str = "",
) -> Resolved:
    """What a release would be in an environment now; `plan` is the one of its infrastructure that is meant, else the newest.

    Raises errors.Refused when a secret that it names is not set there, or what was set there is not of the declared type.
    """
    project = release.project
    now = revisions.current(database, project, environment)
    place = content.environments.get(environment)
    server = settings.values(database, project, environment)
    without = configuration(content, environment, server)
    found = furnished(database, content, environment, without, plan)
    given = {} if found is None or found.state == "left" else found.outputs
    return Resolved(
        config=configuration(content, environment, server, given) if given else without,
        secrets=secrets.chosen(database, content, environment, _coming(content, environment, found)),
        instances=scale_of(content, now),
        verify=Verification(place.verify, place.verify_timeout) if place else Verification(),
        rollout=place.rollout if place else None,
        infra=found,
    )


def furnished(
    database: Database | Transaction,
    content: manifest.Manifest,
    environment: str,
    without: Mapping[str, Value],
    plan: str = "",
) -> Standing | None:
    """How the infrastructure of a release stands there. It is given the configuration without its own outputs (`without`) and the
    secrets that the environment names."""
    there = secrets.versions(database, content.project, environment)
    place = content.environments.get(environment)
    named = {name: there[name] for name in (place.secrets if place else ()) if name in there}
    config = {name: layers.text(one.value) for name, one in without.items()}
    return standing.look(database, content, environment, config=config, secrets=named, plan=plan)


def plain(database: Database | Transaction, content: manifest.Manifest, environment: str) -> dict[str, Value]:
    """The configuration of a release without what its infrastructure gives."""
    return configuration(content, environment, settings.values(database, content.project, environment))


def gives(database: Database | Transaction, project: str, environment: str) -> dict[str, Output]:
    """What the infrastructure of an environment gives to its configuration now."""
    place = places.get(database, project, environment)
    return {} if place is None else place.values


def _coming(content: manifest.Manifest, environment: str, found: Standing | None) -> Collection[str]:
    """The secrets that the infrastructure is yet to set; as long as nobody planned it, it may be any."""
    if found is None or found.state in ("same", "left"):
        return ()
    needed = secrets.needed(content, environment)
    if found.state == "unplanned":
        return needed
    return {outputs.secret_name(name, needed) for name, one in found.outputs.items() if one.sensitive}


def configuration(
    content: manifest.Manifest,
    environment: str,
    server: Mapping[str, Scalar],
    given: Mapping[str, Output] | None = None,
) -> dict[str, Value]:
    """The configuration of a release: the declared default, the environment's layer, what its infrastructure gives, then what was
    set on the server. Pure.

    Raises errors.Refused for a value of the server's, or an output, that is not of the declared type.
    """
    place = content.environments.get(environment)
    values = layers.resolve(content.settings, environment, place.values if place else {}, server)
    values = outputs.over(values, content.settings, given) if given else values
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
    if wanted.infra is not None and wanted.infra.state != "left":
        stays = not wanted.infra.applies and wanted.infra.state != "unplanned"
        if not stays or now.infra.get("digest") != wanted.infra.digest:
            return False
    content = (now.release, now.config, now.secrets, now.instances)
    return content == (release, wanted.config, wanted.secrets, wanted.instances) and (
        now.state == "reached" or now.verify == wanted.verify
    )
