"""What a `predict` service keeps of its predictions: `predictions = { sample = 1.0, redact = ["buyer"], keep = 30 }`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEYS = ("sample", "redact", "keep")


@dataclass(frozen=True, slots=True)
class Predictions:
    """The share of the requests that is kept, the columns that are never written in plain, and for how many days."""

    sample: float = 1.0
    redact: tuple[str, ...] = ()
    keep: int = 30

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {"sample": self.sample, "redact": list(self.redact), "keep": self.keep}


def of_document(found: Mapping[str, Any] | None) -> Predictions | None:
    """What `document` gave; nothing is nothing kept."""
    return None if found is None else Predictions(float(found["sample"]), tuple(found["redact"]), int(found["keep"]))
