"""`ciranda.load`: the assets of a service or a verification, by name (instance contract 1)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from ciranda.runtime import codecs, sources


class NoAsset(LookupError):
    """An asset that this process was not given; the message names what there is."""


def load(name: str, type: Any = None) -> Any:
    """The asset `name` that this service or verification runs with, as `type` where one is given.

    Raises NoAsset where the process was given no asset of that name.
    """
    return loaded(name, codecs.wanted(type), os.environ)


def loaded(name: str, wanted: str, variables: Mapping[str, str]) -> Any:
    """The asset that CIRANDA_ASSET_<NAME> and CIRANDA_CODEC_<NAME> name."""
    path = variables.get(f"CIRANDA_ASSET_{name.upper()}")
    codec: Optional[str] = variables.get(f"CIRANDA_CODEC_{name.upper()}")
    if path is None or codec is None:
        has = sorted(key[len("CIRANDA_ASSET_") :].lower() for key in variables if key.startswith("CIRANDA_ASSET_"))
        there = f"it has {', '.join(has)}" if has else "it has none"
        raise NoAsset(
            f"no asset {name!r} was given to this process; {there}. Name it in `uses` of the service, or say where from: "
            f'ciranda.load({name!r}, environment="prod").'
        )
    source = Path(path)
    if codec == "files" and wanted == "pathlib.Path":
        return sources.path(source, one=True)
    return codecs.load(source, codec, wanted)
