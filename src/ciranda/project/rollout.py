"""How a release enters an environment by steps: `rollout = { steps = [10, 50, 100], quiet = "hold" }`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ciranda.project import names
from ciranda.project.reading import Table

KEYS = ("steps", "quiet", "at_most", "sticky", "objective")
_WHO = re.compile(r"(header|cookie):([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100})\Z")
_OURS = "ciranda"  # cookies and X-…- headers of that name never reach a service


@dataclass(frozen=True, slots=True)
class Rollout:
    """The shares of the requests, in percent, that a release gets one after the other, and what moves it on.

    `quiet` is what becomes of a step at which nothing can be told after `at_most` seconds. `sticky` names the header or the cookie by
    whose value a client is told, "header:X-User"; empty: each request by itself. `objective` is the share of errors that is borne.
    """

    steps: tuple[int, ...] = (10, 50, 100)
    quiet: Literal["hold", "promote"] = "hold"
    at_most: float = 1800.0
    sticky: str = ""
    objective: float = 0.01

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: list(value) if name == "steps" else value for name in KEYS for value in [getattr(self, name)]}


def of_document(found: Mapping[str, Any] | None) -> Rollout | None:
    """What `document` gave; nothing is no rollout."""
    return Rollout(**{**found, "steps": tuple(found["steps"])}) if found else None


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


def loosened(place: str, base: Rollout | None, change: Rollout | None) -> list[str]:
    """What a change makes less strict of an environment's rollout, a line each. Pure."""
    if base is None:
        return []
    if change is None:
        return [f"environments.{place} has no rollout any more"]
    said = []
    earlier = [*change.steps, *[100] * len(base.steps)]
    if any(now > was for was, now in zip(base.steps, earlier, strict=False)):
        said.append(f"environments.{place}.rollout.steps {list(base.steps)} → {list(change.steps)}")
    if (base.quiet, change.quiet) == ("hold", "promote"):
        said.append(f"environments.{place}.rollout.quiet hold → promote")
    elif change.quiet == "promote" and change.at_most < base.at_most:
        said.append(f"environments.{place}.rollout.at_most {base.at_most:g} s → {change.at_most:g} s")
    if change.objective > base.objective:
        said.append(f"environments.{place}.rollout.objective {base.objective:g} → {change.objective:g}")
    return said


def _steps(table: Table, found: Any) -> tuple[int, ...]:
    whole = isinstance(found, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in found)
    if not whole or not found:
        table.wrong("rollout", f"says steps = {found!r}, not whole numbers of percent", "write steps = [10, 50, 100]")
    elif found[-1] != 100 or found[0] < 1 or any(later <= one for one, later in zip(found, found[1:], strict=False)):
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
