"""The content of the release that a change becomes."""

from pathlib import Path
from typing import Any

from ciranda.environment.infra import folder
from ciranda.loop import receive
from ciranda.loop.changes import Change
from ciranda.pipeline import records
from ciranda.project import declaration
from ciranda.release import building, manifest
from ciranda.versions import repositories, trees


def of_change(change: Change, repository: Path) -> manifest.Manifest:
    """The manifest of a change whose gate is green, from what the judge recorded."""
    outcome = change.outcome
    project = receive.declared(repository, change.head)
    return building.build(
        project,
        commit=change.head,
        tree=repositories.commit(repository, change.head).tree,
        interpreter=outcome["interpreter"],
        parameters=outcome["parameters"],
        assets={name: records.Version(**version) for name, version in outcome["assets"].items()},
        policy=outcome["policy"],
        infra=infra(project, repository, change.head),
    )


def infra(project: declaration.Project, repository: Path, commit: str) -> dict[str, str]:
    """The digest of each folder of infrastructure that an environment declares."""
    wanted = {place.infra for place in project.environments if place.infra}
    listing = trees.listing(repository, commit) if wanted else {}
    return {name: folder.identity(listing, name) for name in sorted(wanted)}


def of_run(project: declaration.Project, *, commit: str, tree: str, run: records.RunResult) -> manifest.Manifest:
    """The manifest that a run could become. Raises errors.Invalid when a service uses what the run did not make."""
    return building.build(
        project,
        commit=commit,
        tree=tree,
        interpreter=run.interpreter,
        parameters=parameters(run),
        assets=run.assets,
        policy="",
    )


def parameters(run: records.RunResult) -> dict[str, Any]:
    """The parameters that each step ran with."""
    if run.description is None:
        return {}
    return {step.name: step.parameters for step in run.description.steps if step.parameters}
