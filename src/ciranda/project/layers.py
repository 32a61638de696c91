"""The configuration of an environment: typed values, each with its layer; the last layer that speaks wins."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ciranda.kernel import errors
from ciranda.project import names
from ciranda.project.declaration import Project, Scalar

Layer = Literal["default", "environment", "server"]
SAID = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}


@dataclass(frozen=True, slots=True)
class Value:
    """A configuration value and what decided it: the default, the environment in `ciranda.toml`, or the server."""

    value: Scalar
    layer: Layer


def resolve(project: Project, environment: str, on_server: Mapping[str, Scalar] | None = None) -> dict[str, Value]:
    """Every declared setting of an environment. `on_server` is what was set for it there.

    Raises errors.NotFound for an environment that is not declared, errors.Invalid for a value set on the server
    that is not declared (any more) or not of its type.
    """
    declared = next((found for found in project.environments if found.name == environment), None)
    if declared is None:
        known = [found.name for found in project.environments]
        hint = names.suggestion(environment, known) or f"known: {', '.join(known) or 'none'}"
        raise errors.NotFound(
            f'"{environment}" is not an environment of {project.name}', where="ciranda.toml", hint=hint
        )
    settings = {setting.name: setting for setting in project.settings}
    result = {setting.name: Value(setting.default, "default") for setting in project.settings}
    result |= {name: Value(value, "environment") for name, value in declared.config.items()}
    for name, given in (on_server or {}).items():
        if name not in settings:
            raise errors.Invalid(
                f'"{name}" is set for {environment} on the server, but not declared',
                hint=f"declare it: [config.{name}]",
            )
        value = typed(settings[name].type, given)
        if value is None:
            raise errors.Invalid(
                f"{name} is set to {given!r} for {environment} on the server, not to {SAID[settings[name].type]}"
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


def text(value: Scalar) -> str:
    """A value as an environment variable holds it: `true` and `false` in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)
