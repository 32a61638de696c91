"""Where we are and who we are, found out with next to nothing loaded."""

import os
import pwd
from pathlib import Path

FILE = "ciranda.toml"


def folder(start: Path) -> Path | None:
    """The closest folder with a `ciranda.toml`, here or above."""
    return next((place for place in (start, *start.parents) if (place / FILE).is_file()), None)


def actor() -> str:
    """Who runs this, by the name that the system knows them under."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
