"""A revision and its infrastructure: what is applied before it starts, and what it then is given."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ciranda.environment import resolve, revisions, secrets
from ciranda.environment.infra import outputs, places, runs, standing
from ciranda.environment.infra.answer import Output
from ciranda.environment.infra.standing import Standing
from ciranda.environment.revisions import Revision
from ciranda.kernel import digest, errors, events, sealing, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.release import releases
from ciranda.release.manifest import Manifest

sql = statements.load("ciranda.environment", "infra.sql")


class Unplanned(errors.Refused):
    """Terraform must be asked first."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a run left: the serial of the state, how many resources are in it, and the values that it gives."""

    serial: int
    resources: int
    outputs: Mapping[str, Output]


def refuse(database: Database | Transaction, project: str, environment: str, wanted: Standing | None) -> None:
    """Raises errors.Refused for what was not planned yet, and while the environment's infrastructure is being changed."""
    if wanted is None or wanted.state == "left":
        return
    runs.refuse_busy(database, project, environment)
    refuse_unplanned(environment, wanted)


def refuse_unplanned(environment: str, wanted: Standing | None) -> None:
    """Raises Unplanned where Terraform must be asked first. Pure."""
    if wanted is not None and wanted.state == "unplanned":
        why = f"could not be planned: {wanted.problem}" if wanted.problem else "was not planned yet"
        raise Unplanned(f"the infrastructure of {environment} {why}", hint=f"plan it: ciranda plan -e {environment}")


def begin(tx: Transaction, made: Revision, wanted: Standing | None, *, actor: str) -> Revision:
    """Have what was planned applied for a revision that was just made: it starts when that is done.

    What is destroyed goes after its services; where there is nothing to do the revision has it as it is.
    """
    if wanted is None or wanted.state == "left":
        return made
    if not wanted.applies:
        if wanted.state == "planned":
            _accept(tx, made, wanted)
        return _keep(tx, replace(made, infra={} if made.gone else wanted.recorded()))
    run = runs.change(
        tx, made.project, made.environment, wanted.question, release=wanted.release or made.release, plan=wanted.plan,
        revision=made.id, actor=actor, destroy=made.gone, later=made.gone,
    )  # fmt: skip
    return made if made.gone else _keep(tx, replace(made, infra=wanted.recorded(run.id)))


def waits(database: Database | Transaction, target: Revision) -> runs.Run | None:
    """The run that a target waits for, or that failed; None: its infrastructure is as it should be."""
    name = target.infra.get("run")
    found = runs.get(database, name) if name else None
    return None if found is None or found.state == "done" else found


def refuse_failed(database: Database | Transaction, target: Revision) -> None:
    """Raises errors.Refused for a target whose infrastructure could not be applied."""
    failed = waits(database, target)
    if failed is not None and failed.over:
        raise errors.Refused(f"infra: {failed.reason}")


def complete(tx: Transaction, run: runs.Run, content: Manifest, left: Applied, *, key: sealing.Key) -> Revision | None:
    """Record what a run that applied a plan left, and give it to the revision that waits for it, which is returned.

    Raises errors.Refused for an output that the release cannot take.
    """
    project, environment = run.project, run.environment
    if run.destroy:
        places.drop(tx, project, environment)
        _tell(tx, run, left)
        return None
    given = _seal(tx, run, content, left, key=key)
    record(tx, run, content, left, given)
    _tell(tx, run, left)
    target = revisions.current_target(tx, project, environment)
    if target is None or target.infra.get("run") != run.id:
        return None  # something else was wanted meanwhile
    found = resolve.resolve(tx, releases.by_id(tx, target.release), content, environment)
    named = target.config.keys() | found.config.keys()
    config = {name: found.config[name] if name in found.config else target.config[name] for name in sorted(named)}
    place = places.get(tx, project, environment)
    assert place is not None
    infra = target.infra | {"serial": left.serial, "digest": place.digest}
    return _keep(tx, replace(target, config=config, secrets=found.secrets, infra=infra))


def failed(tx: Transaction, run: runs.Run, content: Manifest | None, left: Applied | None, *, reason: str) -> None:
    """Record that a run that applied a plan failed, and what it left (None: it changed nothing): it must be planned anew."""
    project, environment = run.project, run.environment
    if left is not None and content is not None:
        declared, place = content.infra[environment], places.get(tx, project, environment)
        places.put(
            tx, project, environment, release=run.release, folder=declared.folder, digest_=declared.digest, question="",
            serial=left.serial, resources=left.resources, outputs={} if place is None else place.outputs,
        )  # fmt: skip
    body: dict[str, Any] = {"environment": environment, "run": run.id, "reason": reason}
    body |= {} if left is None else {"serial": left.serial, "resources": left.resources}
    subject = f"{project}/{environment}"
    events.append(tx, chain=project, kind="infra.failed", subject=subject, actor=run.actor, body=body)


def record(
    tx: Transaction, run: runs.Run, content: Manifest, left: Applied, given: Mapping[str, Mapping[str, Any]]
) -> None:
    """What an environment has now. Its question is the one that would be asked of it as it is: nothing is left to do."""
    project, environment = run.project, run.environment
    declared = content.infra[environment]
    place = places.get(tx, project, environment)

    def put(question: str) -> None:
        places.put(
            tx, project, environment, release=run.release, folder=declared.folder, digest_=declared.digest, question=question,
            serial=left.serial, resources=left.resources, outputs=given,
        )  # fmt: skip

    put("" if place is None else place.question)  # what is asked depends on what is there
    asked = resolve.furnished(tx, content, environment, resolve.plain(tx, content, environment))
    assert asked is not None
    put(asked.question)


def _accept(tx: Transaction, made: Revision, wanted: Standing) -> None:
    """Other files, or other values, of which nothing follows: what there is is theirs from now on."""
    place = places.get(tx, made.project, made.environment)
    serial = wanted.serial if place is None else place.serial
    places.put(
        tx, made.project, made.environment, release=made.release, folder=wanted.folder, digest_=wanted.digest, serial=serial,
        question=standing.question(wanted, wanted.serial, serial), resources=wanted.resources,
        outputs={} if place is None else place.outputs,
    )  # fmt: skip


def _seal(
    tx: Transaction, run: runs.Run, content: Manifest, left: Applied, *, key: sealing.Key
) -> dict[str, Mapping[str, Any]]:
    """The outputs as the environment keeps them: sensitive ones become secrets, of which only the names stay here."""
    needed = secrets.needed(content, run.environment)
    given: dict[str, Mapping[str, Any]] = {}
    for name, one in sorted(left.outputs.items()):
        if not one.sensitive:
            given[name] = {"value": one.value}
            continue
        called = outputs.secret_name(name, needed)
        try:
            secrets.put(tx, key, run.project, run.environment, called, outputs.secret(one.value), actor=outputs.ACTOR)
        except errors.Invalid:
            if called in needed:
                raise
            continue  # nobody asks for it, and it can be no secret
        given[name] = {"secret": called}
    return given


def _tell(tx: Transaction, run: runs.Run, left: Applied) -> None:
    kind = "infra.destroyed" if run.destroy else "infra.applied"
    body = {"environment": run.environment, "run": run.id, "serial": left.serial, "resources": left.resources}
    subject = f"{run.project}/{run.environment}"
    events.append(tx, chain=run.project, kind=kind, subject=subject, actor=run.actor, body=body | dict(run.body))


def _keep(tx: Transaction, made: Revision) -> Revision:
    config = {name: {"value": one.value, "layer": one.layer} for name, one in made.config.items()}
    tx.execute(
        sql.complete_revision, id=made.id, config=_text(config), secrets=_text(made.secrets), infra=_text(made.infra)
    )
    return made


def _text(value: Mapping[str, Any]) -> str:
    return digest.canonical(dict(value)).decode()
