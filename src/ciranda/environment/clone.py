"""Cloning: an environment outside of the promotion chain, made from what another one runs."""

from collections.abc import Callable
from dataclasses import replace

from ciranda.environment import moves, resolve, revisions, secrets, settings
from ciranda.environment.infra import outputs, places
from ciranda.environment.revisions import Revision, Value, Verification
from ciranda.kernel import errors, sealing
from ciranda.kernel.database import Transaction
from ciranda.project import names
from ciranda.release.manifest import Manifest


def clone(
    tx: Transaction,
    project: str,
    environment: str,
    to: str,
    *,
    read: Callable[[str], Manifest],
    key: sealing.Key | None,
    actor: str,
) -> tuple[Revision, Revision]:
    """What is cloned, and the target of the new environment: the same release, scale and configuration, all of it the server's layer.

    With a `key` the secrets that it names are copied too; without one they must be set there already. What the infrastructure
    gives, values and secrets, stays with the environment that it was made for: of such a value the clone has what the release
    declares. `read` gives the manifest of a release by its identity.
    Raises errors.NotFound when nothing runs there, errors.Invalid for the name, errors.Refused.
    """
    revisions.environment(tx, project, environment)
    live = revisions.live(tx, project, environment)
    if live is None or live.gone:
        raise errors.NotFound(f"nothing runs in {environment} of {project}", hint="what there is: ciranda status")
    if problem := names.problem(to):
        raise errors.Invalid(f"an environment cannot be called so: {problem}", hint="another name: staging")
    there = revisions.current(tx, project, to)
    if there is not None and not there.gone:
        raise errors.Refused(
            f"{to} of {project} is there already",
            hint=f"see: ciranda status -e {to}   take it away: ciranda destroy {to}",
        )
    moves.declare(tx, project, to)
    if key is not None:
        furnished = places.get(tx, project, environment)
        given = frozenset() if furnished is None else furnished.secrets
        wanted_secrets = {name: version for name, version in live.secrets.items() if name not in given}
        copied = secrets.unsealed(tx, key, project, environment, wanted_secrets)
        for name, value in sorted(copied.items()):
            secrets.put(tx, key, project, to, name, value, actor=actor)
    versions = secrets.versions(tx, project, to)
    missing = sorted(live.secrets.keys() - versions.keys())
    if missing:
        raise errors.Refused(
            f"what runs in {environment} needs secrets that are not set for {to}: {', '.join(missing)}",
            hint=f"ciranda secret set {missing[0]} -e {to}"
            + ("" if key else f"   or copy them: ciranda clone {environment} {to} --secrets"),
        )
    own = {name: one.value for name, one in live.config.items() if one.layer not in ("default", outputs.LAYER)}
    config = {name: Value(one.value, "server") if name in own else one for name, one in live.config.items()}
    if outputs.LAYER in {one.layer for one in config.values()}:
        declared = resolve.configuration(read(live.release), to, {})
        config = {name: declared[name] if one.layer == outputs.LAYER else one for name, one in config.items()}
    settings.replace(tx, project, to, own, actor=actor)
    wanted = replace(
        live,
        environment=to,
        config=config,
        secrets={name: versions[name] for name in sorted(live.secrets)},
        verify=Verification(),
        infra={},
        cause="clone",
        actor=actor,
    )
    return live, moves.insert(tx, wanted)
