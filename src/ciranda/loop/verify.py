"""The task `verify`: does a revision answer as the commit's own verification wants?"""

import shutil
from pathlib import Path

from ciranda.checks import code
from ciranda.environment import revisions
from ciranda.kernel import tasks
from ciranda.kernel.database import Transaction
from ciranda.loop import changes, restore, veil
from ciranda.loop.places import Workshop
from ciranda.pipeline import interpreters
from ciranda.project import layers
from ciranda.release import manifest, releases
from ciranda.versions import repositories, trees


def perform(task: tasks.Task, workshop: Workshop) -> None:
    """Run the verification of a revision against its environment; the task ends with what was found."""
    database = workshop.database
    revision = revisions.by_id(database, task.subject)
    release = releases.by_id(database, revision.release)
    content = restore.manifest(workshop, release)
    project = changes.project(database, revision.project)
    assert project is not None
    for earlier in workshop.runs.glob(f"verify-{revision.id}-*"):
        shutil.rmtree(earlier, ignore_errors=True)
    folder = workshop.runs / f"verify-{revision.id}-{task.fence}"  # an earlier process may still be at work in its own
    try:
        trees.write(
            repositories.path(workshop.repositories, project.repository), content.commit, folder, store=workshop.store
        )
        place = content.environments.get(revision.environment)
        with veil.files(workshop, revision, place.secrets if place else (), folder.name) as given:
            outcomes = _outcomes(revision, release, content, folder, given, workshop)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    failed = [outcome for outcome in outcomes if outcome.passed is not True]
    reason = f"{failed[0].command}: {failed[0].summary}" if failed else ""
    body = {
        "revision": revision.id,
        "commands": len(outcomes),
        "tests": sum(outcome.tests or 0 for outcome in outcomes),
        "passed": not failed,
        "reason": reason,
        "tail": failed[0].tail if failed else [],
    }

    def work(tx: Transaction) -> None:
        releases.state(tx, release, kind="verification", body=body, actor="ciranda")
        tasks.finish(tx, task, state="failed" if failed else "done", result={"reason": reason})

    database.write(work)


def give_up(task: tasks.Task, workshop: Workshop, reason: str) -> None:
    """A verification that cannot run has not passed."""
    workshop.database.write(
        lambda tx: tasks.finish(tx, task, state="failed", result={"reason": f"verification could not run: {reason}"})
    )


def _outcomes(
    revision: revisions.Revision,
    release: releases.Release,
    content: manifest.Manifest,
    folder: Path,
    given: Path | None,
    workshop: Workshop,
) -> list[code.CodeOutcome]:
    interpreter = interpreters.ensure(interpreters.resolve(folder), workshop.interpreters, lambda _: None)
    place = code.Place(
        tree=folder,
        python=interpreter.python,
        home=workshop.home,
        readable=(*interpreters.folders(interpreter.python), *([given] if given else [])),
        variables=_variables(revision, release, content, workshop) | ({"CIRANDA_SECRETS": str(given)} if given else {}),
        mask=veil.mask(workshop, revision.project),
    )
    outcomes: list[code.CodeOutcome] = []
    for command in revision.verify.commands:
        outcomes.append(code.run(command, place, timeout=revision.verify.timeout))
        if outcomes[-1].passed is not True:
            break
    return outcomes


def _variables(
    revision: revisions.Revision, release: releases.Release, content: manifest.Manifest, workshop: Workshop
) -> dict[str, str]:
    gateway = workshop.gateway()
    urls = {
        f"CIRANDA_URL_{service.upper().replace('-', '_')}": f"{gateway}/{revision.project}/{revision.environment}/{service}"
        for service in content.services
    }
    config = {name: layers.text(value.value) for name, value in revision.config.items()}
    return config | urls | {"CIRANDA_ENVIRONMENT": revision.environment, "CIRANDA_RELEASE": release.name}
