"""The declaration held against the pipeline: names in `ciranda.toml` that no step, source or check has."""

from collections.abc import Collection
from pathlib import Path

from ciranda.project import names, positions, problems
from ciranda.project.declaration import Project


def against(
    project: Project, steps: Collection[str], checks: Collection[str], text: str | None = None
) -> list[problems.Problem]:
    """What dangles, given the names of the pipeline's steps and checks.

    `text` is the declaration's text; it is read from `project.path` if left out.
    """
    if text is None:
        text = _text(project.path)
    lines = positions.Positions(text)
    assets = [source.name for source in project.sources] + list(steps)
    found = []
    for service in project.services:
        for asset in service.uses:
            if asset not in assets:
                what = f'services.{service.name}.uses names "{asset}", which no step or source makes'
                where = f"ciranda.toml:{lines.line(('services', service.name, 'uses'), asset)}"
                found.append(problems.Problem(what, where, _hint(asset, assets)))
    unkept = {source.name for source in project.sources if source.reference and not source.keep}
    for service in project.services:
        for asset in unkept.intersection(service.uses):
            what = f'services.{service.name}.uses names "{asset}", which lies outside of the project and is not kept'
            where = f"ciranda.toml:{lines.line(('services', service.name, 'uses'), asset)}"
            found.append(problems.Problem(what, where, f"let each release have its own: sources.{asset}.keep = true"))
    for job in project.jobs:
        for asset in job.run:
            if asset not in assets:
                what = f'jobs.{job.name}.run names "{asset}", which no step or source makes'
                where = f"ciranda.toml:{lines.line(('jobs', job.name, 'run'), asset)}"
                found.append(problems.Problem(what, where, _hint(asset, assets)))
    for check in project.checks.when_unsure:
        if check not in checks:
            where = f"ciranda.toml:{lines.line(('checks', 'when_unsure', check))}"
            found.append(
                problems.Problem(
                    f'checks.when_unsure names "{check}", which is not a check', where, names.suggestion(check, checks)
                )
            )
    return found


def _hint(asset: str, assets: Collection[str]) -> str:
    known = "what there is: ciranda show"
    return f"{suggestion}        {known}" if (suggestion := names.suggestion(asset, assets)) else known


def _text(path: Path | None) -> str:
    return path.read_text() if path and path.exists() else ""
