"""The secrets of a project where tasks run: as files for what is told them, and masked in whatever is written."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ciranda.environment import revisions, secrets
from ciranda.kernel import sealing, volatile
from ciranda.loop.places import Workshop
from ciranda.service import masking


def mask(workshop: Workshop, project: str) -> Callable[[bytes], bytes]:
    """What masks every value that a project ever had. Raises errors.Refused without the key: then nothing may be written."""
    values: list[bytes] = []
    if secrets.sealed_any(workshop.database):
        values = secrets.every(workshop.database, sealing.load(workshop.home / secrets.FILE), project)
    return lambda data: masking.mask(data, values)


@contextmanager
def files(workshop: Workshop, revision: revisions.Revision, names: Sequence[str], holder: str) -> Iterator[Path | None]:
    """A folder with secrets of a revision, one 0400 file each, for as long as it is needed; None when there are none.

    `holder` names it; what an earlier, killed holder of the same first part (before the last `-`) left is removed.
    """
    place = volatile.place(workshop.home, "verify")
    for earlier in place.glob(f"{holder.rpartition('-')[0]}-*"):
        shutil.rmtree(earlier, ignore_errors=True)
    wanted = {name: revision.secrets[name] for name in names if name in revision.secrets}
    if not wanted:
        yield None
        return
    key = sealing.load(workshop.home / secrets.FILE)
    folder = place / holder
    volatile.keep(folder, secrets.unsealed(workshop.database, key, revision.project, revision.environment, wanted))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
