"""Codecs: how a value is stored, and how the reader's annotation decides what it gets back.

A codec has a name, the types it stores, and two functions:

* `dump(value, path)` stores a value: it returns the bytes, or writes `path` (a file or a folder) and returns None.
  It raises `Unstorable` where the value cannot be kept whole.
* `load(source, wanted)` gives it back: `source` is a path, or the bytes; `wanted` the reader's annotation by its
  public name ("polars.LazyFrame"), "" where there is none.

A distribution adds types through the entry point group `ciranda.codecs`: each entry point names a `Codec`. The codecs
below are held the same way; they come first, and pickle comes after all others.
"""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional, Union

from ciranda.runtime import rule, sources, tables
from ciranda.runtime.spill import SMALL, Spill

GROUP = "ciranda.codecs"
PATH = ("pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "os.PathLike", "pathlib._local.Path")

Bytes = Union[Path, bytes]


class Unstorable(Exception):
    """A value that no codec keeps whole; the message says what it is."""


class Unloadable(Exception):
    """Bytes that do not become what the reader asked for."""


def always(_value: Any) -> bool:
    """What a codec says that keeps every value of its types whole."""
    return True


@dataclass(frozen=True)
class Codec:
    """One way to store values. `types` are the public names of the types it takes, matched exactly."""

    name: str
    types: tuple[str, ...]
    dump: Callable[[Any, Path], Optional[bytes]]
    load: Callable[[Bytes, str], Any]
    takes: Callable[[Any], bool] = always  # whether it keeps this value of its types whole


def dump(value: Any, path: Path, wanted: str = "") -> tuple[str, Optional[bytes]]:
    """Store a value: the codec's name, and its bytes, or None where `path` was written.

    `wanted` is the annotation of what the function returns. Raises Unstorable.
    """
    if value is None:
        raise Unstorable("None, which leaves nothing to keep; return what it makes")
    if isinstance(value, str) and wanted in PATH:
        value = Path(value)
    if isinstance(value, os.PathLike):
        return _dump_path(Path(value), path)
    codec = _for_value(value)
    if codec is None:
        return "pickle", _dump_pickle(value, path)
    return codec.name, codec.dump(value, path)


def load(source: Bytes, codec: str, wanted: str = "") -> Any:
    """A stored value as its reader wants it. Raises Unloadable, or what the library that reads it raises."""
    if wanted in PATH:
        if isinstance(source, bytes):
            raise Unloadable("a value that has no file was asked for as a Path")
        return source
    if codec == "files":
        if isinstance(source, bytes):
            raise Unloadable("a source is files, not bytes")
        return sources.load(source, wanted)
    return named(codec).load(source, wanted)


def named(name: str) -> Codec:
    """The codec of that name. Raises Unloadable where neither Ciranda nor an installed distribution has it."""
    for codec in BUILT_IN:
        if codec.name == name:
            return codec
    for codec in contributed():
        if codec.name == name:
            return codec
    raise Unloadable(f"no codec is named {name!r} here: the distribution that adds it is not installed")


def contributed() -> list[Codec]:
    """The codecs that installed distributions add, by name of their entry point."""
    from importlib.metadata import entry_points

    found: Any = entry_points()
    points = found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, ())
    codecs = [point.load() for point in sorted(points, key=lambda point: point.name)]
    for codec in codecs:
        if not isinstance(codec, Codec):
            raise Unloadable(f"the entry point group {GROUP} holds {codec!r}, which is no ciranda.runtime.codecs.Codec")
    return codecs


def lasting(value: Any) -> bool:
    """Whether a value cannot be changed in place, so that a worker may hand it to the next step as it is."""
    return type(value) in (bytes, str, int, float, bool) or tables.lasting(value)


def wanted(annotation: Any) -> str:
    """The public name under which `load` knows an annotation: of a class, that of the first base that codecs know."""
    annotation = rule.single(annotation)
    kind = getattr(annotation, "__origin__", annotation)
    if isinstance(kind, type):
        for base in kind.__mro__:
            said = rule.public(base)
            if said in tables.TYPES:
                return said
            if said in PATH:
                return "pathlib.Path"
    return rule.spell(annotation)


def shape(value: Any) -> dict[str, int]:
    """Rows and columns of a table or an array, as far as they are known without work."""
    found = tables.shape(value)
    return {} if found is None else {"rows": found[0], **({} if found[1] is None else {"columns": found[1]})}


def _for_value(value: Any) -> Optional[Codec]:
    said = rule.public(type(value))
    for codec in BUILT_IN:
        if said in codec.types:
            return codec if codec.takes(value) else None
    if getattr(value, "shape", None) == () and rule.public(type(value)).startswith("numpy.") and _is_json(value.item()):
        return JSON
    if type(value).__module__ == "builtins":
        return None
    return next((codec for codec in contributed() if said in codec.types and codec.takes(value)), None)


def _is_json(value: Any) -> bool:
    """Whether JSON gives back an equal value of the same type: no tuples, no NaN, no keys but strings."""
    kind = type(value)
    if kind in (str, int, bool) or value is None:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return all(_is_json(item) for item in value)
    if kind is dict:
        return all(type(key) is str and _is_json(item) for key, item in value.items())
    return False


def _dump_path(value: Path, path: Path) -> tuple[str, None]:
    """A file or folder: moved where the step made it beside its results, copied from anywhere else."""
    if not value.exists():
        raise Unstorable(f"the path {value}, where there is nothing")
    kind = "folder" if value.is_dir() else "file"
    mine = path.parent.resolve() in value.resolve().parents and not value.is_symlink()
    if mine and not (kind == "folder" and any(item.is_symlink() for item in value.rglob("*"))):
        os.replace(value, path)
    elif kind == "folder":
        shutil.copytree(value, path)
    else:
        shutil.copyfile(value, path)
    return kind, None


def _load_path(source: Bytes, wanted: str) -> Any:
    if isinstance(source, bytes):
        if wanted in ("bytes", "str", ""):
            return source if wanted != "str" else source.decode()
        raise Unloadable("a file without a path")
    if wanted == "bytes":
        return source.read_bytes()
    if wanted == "str":
        return source.read_text(encoding="utf-8")
    return source


def _dump_json(value: Any, _path: Path) -> bytes:
    plain = value.item() if hasattr(value, "item") else value
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _load_json(source: Bytes, wanted: str) -> Any:
    data = _data(source)
    if wanted == "bytes":
        return data
    text = data.decode("utf-8", "surrogatepass")
    return text if wanted == "str" else json.loads(text)


def _dump_text(value: str, _path: Path) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _load_text(source: Bytes, wanted: str) -> Any:
    data = _data(source)
    return data if wanted == "bytes" else data.decode("utf-8", "surrogatepass")


def _dump_bytes(value: Any, _path: Path) -> bytes:
    return bytes(value)


def _load_bytes(source: Bytes, wanted: str) -> Any:
    data = _data(source)
    return data.decode("utf-8") if wanted == "str" else bytearray(data) if wanted == "bytearray" else data


def _is_plain_array(value: Any) -> bool:
    return not value.dtype.hasobject


def _dump_npy(value: Any, path: Path) -> Optional[bytes]:
    import numpy

    if value.nbytes < SMALL:
        sink = io.BytesIO()
        numpy.save(sink, value, allow_pickle=False)
        return sink.getvalue()
    with path.open("wb") as file:
        numpy.save(file, value, allow_pickle=False)
    return None


def _load_npy(source: Bytes, wanted: str) -> Any:
    import numpy

    found = numpy.load(io.BytesIO(source) if isinstance(source, bytes) else source, allow_pickle=False)
    return found.tolist() if wanted == "list" else found


def _dump_pickle(value: Any, path: Path) -> Optional[bytes]:
    sink = Spill(path)
    try:
        pickle.dump(value, sink, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError, NotImplementedError, ValueError) as error:
        raise Unstorable(f"{article(value)}, which cannot be pickled: {error}") from error
    return sink.finish()


def _load_pickle(source: Bytes, _wanted: str) -> Any:
    if isinstance(source, bytes):
        return pickle.loads(source)
    with source.open("rb") as file:
        return pickle.load(file)


def article(value: Any) -> str:
    """How a message names a value: "a generator", "an app.Thing"."""
    said = rule.public(type(value))
    return f"{'an' if said[0].lower() in 'aeiou' else 'a'} {said}"


def _data(source: Bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


JSON = Codec("json", ("dict", "list", "int", "float", "bool"), _dump_json, _load_json, _is_json)
BUILT_IN = (
    Codec("parquet", tables.TYPES, tables.dump, tables.load, tables.whole),
    Codec("npy", ("numpy.ndarray",), _dump_npy, _load_npy, _is_plain_array),
    JSON,
    Codec("text", ("str",), _dump_text, _load_text),
    Codec("bytes", ("bytes", "bytearray"), _dump_bytes, _load_bytes),
    Codec("file", (), lambda value, path: _dump_path(value, path)[1], _load_path),
    Codec("folder", (), lambda value, path: _dump_path(value, path)[1], _load_path),
    Codec("pickle", (), _dump_pickle, _load_pickle),
)
