"""What is watched in an environment: the rules and objectives of the release that is live there, and those that hold by default. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from ciranda.project import alerts as declared
from ciranda.project import conditions
from ciranda.release.manifest import Manifest, Objective


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition, and who is told of it. `hold`: seconds for which it holds before; `service`: one alone, "": each."""

    name: str
    condition: conditions.Condition
    said: str  # as it was written
    hold: float
    severity: str
    service: str = ""
    owner: str = ""
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """Everything that is watched in one environment. `owners` are those of its services."""

    project: str
    environment: str
    rules: tuple[Rule, ...]
    objectives: Mapping[str, Objective]
    owners: Mapping[str, str]


def watched(manifest: Manifest, environment: str) -> Watched:
    """What a release wants watched where it is live."""
    last = next(reversed(manifest.environments), "")
    owners = {name: service.owner for name, service in manifest.services.items()}
    known = {
        name: (one.when, one.hold, one.severity, "", (last,), "", "", False) for name, one in declared.DEFAULTS.items()
    } | {
        name: (one.when, one.hold, one.severity, one.service, one.environments, one.owner, one.runbook, one.off)
        for name, one in manifest.alerts.items()
    }
    rules = tuple(
        Rule(name, conditions.parse(when), when, hold, severity, service, owner, runbook)
        for name, (when, hold, severity, service, places, owner, runbook, off) in known.items()
        if not off and environment in places
    )
    objectives = {name: one for name, one in manifest.objectives.items() if environment in one.environments}
    return Watched(manifest.project, environment, rules, objectives, owners)
