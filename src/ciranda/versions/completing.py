"""Trees made whole: the files of a tree's `ciranda.lock`, which Git does not carry, come from the store."""

import os
from pathlib import Path

from ciranda.kernel import errors, files
from ciranda.kernel.store import Store
from ciranda.project import lockfile

_SHOWN = 3


def lacking(locked: dict[str, lockfile.Locked], store: Store) -> list[str]:
    """The files of a lock whose bytes the store does not have."""
    return sorted(path for path, file in locked.items() if not store.has(file.digest))


def refusal(missing: list[str]) -> errors.NotFound:
    """The error for files that the server does not have."""
    rest = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
    names = ", ".join(missing[:_SHOWN]) + rest
    return errors.NotFound(
        f"the server does not have {names}, which {lockfile.FILE} names",
        where=lockfile.FILE,
        hint="send it, then push again: ciranda data push",
    )


def complete(tree: Path, store: Store, *, own: bool = False) -> None:
    """Put the files of a tree's lock where they belong, read-only; `own`: as copies that may be written to.

    Raises errors.NotFound for what the store does not have, errors.Refused where Git carries a file of the same path,
    errors.Corrupt, errors.StorageFull.
    """
    locked = lockfile.read(tree)
    if missing := lacking(locked, store):
        raise refusal(missing)
    for path, file in sorted(locked.items()):
        target = tree / path
        if any(parent.is_symlink() for parent in [target, *target.parents] if parent.is_relative_to(tree)):
            raise errors.Refused(f"{path} leads over a link", where=lockfile.FILE)
        if os.path.lexists(target):
            raise errors.Refused(
                f"Git carries {path}, which {lockfile.FILE} names too",
                where=lockfile.FILE,
                hint=f"git rm --cached {path}",
            )
        with files.room(tree):
            target.parent.mkdir(parents=True, exist_ok=True)
        store.export(file.digest, target, own=own)
