"""Cloning: an environment outside of the promotion chain, made from what another one runs."""

from dataclasses import replace

from ciranda.environment import moves, revisions, secrets, settings
from ciranda.environment.revisions import Revision, Value, Verification
from ciranda.kernel import errors, sealing
from ciranda.kernel.database import Transaction
from ciranda.project import names


def clone(
    tx: Transaction, project: str, environment: str, to: str, *, key: sealing.Key | None, actor: str
) -> tuple[Revision, Revision]:
    """What is cloned, and the target of the new environment: the same release, scale and configuration, all of it the server's layer.

    With a `key` the secrets that it names are copied too; without one they must be set there already.
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
        copied = secrets.unsealed(tx, key, project, environment, live.secrets)
        for name, value in sorted(copied.items()):
            secrets.put(tx, key, project, to, name, value, actor=actor)
    versions = secrets.versions(tx, project, to)
    missing = sorted(live.secrets.keys() - versions.keys())
    if missing:
        raise errors.Refused(
            f"what runs in {environment} needs secrets that are not set for {to}: {', '.join(missing)}",
            hint=f"ciranda secret set {missing[0]} -e {to}   or copy them: ciranda clone {environment} {to} --secrets",
        )
    own = {name: one.value for name, one in live.config.items() if one.layer != "default"}
    settings.replace(tx, project, to, own, actor=actor)
    wanted = replace(
        live,
        environment=to,
        config={name: Value(one.value, "server") if name in own else one for name, one in live.config.items()},
        secrets={name: versions[name] for name in sorted(live.secrets)},
        verify=Verification(),
        cause="clone",
        actor=actor,
    )
    return live, moves.insert(tx, wanted)
