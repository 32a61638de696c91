"""Tracebacks that show the user's frames alone."""

from __future__ import annotations

import importlib
import os
import traceback
from typing import Optional

IMPORTS = importlib.__file__ or ""
HERE = os.path.dirname(os.path.abspath(__file__))


def shown(error: BaseException, tree: str = "") -> str:
    """The traceback as Python prints it, without the frames of Ciranda and of the import machinery.

    Paths inside `tree` are shown relative to it.
    """
    told = traceback.TracebackException.from_exception(error)
    _strip(told, set())
    text = "".join(told.format()).rstrip("\n")
    return text.replace(os.path.join(tree, ""), "") if tree else text


def summary(error: BaseException) -> str:
    """One line: the type and what it says."""
    lines = "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()
    return lines[-1] if isinstance(error, SyntaxError) else next((line for line in lines if line.strip()), repr(error))


def _strip(told: Optional[traceback.TracebackException], seen: set[int]) -> None:
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if not _ours(frame.filename)])
    _strip(told.__cause__, seen)
    _strip(told.__context__, seen)
    for inner in getattr(told, "exceptions", None) or ():
        _strip(inner, seen)


def _ours(filename: str) -> bool:
    return filename == IMPORTS or filename.startswith((HERE + os.sep, "<frozen importlib", "<frozen runpy"))
