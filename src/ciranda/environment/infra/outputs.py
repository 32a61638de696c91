"""Outputs of a folder as an environment's configuration and secrets: plain ones become values, sensitive ones sealed secrets. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from ciranda.environment.infra.answer import Output
from ciranda.kernel import digest, errors
from ciranda.project import layers
from ciranda.project.values import Scalar

LAYER = "infra"
ACTOR = "infra"  # who sets the secrets
UNKNOWN = "known after apply"  # what a value is called until it is there


def named(output: str, wanted: Collection[str]) -> str | None:
    """The name that an output has among `wanted`: its own, or its own in capitals (`db_host` is `DB_HOST`)."""
    return next((name for name in (output, output.upper()) if name in wanted), None)


def over(
    config: Mapping[str, layers.Value],
    settings: Mapping[str, layers.Declared],
    outputs: Mapping[str, Output],
) -> dict[str, layers.Value]:
    """A configuration with the outputs over what the commit says, and under what was set on the server.

    Raises errors.Refused for an output that is not of the declared type.
    """
    result = dict(config)
    for output, given in sorted(outputs.items()):
        name = named(output, settings)
        if name is None or given.sensitive or config[name].layer == "server":
            continue
        value = typed(settings[name].type, given.value) if given.known else UNKNOWN
        if value is None:
            raise errors.Refused(
                f"the infrastructure gives {output} as {_kind(given.value)}, and the release declares {name} to be "
                f"{layers.SAID[settings[name].type]}",
                hint=f"declare it otherwise in [config.{name}], or change the output",
            )
        if problem := layers.unfit(value):
            raise errors.Refused(f"the output {output} {problem}", hint="give something shorter")
        result[name] = layers.Value(value, LAYER)
    return result


def typed(type: str, value: Any) -> Scalar | None:
    """An output as a setting of a type has it; what is no text becomes text where text is declared. None: it is not of the type."""
    if type == "str" and not isinstance(value, str):
        return layers.text(value) if isinstance(value, bool | int | float) else digest.canonical(value).decode()
    return layers.typed(type, value) if isinstance(value, str | int | float | bool) else None


def secret(value: Any) -> bytes:
    """A sensitive output as the bytes of a secret: text as it is, everything else as JSON."""
    return value.encode() if isinstance(value, str) else digest.canonical(value)


def secret_name(output: str, needed: Collection[str]) -> str:
    """What the secret of a sensitive output is called: as the release names it, else in capitals."""
    return named(output, needed) or output.upper()


def of_state(told: Mapping[str, Any]) -> dict[str, Output]:
    """The outputs of a state (`terraform state pull`); the values of sensitive ones are in it."""
    return {
        name: Output(one.get("value"), sensitive=bool(one.get("sensitive", False)))
        for name, one in told.get("outputs", {}).items()
    }


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case None:
            return "nothing"
        case _:
            return "an object"
