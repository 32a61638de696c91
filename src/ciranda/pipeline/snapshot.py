"""The tree that workers see: a copy of the project's files without the declared sources, which they get as inputs only."""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from ciranda.kernel import copying, files
from ciranda.pipeline import tree as trees


class Moved(Exception):
    """A file changed between the survey and its copy: everything that was decided on it is void."""


def make(survey: trees.Survey, left_out: Collection[str], target: Path) -> None:
    """Copy the surveyed files to `target`, never by a hard link: a step cannot reach back, nor an editor in.

    Links that lead out of the tree are left out. Raises Moved, errors.StorageFull.
    """
    root = survey.tree.path
    with files.room(target.parent):
        target.mkdir(parents=True)
        for path in survey.paths:
            if path in left_out:
                continue
            source, copy = root / path, target / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path in survey.links:
                if not _leads_out(path, survey.links[path]):
                    os.symlink(survey.links[path], copy)
                continue
            try:
                copying.take(source, copy, move=False)
                unchanged = trees.mark(os.lstat(source)) == survey.marks[path]
            except OSError as error:
                if files.no_room(error):
                    raise
                raise Moved(path) from error
            if not unchanged:
                raise Moved(path)
            os.chmod(copy, survey.mode(path))


def remove(folder: Path) -> None:
    """Remove a folder of a run with everything in it, read-only folders included; nothing if it is not there."""
    shutil.rmtree(folder, onerror=_writable)


def _writable(function: object, path: str, _error: object) -> None:
    """Make the parent of what could not be removed writable, and try once more."""
    try:
        os.chmod(os.path.dirname(path), 0o700)
        if os.path.isdir(path) and not os.path.islink(path):
            os.chmod(path, 0o700)
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return


def _leads_out(path: str, target: str) -> bool:
    return os.path.isabs(target) or os.path.normpath(os.path.join(os.path.dirname(path), target)).startswith("..")
