"""Plain types that every room above speaks of: a value of the configuration, and what makes an asset."""

from typing import Literal

Scalar = str | int | float | bool
Kind = Literal["source", "dataset", "model", "step"]
