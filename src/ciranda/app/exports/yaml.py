"""YAML as a person would write it, for what we write ourselves: mappings, lists, texts, numbers. Pure.

Every text is in double quotes with the escapes of JSON, which YAML 1.2 has too, so that none is taken for anything else.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def text(value: Mapping[str, Any], comments: Sequence[str] = ()) -> str:
    """A document; `comments` come first, a line each."""
    return "".join(f"{line}\n" for line in [*(f"# {one}" for one in comments), *_lines(value)])


def _lines(value: Any) -> Iterator[str]:
    match value:
        case Mapping() if value:
            for key, inner in value.items():
                yield from _entry(f"{key}:", inner)
        case list() | tuple() if value:
            for inner in value:
                first, *rest = _lines(inner)
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
        case _:
            yield json.dumps(value, ensure_ascii=False)


def _entry(key: str, inner: Any) -> Iterator[str]:
    if isinstance(inner, Mapping | list | tuple) and inner:
        yield key
        yield from (f"  {line}" for line in _lines(inner))
    else:
        yield f"{key} {json.dumps(inner, ensure_ascii=False)}"
