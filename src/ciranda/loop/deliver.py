"""How a release goes from environment to environment: pure, from what each environment says of it to the next acts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Place:
    """What one environment of the chain says of a release.

    `state` is that of its newest revision with this release, None when it never had one; `newer` that it runs, or is moving to, a newer
    release; `held` that no new release may enter (it is held, or frozen); `gone` that it was destroyed, so that none enters by
    itself; `lacks` that the plan of the entry waits for approvals.
    """

    name: str
    after: str | None
    state: Literal["target", "reached", "failed", "superseded"] | None
    newer: bool
    held: bool
    gone: bool = False
    lacks: bool = False


@dataclass(frozen=True, slots=True)
class Enter:
    """Make the release this environment's target."""

    environment: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask people to approve the plan of the entry."""

    environment: str


@dataclass(frozen=True, slots=True)
class End:
    """The delivery is over: it went all the way, failed in an environment, or a newer release overtook it."""

    state: Literal["live", "failed", "overtaken"]
    environment: str = ""


def decide(places: Sequence[Place]) -> list[Enter | Ask | End]:
    """The next acts; none means wait (something is under way, or held)."""
    reached = {place.name for place in places if place.state == "reached"}
    for place in places:
        if place.state == "failed":
            return [End("failed", place.name)]
    if len(reached) == len(places):
        return [End("live", places[-1].name if places else "")]
    closed: set[str] = set()  # destroyed, or after one that is
    for place in places:
        if place.state is None and (place.gone or place.after in closed):
            closed.add(place.name)
    if reached | closed == {place.name for place in places} and closed:
        last = [place.name for place in places if place.name in reached]
        return [End("live", last[-1] if last else "")]
    acts: list[Enter | Ask | End] = []
    for place in places:
        if place.state == "superseded" or (place.newer and place.state != "reached"):
            return [End("overtaken", place.name)]
        ready = place.after is None or place.after in reached
        if place.state is None and ready and not place.held and place.name not in closed:
            acts.append(Ask(place.name) if place.lacks else Enter(place.name))
    return acts
