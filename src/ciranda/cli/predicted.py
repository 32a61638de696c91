"""What is kept of one request, as people read it: what was asked, what was answered, what was said of it later."""

from collections.abc import Mapping
from typing import Any

from ciranda.app.views import predictions
from ciranda.cli import tracing, words
from ciranda.monitor.predictions.reading import Known

_OWN = ("request_id", "row", "at", "release")


def lines(known: Known, most: int = 10) -> list[str]:
    """What was asked and answered, a line a row, and what was said of it, where it is kept."""
    told: list[str] = []
    for row in known.rows[:most]:
        asked = {
            name: value for name, value in row.items() if not _answer(name) and name not in _OWN and value is not None
        }
        answer = {name: value for name, value in row.items() if _answer(name) and value is not None}
        given = " ".join(f"{name}={_value(value)}" for name, value in asked.items())
        got = ", ".join(
            _value(value) if name == "prediction" else f"{name[11:]}={_value(value)}" for name, value in answer.items()
        )
        told.append(tracing.fact("" if told else "predicted", words.clip(f"{got}  from {given}", 90)))
    if len(known.rows) > most:
        told.append(tracing.fact("", f"… and {len(known.rows) - most:,} more rows: --json"))
    for number, one in enumerate(known.said[:most]):
        parts = [f"{name} {_value(one[name])}" for name in ("truth", "rating") if one.get(name) is not None]
        which = f"row {one['row']}: " if len(known.rows) > 1 else ""
        told.append(tracing.fact("" if number else "said of it", f"{which}{', '.join(parts)}"))
    return told


def _answer(name: str) -> bool:
    return name == "prediction" or name.startswith("prediction.")


def _value(value: Any) -> str:
    return words.number(value) if isinstance(value, float) else str(value)


def document(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON has it, without the columns that it has nothing in."""
    return {name: predictions.plain(value) for name, value in row.items() if value is not None}
