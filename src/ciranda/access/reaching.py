"""What this home lets its gates ask over HTTP: public addresses, and what whoever owns the home has allowed in `settings.toml`."""

from pathlib import Path

from ciranda.access import settings
from ciranda.kernel import errors, outbound


def of_home(home: Path) -> outbound.Reach:
    """The reach of gates, jobs, refreshes and notifications. Raises errors.Invalid for settings that cannot be read."""
    allowed = settings.read(home).get("outbound", {}).get("allow", [])
    if not isinstance(allowed, list) or not all(isinstance(item, str) for item in allowed):
        raise errors.Invalid("outbound.allow is not a list of texts", where=str(home / settings.FILE))
    return outbound.Reach(allowed=tuple(allowed))
