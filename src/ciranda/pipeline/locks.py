"""What a tree says of its interpreter: `uv.lock`, `requirements.txt` or the dependencies in `pyproject.toml`."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.kernel import digest, errors

LOCK, REQUIREMENTS, PROJECT = "uv.lock", "requirements.txt", "pyproject.toml"
PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*[^\s;,*]+\s*(?:[;\\].*|--hash.*)?\Z")
OTHER = re.compile(r"\s*(?:-r|--requirement|-c|--constraint)(?:\s+|=)(\S+)")
FOLDER = re.compile(r"\s*(?:(?:-e|--editable)(?:\s+|=)\S+|\.{1,2}(?:/\S*)?(?:\s|\Z)|\S+\s*@\s*(?:file:|\.{0,2}/))")


@dataclass(frozen=True, slots=True)
class Lock:
    """A declaration of dependencies in a tree."""

    tree: Path
    name: str  # "uv.lock", "requirements.txt" or "pyproject.toml"
    digest: str  # of everything that decides what is installed
    python: str  # a specifier (">=3.10") or a version ("3.12"); "" for any
    hashed: bool = False  # each requirement names its hashes
    pinned: frozenset[str] = frozenset()  # requirements.txt: names that are pinned to one version

    @property
    def file(self) -> Path:
        """The file in the tree."""
        return self.tree / self.name


def resolve(tree: Path) -> Lock | None:
    """What the tree declares: the first of uv.lock, requirements.txt, pyproject.toml's dependencies; None without any.

    Raises errors.Invalid naming the file for what cannot be read, and for requirements that lie in the tree itself.
    """
    project = _toml(tree / PROJECT)
    python = _python(tree, project)
    if (tree / LOCK).is_file():
        data = (tree / LOCK).read_bytes()
        relevant = {"groups": project.get("dependency-groups"), "uv": project.get("tool", {}).get("uv")}
        return Lock(tree, LOCK, _digest(LOCK, data, relevant), python or _locked_python(tree / LOCK))
    if (tree / REQUIREMENTS).is_file():
        files = _requirement_files(tree, tree / REQUIREMENTS)
        lines = [line for text in files.values() for line in _lines(text)]
        names = [found[1] for line in lines if (found := PINNED.match(line))]
        return Lock(
            tree,
            REQUIREMENTS,
            digest.of("lock", [[name, text] for name, text in sorted(files.items())]),
            python,
            hashed=any("--hash=" in line for line in lines),
            pinned=frozenset(normal(name) for name in names),
        )
    declared = project.get("project", {})
    if declared.get("dependencies") or "dependencies" in declared:
        relevant = {"dependencies": declared.get("dependencies"), "groups": project.get("dependency-groups")}
        return Lock(tree, PROJECT, _digest(PROJECT, b"", {**relevant, "uv": project.get("tool", {}).get("uv")}), python)
    return None


def normal(name: str) -> str:
    """A distribution's name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def has_group(tree: Path, group: str) -> bool:
    """Whether `pyproject.toml` declares a dependency group of that name."""
    return group in _toml(tree / PROJECT).get("dependency-groups", {})


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.Invalid(f"{path.name} cannot be read: {error}", where=str(path)) from error


def _python(tree: Path, project: Mapping[str, Any]) -> str:
    """The Python that is asked for: the first line of `.python-version`, else `requires-python`."""
    named = tree / ".python-version"
    if named.is_file():
        for line in named.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.strip() and not line.startswith("#"):
                return line.strip()
    return str(project.get("project", {}).get("requires-python", "")).strip()


def _locked_python(path: Path) -> str:
    return str(_toml(path).get("requires-python", "")).strip()


def _digest(name: str, data: bytes, relevant: Mapping[str, Any]) -> str:
    said = json.dumps(relevant, sort_keys=True, default=str)
    return digest.of("lock", [name, digest.digest("object", data), said])


def _requirement_files(tree: Path, start: Path) -> dict[str, str]:
    """A requirements file and those that it names (-r, -c), by path: their text."""
    found: dict[str, str] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        name = str(path.relative_to(tree)) if path.is_relative_to(tree) else str(path)
        if name in found:
            continue
        try:
            found[name] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise errors.Invalid(f"{name} cannot be read: {error}", where=str(start)) from error
        for number, line in enumerate(found[name].splitlines(), 1):
            if FOLDER.match(line):
                raise errors.Invalid(
                    f"{name}:{number} installs from a folder ({line.strip()}), which no lock can pin",
                    where=str(path),
                    hint="modules of the project are found in the tree and in its src/ by themselves: take the line out",
                )
            other = OTHER.match(line)
            if other and "://" not in other[1]:
                waiting.append((path.parent / other[1]).resolve())
    return found


def _lines(text: str) -> list[str]:
    """The requirements of a file, continued lines joined, comments taken out."""
    joined = re.sub(r"\\\s*\n", " ", text)
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line and not line.startswith("-")]
