"""Where we are and who we are, found out with next to nothing loaded."""

import os
import pwd
import time
from pathlib import Path

FILE = "ciranda.toml"


def folder(start: Path) -> Path | None:
    """The closest folder with a `ciranda.toml`, here or above."""
    return next((place for place in (start, *start.parents) if (place / FILE).is_file()), None)


def waited() -> float:
    """Seconds since this process was started: what a person has waited (to 10 ms)."""
    with open("/proc/self/stat", "rb") as file:
        began = int(file.read().rpartition(b")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - began)


def actor() -> str:
    """Who runs this, by the name that the system knows them under."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
