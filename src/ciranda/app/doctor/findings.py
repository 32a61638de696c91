"""A finding: what is so, where, and the command that mends it."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from ciranda.kernel import errors

Level = Literal["ok", "warn", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `what` in one line, `where` it is, `mend` the command that puts it right."""

    level: Level
    what: str
    where: str = ""
    mend: str = ""


def ok(what: str, where: str = "") -> Finding:
    """All is well with it."""
    return Finding("ok", what, where)


def warn(what: str, where: str = "", mend: str = "") -> Finding:
    """It works, and should not stay so."""
    return Finding("warn", what, where, mend)


def wrong(what: str, where: str = "", mend: str = "") -> Finding:
    """It does not work, or not as people trust that it does."""
    return Finding("wrong", what, where, mend)


def refused(error: errors.CirandaError) -> Finding:
    """An error as a finding."""
    return wrong(error.message, error.where, error.hint)


def guarded(what: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What a look finds. What keeps it from looking is a finding too: doctors see what is broken."""
    try:
        return list(look())
    except errors.CirandaError as error:
        return [refused(error)]
    except OSError as error:
        return [wrong(f"{what} cannot be read: {(error.strerror or str(error)).lower()}", str(error.filename or ""))]
    except _broken() as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        return [wrong(f"{what} cannot be made out: {said}", "", BACKUP)]


def size(number: int) -> str:
    """Bytes in powers of 1000: `31 MB`, `4.2 GB`, `820 bytes`."""
    if number < 1000:
        return f"{number} bytes"
    value, units = float(number), ["TB", "GB", "MB", "kB"]
    while (value := value / 1000) >= 999.5 and len(units) > 1:
        units.pop()
    return f"{value:.1f} {units[-1]}" if value < 9.95 else f"{value:.0f} {units[-1]}"


def plural(number: int, noun: str, many: str = "") -> str:
    """`1 file`, `12 files`."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def some(names: Iterable[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    listed = list(names)
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


BACKUP = "put the home back from a backup: ciranda restore FILE --home DIR"


def _broken() -> tuple[type[Exception], ...]:
    """What is raised by rows and files that are not as they should be; of PostgreSQL's driver, where it was loaded."""
    driver = sys.modules.get("psycopg")
    more: tuple[type[Exception], ...] = () if driver is None else (driver.Error,)
    return (sqlite3.Error, subprocess.SubprocessError, ValueError, KeyError, TypeError, *more)
