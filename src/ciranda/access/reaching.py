"""What this home lets its gates ask over HTTP: public addresses, and what whoever owns the home has allowed in `settings.toml`."""

import tomllib
from pathlib import Path
from typing import Any

from ciranda.kernel import errors, outbound

FILE = "settings.toml"


def of_home(home: Path) -> outbound.Reach:
    """The reach of gates, jobs and refreshes. Raises errors.Invalid for settings that cannot be read."""
    where = str(home / FILE)
    try:
        told: dict[str, Any] = tomllib.loads((home / FILE).read_text())
    except FileNotFoundError:
        return outbound.Reach()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.Invalid(f"this is not TOML: {error}", where=where) from None
    unknown = [name for name in told if name != "outbound"]
    section = told.get("outbound", {})
    if unknown or not isinstance(section, dict) or set(section) - {"allow"}:
        raise errors.Invalid("it knows one key", where=where, hint='[outbound] allow = ["10.0.0.0/8", "host.example"]')
    allowed = section.get("allow", [])
    if not isinstance(allowed, list) or not all(isinstance(item, str) for item in allowed):
        raise errors.Invalid("outbound.allow is not a list of texts", where=where)
    return outbound.Reach(allowed=tuple(allowed))
