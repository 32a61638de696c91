"""The folder of an environment's infrastructure, as its files are: what it holds, where its state lies, whether it is whole. Pure."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from ciranda.kernel import digest, errors

OVERRIDE = "ciranda_backend_override.tf"  # written into the working copy alone
BACKEND = 'terraform {\n  backend "http" {}\n}\n'  # its address and its credentials come by the environment
_SUFFIXES = (".tf", ".tofu", ".tf.json", ".tofu.json")
_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|(?:#|//)[^\n]*', re.DOTALL)
_STATE = re.compile(r'(?:^|[\s{])(?:backend\s+"(?P<kind>[^"]+)"|(?P<cloud>cloud))\s*\{')
_JSON_STATE = re.compile(r'"(?:(?P<kind>backend)|(?P<cloud>cloud))"\s*:\s*[{\[]')
_SOURCE = re.compile(r'(?:^|[\s{])"?source"?\s*[=:]\s*"(?P<path>\.\.?/[^"]*)"')


class Entry(Protocol):
    """A file of a tree: its mode and the name of its blob, as Git writes them."""

    @property
    def mode(self) -> str:
        """Such as "100644"."""

    @property
    def blob(self) -> str:
        """The digest of its content."""


def within(paths: Iterable[str], folder: str) -> list[str]:
    """The paths that lie in the folder, as they are from there, sorted."""
    begin = f"{folder}/"
    return sorted(path.removeprefix(begin) for path in paths if path.startswith(begin))


def identity(listing: Mapping[str, Entry], folder: str) -> str:
    """The digest of the files of a folder: what decides whether two releases have the same infrastructure."""
    paths = within(listing, folder)
    return digest.of("folder", [[path, (one := listing[f"{folder}/{path}"]).blob, one.mode] for path in paths])


def configuration(paths: Iterable[str]) -> list[str]:
    """Of the paths in a folder, those that Terraform reads there and in the modules below."""
    return [path for path in paths if path.endswith(_SUFFIXES)]


def problem(folder: str, texts: Mapping[str, str]) -> str | None:
    """Why a folder cannot be an environment's infrastructure; None when it can. `texts` by path in the folder."""
    if not any("/" not in path for path in texts):
        return f"{folder} has no file of Terraform or OpenTofu (*.tf)"
    for path, text in sorted(texts.items()):
        for found in _SOURCE.finditer(_plain(text)):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found["path"]))
            if target.startswith(".."):
                return (
                    f"{folder}/{path} takes a module from {found['path']}, outside of {folder}: "
                    "what is not in the folder is not in its digest"
                )
    return None


def backend(texts: Mapping[str, str]) -> str:
    """Where the folder says that its state lies: "s3", "cloud" …; "" where it does not say, and Ciranda is the backend."""
    for path, text in sorted(texts.items()):
        if "/" in path:
            continue  # only the root module may say
        if path.endswith(".json"):
            found = _JSON_STATE.search(text)
            if found:
                return "cloud" if found["cloud"] else "another backend"
        elif found := _STATE.search(_plain(text)):
            return "cloud" if found["cloud"] else str(found["kind"])
    return ""


def refuse_override(texts: Mapping[str, str]) -> None:
    """Raises errors.Invalid for a file that would be taken for ours."""
    if OVERRIDE in texts:
        raise errors.Invalid(f"{OVERRIDE} is the name of a file that Ciranda writes", hint="call it otherwise")


def _plain(text: str) -> str:
    """The text without its comments; strings stay."""
    return _COMMENT.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)
