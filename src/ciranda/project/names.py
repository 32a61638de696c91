"""Which names a project, a service or an environment may have, and what one that does not exist probably meant."""

import difflib
import re
from collections.abc import Iterable

PATTERN = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")
# First parts of paths that control and gateway answer themselves.
RESERVED = frozenset({"api", "git", "static", "login", "metrics", "-"})


def problem(name: str) -> str | None:
    """Why a project, service or environment cannot have this name; None if it can."""
    if name in RESERVED:
        return f'"{name}" is a reserved name ({", ".join(sorted(RESERVED))})'
    if not PATTERN.match(name):
        return f'"{name}" is not a name: a small letter, then up to 39 small letters, digits and hyphens'
    return None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `name`, if one looks like it at all."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean "delay"?`, or an empty string."""
    close = nearest(name, known)
    return f'did you mean "{close}"?' if close else ""
