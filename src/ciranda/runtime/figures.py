"""Figures: the numbers and notes that a step keeps with the version it makes."""

from __future__ import annotations

import json
import math
from typing import Any, Optional

LIMIT = 64 * 1024  # bytes of JSON that one step may log


class Recorder:
    """Collects figures while a step runs, from any of its threads; outside a step they are only validated."""

    def __init__(self) -> None:
        self._kept: Optional[dict[str, Any]] = None

    def begin(self) -> None:
        """Start to keep what is logged."""
        self._kept = {}

    def end(self) -> dict[str, Any]:
        """Stop, and return what was logged; the last value of a name wins."""
        kept, self._kept = self._kept, None
        return kept or {}

    def add(self, figures: dict[str, Any]) -> None:
        """Validate, and keep inside a step. Raises TypeError or ValueError for what is no figure."""
        plain = {name: figure(name, value) for name, value in figures.items()}
        if len(json.dumps({**(self._kept or {}), **plain})) > LIMIT:
            raise ValueError(f"log() keeps at most {LIMIT:,} bytes a step: return large things as an asset instead")
        if self._kept is not None:
            self._kept.update(plain)


RECORDER = Recorder()  # one a process: `log` is a plain function that any code of the project may call


def log(**figures: Any) -> None:
    """Keep figures with the version that the running step makes: `log(auc=0.742, rows=336_776)`.

    A figure is a number, a string, a bool, None, or a small list or dict of those; numpy's scalars count as numbers.
    Outside a run they are validated and forgotten. Raises TypeError or ValueError naming what is no figure.
    """
    RECORDER.add(figures)


def figure(name: str, value: Any) -> Any:
    """The JSON value of a figure. Raises TypeError or ValueError naming it."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"log({name}=…): {value} is not a finite number")
        return float(value)
    if isinstance(value, (list, tuple)):
        return [figure(f"{name}[{place}]", item) for place, item in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"log({name}=…): the key {key!r} is not a string")
        return {key: figure(f"{name}.{key}", item) for key, item in value.items()}
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return figure(name, value.item())
    said = f"{type(value).__module__}.{type(value).__qualname__}"
    raise TypeError(f"log({name}=…): a figure is a number, a string or small JSON, not {said}")
