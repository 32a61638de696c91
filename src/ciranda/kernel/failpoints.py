"""Named points at which a test may kill the process, to see what a crash there leaves behind.

    CIRANDA_FAILPOINT="store.pack.appended"      die (SIGKILL) the first time the point is passed
    CIRANDA_FAILPOINT="store.pack.appended:3"    the third time in this process
    CIRANDA_FAILPOINT_FILE=/tmp/once             only the process that removes this file dies: one kill in a whole tree
    CIRANDA_FAILPOINT=@/tmp/next                 the point whose name that file holds, whenever it holds one ("NAME", or "NAME PID" for one
                                                 process alone): who passes it renames the file to /tmp/next.<pid>, writes its command line
                                                 into it, and dies

Without the variable a point is a call of an empty function.
"""

import contextlib
import itertools
import os
import signal
import sys
from collections.abc import Callable, Mapping

# Every point there is. A point is added here in the commit that adds its call.
NAMES = frozenset(
    {
        "access.token.written",
        "change.entering",
        "change.judging",
        "change.merging",
        "change.moved",
        "change.recording",
        "files.written",
        "files.synced",
        "files.renamed",
        "gate.decided",
        "gate.deciding",
        "gateway.swapped",
        "interpreters.created",
        "interpreters.installed",
        "keeper.recorded",
        "keeper.spawned",
        "ledger.locked",
        "ledger.worked",
        "ledger.committed",
        "ledger.acknowledged",
        "lines.appended",
        "migrations.applied",
        "predictions.recorded",
        "predictions.stored",
        "reconcile.marked",
        "reconcile.observed",
        "reconcile.prepared",
        "reconcile.routed",
        "reconcile.started",
        "ref.update",
        "ref.updated",
        "release.kept",
        "repository.rename",
        "route.acknowledged",
        "rollout.kept",
        "route.written",
        "store.object.written",
        "store.object.synced",
        "store.object.renamed",
        "store.pack.created",
        "store.pack.appended",
        "store.pack.synced",
        "store.export.filled",
        "store.export.renamed",
    }
)


def _unarmed(name: str) -> None:
    """Pass a named point."""


def arm(environment: Mapping[str, str]) -> Callable[[str], None]:
    """The function that points call, as this environment wants it. Raises ValueError for what is not a point."""
    wanted = environment.get("CIRANDA_FAILPOINT")
    if not wanted:
        return _unarmed
    if wanted.startswith("@"):
        return _chosen_by(wanted[1:])
    target, _, nth = wanted.partition(":")
    if target not in NAMES:
        raise ValueError(f"CIRANDA_FAILPOINT names {target!r}, which is not a point")
    passed = itertools.count(1)
    token = environment.get("CIRANDA_FAILPOINT_FILE")

    def armed(name: str) -> None:
        if name != target or next(passed) < int(nth or 1):
            return
        if token:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(token)
                os.kill(os.getpid(), signal.SIGKILL)
            return
        os.kill(os.getpid(), signal.SIGKILL)

    return armed


def _chosen_by(path: str) -> Callable[[str], None]:
    def armed(name: str) -> None:
        try:
            with open(path) as file:
                wanted = file.read().split()
            if wanted not in ([name], [name, str(os.getpid())]):
                return
            taken = f"{path}.{os.getpid()}"
            os.rename(path, taken)
            with open(taken, "w") as file:
                file.write("\0".join(sys.orig_argv))
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    return armed


failpoint = arm(os.environ)
