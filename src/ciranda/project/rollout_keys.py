"""Reading `rollout` of an environment: what is wrong with it is told at its line."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

from ciranda.project import names
from ciranda.project.reading import Table
from ciranda.project.rollout import KEYS, Rollout

_WHO = re.compile(r"(header|cookie):([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100})\Z")
_OURS = "ciranda"  # cookies and X-…- headers of that name never reach a service


def read(table: Table) -> Rollout | None:
    """The `rollout` of an environment; None where it has none. What is wrong with it is noted at its line."""
    if "rollout" not in table:
        return None
    found = table.table("rollout")
    for key in found:
        if key not in KEYS:
            hint = names.suggestion(key, KEYS)
            table.wrong(
                "rollout", f'has "{key}", which is not a key', f"{hint + '; ' if hint else ''}known: {', '.join(KEYS)}"
            )
    plain = Rollout()
    quiet: Literal["hold", "promote"] = "promote" if found.get("quiet") == "promote" else "hold"
    if found.get("quiet") == "replay":
        table.later("rollout", 'says quiet = "replay", which is not built yet', 'write "hold" or "promote"')
    elif found.get("quiet", "hold") not in ("hold", "promote"):
        table.wrong("rollout", f'says quiet = {found["quiet"]!r}, not "hold" or "promote"')
    return Rollout(
        _steps(table, found.get("steps", list(plain.steps))),
        quiet,
        _number(table, found, "at_most", plain.at_most, "a number of seconds above 0", 31_536_000.0),
        _sticky(table, found.get("sticky", plain.sticky), "sticky" in found),
        _number(table, found, "objective", plain.objective, "a share of the requests between 0 and 1", 0.999_999),
    )


def _steps(table: Table, found: Any) -> tuple[int, ...]:
    whole = isinstance(found, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in found)
    if not whole or not found:
        table.wrong("rollout", f"says steps = {found!r}, not whole numbers of percent", "write steps = [10, 50, 100]")
    elif found[-1] != 100 or found[0] < 1 or any(later <= one for one, later in pairwise(found)):
        table.wrong(
            "rollout", f"says steps = {found!r}: they grow from 1 and end at 100", "write steps = [10, 50, 100]"
        )
    else:
        return tuple(found)
    return Rollout().steps


def _number(table: Table, found: Mapping[str, Any], key: str, default: float, said: str, most: float) -> float:
    value = found.get(key, default)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most:
        return float(value)
    table.wrong("rollout", f"says {key} = {value!r}, not {said}")
    return default


def _sticky(table: Table, found: Any, given: bool) -> str:
    match = _WHO.match(found) if isinstance(found, str) else None
    if given and match is None:
        table.wrong(
            "rollout", f"says sticky = {found!r}", 'write sticky = "header:X-User" or sticky = "cookie:session"'
        )
    elif match is not None and match[2].lower().removeprefix("x-").startswith(_OURS):
        table.wrong("rollout", f"says sticky = {found!r}: nothing of that name passes the gateway", "take another name")
    else:
        return found if match is not None else ""
    return ""
