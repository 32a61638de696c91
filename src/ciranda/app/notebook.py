"""`ciranda.load` outside of a service: a version out of a home, read only, in the process of whoever asks."""

import atexit
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.app import nearest
from ciranda.app.views import lineage as views
from ciranda.app.views import project as projects
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.pipeline import lineage, profile, references, runs
from ciranda.pipeline.records import Version
from ciranda.project import names
from ciranda.runtime import codecs, sources

_log = logging.getLogger("ciranda")


def load(
    name: str,
    wanted: str,
    *,
    environment: str | None,
    release: str | int | None,
    run: str | int | None,
    project: str | None,
    home: str | None,
    trust: bool,
) -> Any:
    """A version of an asset: a table as a polars.LazyFrame over the store's file, files as a Path, else the value itself.

    `wanted` is the public name of a type that is asked for, "" for none. Nothing of the home is written; what must lie
    in files of its own is linked or copied into a folder that is gone when the process ends.
    Raises errors.NotFound, errors.Usage, errors.Refused for a pickle that is not trusted, errors.Corrupt.
    """
    where = _where(environment, release, run)
    place = homes.locate(home)
    with homes.opened(place) as (database, store):
        ground = views.Ground(database, store, place.repositories)
        chosen = _project(database, project)
        found = views.find(ground, chosen, f"{name}@{where}")
        version = found.asset.result.version
        if version is None:
            raise errors.NotFound(
                f"{name} has no version in {where}: {found.asset.result.state}", hint=f"ciranda show {where}"
            )
        _say(database, chosen, version, found)
        return _value(store, version, wanted, trust)


def _where(environment: str | None, release: str | int | None, run: str | int | None) -> str:
    """The place as `ciranda show` names it. Raises errors.Usage unless there is exactly one."""
    named = [
        *([environment] if environment is not None else []),
        *([f"r{str(release).removeprefix('r')}"] if release is not None else []),
        *([f"run-{str(run).removeprefix('run-')}"] if run is not None else []),
    ]
    if len(named) != 1:
        raise errors.Usage(
            "say where from, by one of environment, release and run",
            hint='ciranda.load("flights", environment="prod")',
        )
    return named[0]


def _project(database: Database, named: str | None) -> str:
    """The project meant: named, that of this folder, or the only one. Raises errors.NotFound, errors.Usage."""
    there = sorted({*projects.names(database), *runs.projects(database)})
    folder = nearest.folder(Path.cwd())
    here = None if folder is None else projects.declared(folder).get("name")
    chosen = named or (here if here in there else None) or (there[0] if len(there) == 1 else None)
    if chosen in there:
        return str(chosen)
    known = f"what there is: {', '.join(there) or 'none'}"
    if chosen is None and there:
        raise errors.Usage(f"there are several projects: {', '.join(there)}", hint='say which: project="NAME"')
    hint = (names.suggestion(named, there) if named else "") or known
    raise errors.NotFound(f"there is no project {named} in this home" if named else "nothing has run here", hint=hint)


def _say(database: Database, project: str, version: Version, found: views.Found) -> None:
    """One line of log: which version this is and what made it; a warning where no commit has what made it."""
    above = lineage.made(database, project, version)
    maker = found.asset.run if above is None or above.run is None else above.run
    where = [part.name for part in (found.revision, found.release) if part is not None]
    text = f"{version.asset} {version.digest[:9]} of {', '.join([*where, found.asset.run.name])}, made by {maker.name}"
    if maker.clean:
        _log.info("%s at %s", text, (maker.commit or "")[:7])
    elif found.asset.run.clean:
        _log.info("%s on a working tree; same key as %s", text, (found.asset.run.commit or "")[:7])
    else:
        _log.warning("%s on a working tree with changes that no commit has", text)


def _value(store: Store, version: Version, wanted: str, trust: bool) -> Any:
    match version.codec:
        case "parquet" if not wanted:
            return profile.frame(store, version)
        case "pickle" if not trust:
            raise errors.Refused(
                f"{version.asset} is a pickle, and loading one runs whatever it says",
                hint=f'if you trust who made it: ciranda.load("{version.asset}", …, trust=True)',
            )
        case "files" | "folder":
            folder = _written(store, version)
            if version.codec == "files" and wanted in ("", "pathlib.Path"):
                return sources.path(folder, one=True)
            return codecs.load(folder, version.codec, wanted)
        case "file":
            path = store.path(version.digest)
            return codecs.load(_written(store, version) if path is None else path, "file", wanted)
        case "reference":
            listed = references.entries(store, version.digest)
            first = ", ".join(entry.place for entry in listed[:3])
            raise errors.NotFound(
                f"{version.asset} is a reference to {first}{' …' if len(listed) > 3 else ''}: its bytes are not in the home",
                hint="read it there, or keep it: keep = true in ciranda.toml",
            )
        case codec:
            path = store.path(version.digest)
            return codecs.load(store.get(version.digest) if path is None else path, codec, wanted)


def _written(store: Store, version: Version) -> Path:
    """A file or folder of its own for a version, gone at the end of this process."""
    folder = tempfile.mkdtemp(prefix="ciranda-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder, version.asset)
    store.export(version.digest, path)
    return path
