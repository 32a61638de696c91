"""A saved plan as a file: it names a plan of the ledger, and that is all; what is done is what the ledger says."""

import json
from pathlib import Path
from typing import Any

from ciranda.environment import plans
from ciranda.kernel import errors, files

FORMAT = "ciranda.plan/1"
LARGEST = 1 << 16  # bytes


def document(made: plans.Plan) -> dict[str, Any]:
    """What the file of a plan holds."""
    return {
        "format": FORMAT,
        "digest": made.digest,
        "project": made.project,
        "environment": made.environment,
    }


def write(path: Path, made: plans.Plan) -> None:
    """Write the file of a plan, whole or not at all. Raises errors.Refused where it cannot be written."""
    try:
        files.write_atomic(path, json.dumps(document(made), indent=2).encode() + b"\n")
    except OSError as error:
        raise errors.Refused(f"{path} cannot be written: {error.strerror}") from None


def named(given: str) -> str:
    """The digest that a person gave: a file of `plan --out`, or a digest or its beginning as it is.

    Raises errors.NotFound when there is no such file, errors.Invalid for a file that is no plan.
    """
    path = Path(given)
    if given.startswith("b3:") or not (path.exists() or "/" in given or "." in given):
        return given
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(LARGEST))
    except FileNotFoundError:
        raise errors.NotFound(
            f"there is no file {given}", hint=f"make one: ciranda plan -e ENVIRONMENT --out {given}"
        ) from None
    except (OSError, ValueError):
        raise _no_plan(given) from None
    if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("digest"), str):
        raise _no_plan(given)
    return str(found["digest"])


def _no_plan(given: str) -> errors.Invalid:
    return errors.Invalid(f"{given} is not a plan", hint="make one: ciranda plan -e ENVIRONMENT --out FILE")
