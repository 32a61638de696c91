"""The configuration of an environment: typed values, each with its layer; the last layer that speaks wins.

The layers: `default` (what `[config.NAME]` says), `environments.NAME` (what the commit says of an environment), `server`
(what `ciranda config set` said).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ciranda.kernel import errors
from ciranda.project.values import Scalar

LONGEST = 1 << 16  # bytes of a value: a process takes no longer variable than twice that
SAID = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}


class Declared(Protocol):
    """A setting as a commit declares it."""

    @property
    def type(self) -> str:
        """`str`, `int`, `float` or `bool`."""

    @property
    def default(self) -> Scalar:
        """What it is where no layer says otherwise."""


@dataclass(frozen=True, slots=True)
class Value:
    """A configuration value and the layer that decided it."""

    value: Scalar
    layer: str


def resolve(
    settings: Mapping[str, Declared], environment: str, values: Mapping[str, Scalar], server: Mapping[str, Scalar]
) -> dict[str, Value]:
    """Every declared setting of an environment; `values` is its layer in the commit. What is set but not declared is left out.

    Raises errors.Refused for a value that was set on the server and is not of the declared type.
    """
    result = {name: Value(setting.default, "default") for name, setting in settings.items()}
    result |= {name: Value(value, f"environments.{environment}") for name, value in values.items()}
    for name, given in server.items():
        if name in settings:
            value = typed(settings[name].type, given)
            if value is None:
                raise errors.Refused(
                    f"{name} is set to {text(given)} for {environment} on the server, and the release declares "
                    f"{SAID[settings[name].type]}",
                    hint=f"ciranda config set {name}=… -e {environment}   or: ciranda config unset {name} -e {environment}",
                )
            result[name] = Value(value, "server")
    return result


def typed(type: str, value: Scalar) -> Scalar | None:
    """The value as its declared type has it (a whole number may stand for a number); None if it is of another type."""
    match type, value:
        case "bool", bool():
            return value
        case _, bool():
            return None
        case ("str", str()) | ("int", int()):
            return value
        case "float", int() | float():
            return float(value)
        case _:
            return None


def parsed(type: str, written: str) -> Scalar | None:
    """A value as a person writes it on a command line; None if it is not of the type."""
    try:
        match type:
            case "str":
                return written
            case "bool":
                return {"true": True, "false": False}.get(written.lower())
            case "int":
                return int(written)
            case _:
                number = float(written)
                return number if math.isfinite(number) else None
    except ValueError:
        return None


def unfit(value: Scalar) -> str:
    """Why no environment variable can hold a value; "" where one can."""
    if "\0" in (written := text(value)):
        return "holds a NUL, which no variable can"
    length = len(written.encode())
    return f"is {length:,} bytes long, more than {LONGEST:,}" if length > LONGEST else ""


def text(value: Scalar) -> str:
    """A value as an environment variable holds it: `true` and `false` in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)
