"""Versions handed to a worker, and what it hands back: small values travel inside frames, larger ones as files of the run's folder."""

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ciranda.kernel import errors
from ciranda.kernel.store import Store
from ciranda.pipeline import lending, references
from ciranda.pipeline.records import Input, Step, Version
from ciranda.runtime import protocol

# Codecs whose values are files to their readers, however small.
_FILES = frozenset({"files", "file", "folder"})


class Unavailable(Exception):
    """Objects that are needed are not there, or not what they were; `asset` is whose version they belong to."""

    def __init__(self, asset: str, cause: errors.CirandaError, digests: Sequence[str], *, live: bool) -> None:
        super().__init__(str(cause))
        self.asset = asset
        self.cause = cause
        self.digests = digests
        self.live = live  # it is not this run's, but the one that is live


class Unusable(Exception):
    """What a worker handed over cannot be kept; the message says why."""


def give(
    inputs: Sequence[Input],
    versions: Mapping[str, Version],
    live: Mapping[str, Version],
    *,
    store: Store,
    folder: Path,
    held: Mapping[str, str],
    single: frozenset[str],
    lender: lending.Lender,
) -> tuple[dict[str, Any], bytes]:
    """The `inputs` of a frame and its payload. Larger objects are linked into `folder`/in.

    `held` is what the worker keeps (asset → digest), `single` the sources that are one file by their declaration.
    Raises Unavailable, references.Moved.
    """
    told: dict[str, Any] = {}
    payload = bytearray()
    for each in inputs:
        if each.marker == "run":
            continue
        version = live.get(each.asset) if each.marker == "live" else versions[each.asset]
        if version is None:
            told[each.parameter] = None
            continue
        entry: dict[str, Any] = {"codec": version.codec, "name": each.asset, "size": version.size}
        if version.rows is not None:
            entry |= {"rows": version.rows, "columns": version.columns}
        if each.marker is None and held.get(each.asset) == version.digest:
            entry["held"] = True
        if version.codec in ("files", references.CODEC):
            entry |= {"codec": "files", "one": each.asset in single}
        try:
            if version.codec == references.CODEC:
                entry["path"] = f"in/{version.digest[3:]}"
                lender.lend(version, folder / entry["path"])
            elif version.codec not in _FILES and version.size <= protocol.INLINE:
                data = store.get(version.digest)
                entry |= {"inline": True, "size": len(data)}
                payload += data
            else:
                entry["path"] = f"in/{version.digest[3:]}"
                target = folder / entry["path"]
                if not target.exists():
                    store.export(version.digest, target)
        except (errors.Corrupt, errors.NotFound) as error:
            raise Unavailable(each.asset, error, damaged(store, version), live=each.marker == "live") from error
        told[each.parameter] = entry
    return told, bytes(payload)


def damaged(store: Store, version: Version) -> list[str]:
    """The objects of a version that are missing or corrupt: the folder's listing, or files of it."""
    found = []
    try:
        inner = [entry[1] for entry in store.listing(version.digest)] if store.is_folder(version.digest) else []
        store.get(version.digest)
    except (errors.Corrupt, errors.NotFound):
        return [version.digest]
    for digest in inner:
        try:
            store.get(digest)
        except (errors.Corrupt, errors.NotFound):
            found.append(digest)
    return found


def take(step: Step, key: str, answer: Mapping[str, Any], payload: bytes, *, store: Store, out: Path) -> Version:
    """Keep what a step made: the version, whose object is durable when the batch around this ends.

    `out` is where the worker was told to leave a larger value. Raises Unusable.
    """
    output = answer.get("output")
    if not isinstance(output, dict) or not isinstance(output.get("codec"), str):
        raise Unusable("the worker handed over no value")
    if output.get("inline"):
        digest, size = store.put(payload), len(payload)
    else:
        digest, size = _take_path(store, out)
    figures = answer.get("figures")
    return Version(
        asset=step.name,
        digest=digest,
        key=key,
        codec=output["codec"],
        size=size,
        kind=step.kind,
        rows=_count(output.get("rows")),
        columns=_count(output.get("columns")),
        figures=dict(figures) if isinstance(figures, dict) else {},
    )


def _take_path(store: Store, out: Path) -> tuple[str, int]:
    try:
        kind = os.lstat(out).st_mode
    except FileNotFoundError:
        raise Unusable("the worker left nothing where its value should be") from None
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise Unusable("it is a link or a special file")
    try:
        digest = store.put_file(out, move=True)
    except errors.Invalid as error:
        raise Unusable(f"{error}: {Path(error.where).relative_to(out) if error.where else ''}") from error
    return digest, store.size(digest)


def clear(out: Path) -> None:
    """Remove what a step that did not end well left behind."""
    if out.is_dir() and not out.is_symlink():
        shutil.rmtree(out, ignore_errors=True)
    elif out.is_symlink() or out.exists():
        out.unlink()


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
