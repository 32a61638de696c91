"""The manifest of a judged commit, built from what it declares and what its run made."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ciranda.kernel import errors
from ciranda.pipeline import records
from ciranda.project import declaration
from ciranda.project.predictions import Predictions
from ciranda.release import manifest


def build(
    project: declaration.Project,
    *,
    commit: str,
    tree: str,
    interpreter: str,
    parameters: Mapping[str, Any],
    assets: Mapping[str, records.Version],
    policy: str,
    infra: Mapping[str, str] | None = None,
) -> manifest.Manifest:
    """The manifest of a judged commit. `assets` are all that its run has: what steps made, and the sources; `infra` the digest of each
    folder of infrastructure that an environment declares.

    Raises errors.Invalid when a service uses an asset that the run did not make.
    """
    for service in project.services:
        for name in service.uses:
            if name not in assets:
                raise errors.Invalid(
                    f'services.{service.name}.uses names "{name}", which the run did not make',
                    where=f"ciranda.toml:{service.line}" if service.line else "ciranda.toml",
                    hint="what there is: ciranda show",
                )
    return manifest.Manifest(
        project=project.name,
        commit=commit,
        tree=tree,
        interpreter=interpreter,
        parameters=dict(parameters),
        assets={
            name: manifest.Asset(version.digest, version.key, version.codec, version.kind)
            for name, version in assets.items()
        },
        services={
            service.name: manifest.Service(
                form=service.form,
                run=service.run,
                uses=tuple(service.uses),
                instances=service.instances,
                health=service.health,
                drain=float(service.drain),
                start_timeout=float(service.start_timeout),
                owner=service.owner or project.owner,
                secrets=tuple(service.secrets),
                predictions=_predictions(service, project),
            )
            for service in project.services
        },
        settings={setting.name: manifest.Setting(setting.type, setting.default) for setting in project.settings},
        environments={
            place.name: manifest.Environment(
                place.after,
                dict(place.config),
                tuple(place.verify),
                float(place.verify_timeout),
                place.approvals,
                tuple(place.secrets),
                place.rollout,
                place.four_eyes,
                tuple(place.freeze),
            )
            for place in project.environments
        },
        policy=policy,
        jobs={job.name: _job(job, project) for job in project.jobs},
        infra={
            place.name: manifest.Infra(place.infra, infra[place.infra], float(place.infra_check))
            for place in project.environments
            if infra and place.infra
        },
        reactions={one.name: _reaction(one, project) for one in project.reactions},
        alerts={one.name: _alert(one, project) for one in project.alerts},
        objectives={one.name: _objective(one, project) for one in project.objectives},
    )


def _reaction(one: declaration.Reaction, project: declaration.Project) -> manifest.Reaction:
    last = tuple(place.name for place in project.environments[-1:])
    return manifest.Reaction(
        on=one.on,
        do=one.do,
        service=one.service,
        environments=one.environments or last,
        cool_down=float(one.cool_down),
        at_most=one.at_most,
        ask_first=one.ask_first,
    )


def _alert(one: declaration.Alert, project: declaration.Project) -> manifest.Alert:
    last = tuple(place.name for place in project.environments[-1:])
    return manifest.Alert(
        when=one.when,
        hold=float(one.hold),
        severity=one.severity,
        service=one.service,
        environments=one.environments or last,
        owner=one.owner,
        runbook=one.runbook,
        off=one.off,
    )


def _objective(one: declaration.Objective, project: declaration.Project) -> manifest.Objective:
    last = tuple(place.name for place in project.environments[-1:])
    return manifest.Objective(
        service=one.service,
        availability=one.availability,
        latency=one.latency,
        below=one.below,
        window=float(one.window),
        environments=one.environments or last,
        owner=one.owner,
        runbook=one.runbook,
    )


def _predictions(service: declaration.Service, project: declaration.Project) -> Predictions | None:
    """What a service keeps of its predictions: private columns are redacted everywhere."""
    kept = service.predictions
    return None if kept is None else replace(kept, redact=tuple(sorted({*kept.redact, *project.private})))


def _job(job: declaration.Job, project: declaration.Project) -> manifest.Job:
    last = tuple(place.name for place in project.environments[-1:])
    return manifest.Job(
        run=tuple(job.run),
        schedule=job.schedule,
        ready_by=job.ready_by,
        environments=(job.environments or last) if job.schedule else (),
        retries=job.retries,
        timeout=float(job.timeout),
        owner=job.owner,
    )
