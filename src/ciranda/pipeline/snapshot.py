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
    if not folder.is_dir() or folder.is_symlink():
        return
    os.chmod(folder, 0o700)
    for inner, names, _ in os.walk(folder):
        for name in names:
            if not os.path.islink(path := os.path.join(inner, name)):
                os.chmod(path, 0o700)
    shutil.rmtree(folder)


def _leads_out(path: str, target: str) -> bool:
    return os.path.isabs(target) or os.path.normpath(os.path.join(os.path.dirname(path), target)).startswith("..")
