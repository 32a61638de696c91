"""Specifications of instances, kept by digest beside the state so that a new control knows what runs."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ciranda.kernel import errors, files
from ciranda.service.port import InstanceSpec, Mount


def document(spec: InstanceSpec) -> dict[str, Any]:
    """The specification as plain values."""
    mounts = [{"path": str(mount.path), "writable": mount.writable} for mount in spec.mounts]
    return {**asdict(spec), "argv": list(spec.argv), "directory": str(spec.directory), "mounts": mounts}


def keep(folder: Path, spec: InstanceSpec) -> str:
    """Write the specification down, once; returns its digest."""
    name = spec.digest
    path = _path(folder, name)
    if not path.exists():
        folder.mkdir(exist_ok=True)
        files.write_atomic(path, json.dumps(document(spec), indent=1).encode(), 0o600)  # variables may be private
    return name


def load(folder: Path, name: str) -> InstanceSpec:
    """The specification of this digest. Raises errors.Corrupt."""
    path = _path(folder, name)
    try:
        spec = _spec(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.Corrupt(f"a specification cannot be read: {error}", where=str(path)) from error
    if spec.digest != name:
        raise errors.Corrupt("a specification is not the one that was written", where=str(path))
    return spec


def sweep(folder: Path, used: set[str]) -> None:
    """Remove the specifications that nothing uses."""
    wanted = {_path(folder, name).name for name in used}
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink(missing_ok=True)


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name.removeprefix('b3:')}.json"


def _spec(entry: Mapping[str, Any]) -> InstanceSpec:
    mounts = tuple(Mount(Path(mount["path"]), bool(mount["writable"])) for mount in entry["mounts"])
    changed = {"argv": tuple(entry["argv"]), "directory": Path(entry["directory"]), "mounts": mounts}
    return InstanceSpec(**{**entry, **changed})
