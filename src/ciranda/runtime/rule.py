"""The one rule for what a function takes.

No default: an asset of that name. A default that is a marker: filled in. Any other default: a parameter.
"""

from __future__ import annotations

import inspect
import json
import sys
import types
import typing
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ciranda.runtime.markers import NAME, Live, Run

UNIONS = (typing.Union, getattr(types, "UnionType", typing.Union))


class Mistake(Exception):
    """A function that cannot be a step or a check; the message says why."""


@dataclass(frozen=True)
class Input:
    """One parameter that Ciranda fills in; the fields of `pipeline.records.Input`."""

    parameter: str
    asset: str  # "" for the marker run()
    marker: Optional[str]  # None, "live" or "run"
    type: str


@dataclass(frozen=True)
class Taken:
    """What a function takes and returns."""

    inputs: tuple[Input, ...]
    parameters: dict[str, Any]  # defaults, as JSON values
    returns: str
    signature: inspect.Signature
    hints: dict[str, Any]  # annotations, resolved


def taken(function: Callable[..., Any], kind: str) -> Taken:
    """Apply the rule to a function. Raises Mistake."""
    signature = inspect.signature(function)
    hints = hints_of(function)
    inputs: list[Input] = []
    parameters: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise Mistake(f"it takes {parameter}, but each asset and parameter has to be named")
        default = parameter.default
        said = spell(hints.get(name))
        if default is parameter.empty:
            if not NAME.match(name):
                raise Mistake(f"its parameter {name!r} is no name of an asset (lower-case letters, digits and _)")
            inputs.append(Input(name, name, None, said))
        elif isinstance(default, Live):
            if kind != "check":
                raise Mistake(f"{name}=live({default.asset!r}): what is live is an input of a check, not of a {kind}")
            inputs.append(Input(name, default.asset, "live", said))
        elif isinstance(default, Run):
            inputs.append(Input(name, "", "run", said))
        else:
            parameters[name] = plain(name, default)
    return Taken(tuple(inputs), parameters, spell(hints.get("return")), signature, hints)


def plain(name: str, default: Any) -> Any:
    """A parameter's default as a JSON value. Raises Mistake."""
    try:
        return json.loads(json.dumps(default, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise Mistake(f"its parameter {name} has the default {default!r}, which JSON cannot say: {error}") from error


def coerce(default: Any, value: Any) -> Any:
    """A parameter's value as the function expects it: a tuple or a float where its default is one."""
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function, resolved where possible; one that is not stays the string it is."""
    inner = inspect.unwrap(function)
    try:
        return typing.get_type_hints(inner)
    except Exception:  # noqa: BLE001 - annotations are arbitrary expressions of the user's
        hints: dict[str, Any] = {}
        for name, annotation in getattr(inner, "__annotations__", {}).items():
            hints[name] = annotation
            if isinstance(annotation, str):
                try:
                    hints[name] = eval(annotation, inner.__globals__)
                except Exception:  # noqa: BLE001
                    continue
        return hints


def spell(annotation: Any) -> str:
    """The public, fully qualified name of an annotation ("polars.DataFrame", "list[service.Flight]"), "" for none."""
    if annotation is None or annotation is inspect.Parameter.empty or annotation is Any:
        return ""
    if isinstance(annotation, str):
        return annotation
    annotation = single(annotation)
    if annotation is type(None):
        return ""
    origin = typing.get_origin(annotation)
    if origin is not None:
        if not isinstance(origin, type):
            return str(annotation)
        inner = ", ".join("..." if item is ... else spell(item) or "typing.Any" for item in typing.get_args(annotation))
        return f"{public(origin)}[{inner}]"
    if isinstance(annotation, type):
        return public(annotation)
    return str(annotation)


def single(annotation: Any) -> Any:
    """The annotation without `Annotated` and without `None` as an alternative."""
    if hasattr(annotation, "__metadata__"):
        return single(annotation.__origin__)
    if typing.get_origin(annotation) in UNIONS:
        rest = [item for item in typing.get_args(annotation) if item is not type(None)]
        if len(rest) == 1:
            return single(rest[0])
    return annotation


def public(kind: type) -> str:
    """The shortest name under which a type is found: its package's top module where that has it, else its own."""
    module, name = kind.__module__, kind.__qualname__
    if module == "builtins":
        return name
    parts = module.split(".")
    for end in range(1, len(parts)):
        outer = sys.modules.get(".".join(parts[:end]))
        if outer is not None and getattr(outer, name, None) is kind:
            return f"{outer.__name__}.{name}"
    return f"{module}.{name}"
