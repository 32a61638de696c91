"""How a release enters an environment by steps: `rollout = { steps = [10, 50, 100], quiet = "hold" }`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

KEYS = ("steps", "quiet", "at_most", "sticky", "objective")


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
