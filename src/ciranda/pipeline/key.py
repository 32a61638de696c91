"""The key of a step or check: the digest of everything that decides what it makes or finds (ARCHITECTURE.md §9). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ciranda.kernel import digest
from ciranda.pipeline.fingerprint import Code
from ciranda.pipeline.records import Input, Version

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every key of a run shares."""

    distributions: Mapping[str, str]
    python: str
    platform: str


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one key: the code, the parameters, the inputs by parameter, and the surroundings."""

    code: Code
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Any]  # parameter → [digest, codec], or what stands for a marker
    around: Surroundings

    @property
    def key(self) -> str:
        around = self.around
        return digest.of(
            "key",
            {
                "format": FORMAT,
                "code": self.code.fingerprint,
                "parameters": self.parameters,
                "inputs": self.inputs,
                "distributions": around.distributions,
                "python": around.python,
                "platform": around.platform,
            },
        )


def inputs(
    given: tuple[Input, ...], versions: Mapping[str, Version], live: Mapping[str, Version], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """What stands for each input in a key.

    `facts` are those of the run that a step may see and that matter (the commit); its identity is not among them: what
    carries it, carries that of the run that made it.
    """
    told: dict[str, Any] = {}
    for each in given:
        match each.marker:
            case None:
                version = versions[each.asset]
                told[each.parameter] = [version.digest, version.codec]
            case "live":
                now = live.get(each.asset)
                told[each.parameter] = ["live", now.digest, now.codec] if now else ["live"]
            case marker:
                told[each.parameter] = [marker, dict(facts)]
    return told
