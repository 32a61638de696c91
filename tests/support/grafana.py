"""Whether a dashboard is what Grafana takes: its own types (grafana-foundation-sdk), read strictly.

The package's readers pass over what they do not know and believe what they know. So what was read is written again, and has to hold
everything that was there; and each field is compared with the type that it is declared to have.
"""

import enum
import json
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

plugins.register_default_plugins()


def problems(dashboard: Mapping[str, Any]) -> list[str]:
    """What Grafana would not take, by its path."""
    read = Dashboard.from_json(json.loads(json.dumps(dashboard)))
    written = json.loads(json.dumps(read, cls=JSONEncoder))
    return [*_lost(dashboard, written, "dashboard"), *_mistyped(read, Dashboard, "dashboard")]


def _lost(given: Any, written: Any, place: str) -> Iterator[str]:
    """What is not there any more."""
    if isinstance(given, Mapping):
        for key, inner in given.items():
            if not isinstance(written, Mapping) or key not in written:
                yield f"{place}.{key} is not known"
            else:
                yield from _lost(inner, written[key], f"{place}.{key}")
    elif isinstance(given, list | tuple):
        for number, inner in enumerate(given):
            yield from _lost(inner, written[number], f"{place}[{number}]")
    elif given != written:
        yield f"{place} is {given!r}, and is taken for {written!r}"


def _mistyped(value: Any, wanted: Any, place: str) -> Iterator[str]:
    """What does not have its type."""
    origin = typing.get_origin(wanted)
    if origin in (typing.Union, types.UnionType):
        each = [list(_mistyped(value, one, place)) for one in typing.get_args(wanted)]
        yield from min(each, key=len)
    elif origin is typing.Literal:
        if value not in typing.get_args(wanted):
            yield f"{place} is {value!r}, none of {typing.get_args(wanted)}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{place} is no list"
        else:
            for number, inner in enumerate(value):
                yield from _mistyped(inner, typing.get_args(wanted)[0], f"{place}[{number}]")
    elif wanted in (typing.Any, object) or origin is dict or getattr(wanted, "_is_protocol", False):
        yield from _fields(value, place)
    elif isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        if value not in [one.value for one in wanted]:
            yield f"{place} is {value!r}, none of {[one.value for one in wanted]}"
    elif wanted is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{place} is {value!r}, no number"
    elif wanted is type(None):
        if value is not None:
            yield f"{place} is {value!r}"
    elif isinstance(value, dict) and hasattr(wanted, "from_json"):  # the package reads it no deeper
        deeper = wanted.from_json(value)
        yield from _lost(value, json.loads(json.dumps(deeper, cls=JSONEncoder)), place)
        yield from _mistyped(deeper, wanted, place)
    elif not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        yield f"{place} is {value!r}, no {wanted.__name__}"
    else:
        yield from _fields(value, place)


def _fields(value: Any, place: str) -> Iterator[str]:
    """The fields of what the package has a class for."""
    if type(value).__module__.startswith("grafana_foundation_sdk.models"):
        if isinstance(value, enum.Enum):
            return
        for name, wanted in typing.get_type_hints(type(value)).items():
            yield from _mistyped(getattr(value, name), wanted, f"{place}.{name}")
