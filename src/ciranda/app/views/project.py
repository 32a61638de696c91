"""Which project a command speaks of: the one that is named, the one whose folder this is, or the only one there is."""

import tomllib
from pathlib import Path
from typing import Any

from ciranda.environment import revisions
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.loop import changes

FILE = "ciranda.toml"


def names(database: Database) -> list[str]:
    """Every project that was pushed to this home or has an environment here, by name."""
    pushed = {project.name for project in changes.projects(database)}
    return sorted(pushed | {place.project for place in revisions.environments(database)})


def choose(database: Database, named: str | None, folder: Path) -> str:
    """The project meant. Raises errors.NotFound, errors.Usage when there are several and none is meant."""
    there = names(database)
    here = named or declared(folder).get("name")
    if here is not None and here in there:
        return str(here)
    if named is not None or not there:
        raise errors.NotFound(
            f"there is no project {named} in this home" if named else "nothing was pushed to this home yet",
            hint=f"what there is: {', '.join(there)}" if there else "push: git push ciranda main",
        )
    if len(there) == 1:
        return there[0]
    raise errors.Usage(f"there are several projects: {', '.join(there)}", hint="say which: --project NAME")


def declared(folder: Path) -> dict[str, Any]:
    """The table `[project]` of the nearest `ciranda.toml` at or above a folder; empty when none can be read."""
    for place in (folder, *folder.parents):
        path = place / FILE
        if path.is_file():
            try:
                found = tomllib.loads(path.read_text()).get("project", {})
            except (OSError, ValueError):
                return {}
            return found if isinstance(found, dict) else {}
    return {}
