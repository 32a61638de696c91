"""Names of repositories and refs: what a client may write, decided without Git."""

import re
import unicodedata
from collections.abc import Iterable

from ciranda.kernel import errors

RESERVED = frozenset({"api", "git", "static", "login", "metrics", "-"})
LONGEST = 200  # bytes of a ref, so that its file fits every file system with the lock beside it
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FORBIDDEN = frozenset(" ~^:?*[\\")


def check_name(name: str) -> str:
    """The name of a repository, or `errors.Invalid`."""
    if not _NAME.fullmatch(name) or name in RESERVED:
        rule = "a letter, then at most 39 letters, digits and hyphens, all lower case"
        raise errors.Invalid(
            f"{plain(name)!r} cannot name a repository: {rule}; {', '.join(sorted(RESERVED))} are reserved"
        )
    return name


def check_commit(commit: str) -> str:
    """A full commit name, or `errors.Invalid`: nothing else may reach Git's command line."""
    if not _COMMIT.fullmatch(commit):
        raise errors.Invalid(f"{plain(commit)!r} is not the full name of a commit (40 hexadecimal digits)")
    return commit


def refusal(ref: str) -> str | None:
    """Why a client may not write this ref, or None: only branches and tags, with names that no shell, terminal or file system mistakes."""
    kind, _, name = ref.removeprefix("refs/").partition("/")
    if not ref.startswith("refs/") or kind not in ("heads", "tags") or not name:
        return "only branches (refs/heads/…) and tags (refs/tags/…) can be pushed"
    try:
        size = len(ref.encode())
    except UnicodeEncodeError:
        return "the name is not UTF-8"
    if size > LONGEST:
        return f"the name is longer than {LONGEST} bytes"
    if any(character in _FORBIDDEN or not _visible(character) for character in name):
        return "the name holds a space, a control character or one of ~^:?*[\\"
    if ".." in name or "@{" in name or name == "@" or name.endswith("."):
        return "the name holds .. or @{, or ends with a dot"
    for part in name.split("/"):
        if not part:
            return "the name has an empty part"
        if part[0] in ".-" or part.lower().endswith(".lock"):
            return "a part of the name begins with . or -, or ends with .lock"
        if part.lower() in ("head", ".git", "refs"):
            return f"{part} is a name of Git's own"
    return None


def clash(ref: str, known: Iterable[str]) -> str | None:
    """The known ref that lies on the way to this one, or below it: Git keeps refs as files, and a file is no folder."""
    return next(
        (other for other in known if f"{other}/".startswith(f"{ref}/") != f"{ref}/".startswith(f"{other}/")), None
    )


def plain(name: str) -> str:
    """A name for a message: what a terminal could obey is left out, and it is cut at 80 characters."""
    shown = "".join(character for character in name if character.isprintable())
    return shown if len(shown) <= 80 else shown[:79] + "…"


def _visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ"
