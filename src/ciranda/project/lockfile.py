"""`ciranda.lock`: the large files of a project that Git does not carry, by path with digest and size, committed like any text."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ciranda.kernel import errors

FILE = "ciranda.lock"
FORMAT = "ciranda.lock/1"
_DIGEST = re.compile(r"b3:[0-9a-f]{64}\Z")
_LARGEST = 32 << 20  # bytes of the lock itself


@dataclass(frozen=True, slots=True)
class Locked:
    """A file: the digest of its bytes, and how many there are."""

    digest: str
    size: int


def read(folder: Path) -> dict[str, Locked]:
    """The files of the lock in a folder; none without one. Raises errors.Invalid for what is no lock."""
    try:
        if (folder / FILE).is_symlink() or (folder / FILE).stat().st_size > _LARGEST:
            raise _wrong("this is no lock of Ciranda")
        data = (folder / FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return parse(data)


def parse(data: bytes) -> dict[str, Locked]:
    """The files of a lock's bytes. Raises errors.Invalid with what is wrong."""
    try:
        told = json.loads(data.decode(), object_pairs_hook=_unique)
    except ValueError as error:
        conflict = b"<<<<<<<" in data
        hint = "take both sides' lines" if conflict else "git checkout the last one that was whole"
        raise _wrong("it has a merge conflict" if conflict else f"this is not JSON: {error}", hint) from None
    if not isinstance(told, dict) or told.get("format") != FORMAT or not isinstance(told.get("files"), dict):
        raise _wrong("this is not a lock that this Ciranda reads", "use the Ciranda that wrote it")
    found = {}
    for path, entry in told["files"].items():
        if bad_path(path):
            raise _wrong(f"it names {path!r}, which is not a path inside the project")
        match entry:
            case {"digest": str(digest), "size": int(size), **rest} if _DIGEST.match(digest) and size >= 0 and not rest:
                found[path] = Locked(digest, size)
            case _:
                raise _wrong(f"its entry of {path} is not a digest and a size")
    clash = next((path for path in found for above in _above(path) if above in found), None)
    if clash is not None:
        raise _wrong(f"{clash} lies below what is a file itself")
    return found


def text(files: Mapping[str, Locked]) -> str:
    """The lock: sorted, a line a file, so that Git merges it."""
    lines = [
        f'    {json.dumps(path, ensure_ascii=False)}: {{"digest": "{files[path].digest}", "size": {files[path].size}}}'
        for path in sorted(files)
    ]
    inner = "{\n" + ",\n".join(lines) + "\n  }" if lines else "{}"
    return f'{{\n  "format": "{FORMAT}",\n  "files": {inner}\n}}\n'


def bad_path(path: str) -> bool:
    """Whether this is no path that a lock may name."""
    parts = path.split("/")
    control = any(ord(character) < 32 or ord(character) == 127 for character in path)
    return control or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts) or path == FILE


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)} is there twice")
    return found


def _wrong(what: str, hint: str = "") -> errors.Invalid:
    return errors.Invalid(what, where=FILE, hint=hint)
