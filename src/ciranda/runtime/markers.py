"""Markers: defaults of a function's parameters that Ciranda fills in."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True)
class Live:
    """The live version of an asset. False where nothing is filled in, so that a check can say `if now`."""

    asset: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class Run:
    """The facts of the run that a function is part of; as a default value it stands for them.

    `commit` is None and `id` empty outside a run; `dirty` is the number of changed files of the working tree;
    `folder` is a scratch folder that is gone after the step.
    """

    id: str = ""
    commit: Optional[str] = None
    dirty: int = 0
    folder: Path = Path(tempfile.gettempdir())


def live(asset: str) -> Any:
    """Marker for a parameter of a check: the version of `asset` that is live now, None when nothing is live yet.

    Raises ValueError where `asset` is no name of an asset.
    """
    if not isinstance(asset, str) or not NAME.match(asset):
        raise ValueError(f"live() takes the name of an asset ([a-z][a-z0-9_]*), not {asset!r}")
    return Live(asset)


def run() -> Any:
    """Marker for a parameter that gets the facts of the run: `id`, `commit`, `dirty`, `folder`."""
    return Run()
