"""Records to JSON text and back, as the ledger keeps them."""

import json
from dataclasses import fields
from typing import Any

from ciranda.pipeline.records import Check, Description, Input, Outcome, Step, Version

_VERSION = tuple(field.name for field in fields(Version))
_OUTCOME = tuple(field.name for field in fields(Outcome))


def text(value: Any) -> str:
    """JSON in one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def version_text(version: Version) -> str:
    return text({name: getattr(version, name) for name in _VERSION})


def version(kept: str) -> Version:
    return Version(**json.loads(kept))


def outcome_text(outcome: Outcome) -> str:
    return text({name: getattr(outcome, name) for name in _OUTCOME})


def outcome(kept: str) -> Outcome:
    return Outcome(**json.loads(kept))


def description(told: dict[str, Any]) -> Description:
    """A description as the worker tells it. Raises KeyError, TypeError for what is not one."""
    return Description(
        steps=tuple(Step(**{**step, "inputs": _inputs(step)}) for step in told["steps"]),
        checks=tuple(Check(**{**check, "inputs": _inputs(check)}) for check in told["checks"]),
        modules={path: tuple(inner) for path, inner in told["modules"].items()},
        distributions=dict(told["distributions"]),
        imports={path: tuple(inner) for path, inner in told["imports"].items()},
        python=str(told["python"]),
        platform=str(told["platform"]),
    )


def _inputs(node: dict[str, Any]) -> tuple[Input, ...]:
    return tuple(Input(**each) for each in node["inputs"])
