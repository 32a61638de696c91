"""The key of a step or check: the digest of everything that decides what it makes or finds (ARCHITECTURE.md §9). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ciranda.kernel import digest
from ciranda.pipeline.fingerprint import Code
from ciranda.pipeline.records import Input, Version

FORMAT = 1


@dataclass(frozen=True)
class Surroundings:
    """What every key of a run shares."""

    distributions: Mapping[str, str]
    python: str
    platform: str

    @cached_property
    def before(self) -> bytes:
        """Its entries that sort between `code` and `format`, canonical, without braces."""
        return digest.canonical({"distributions": dict(self.distributions)})[1:-1]

    @cached_property
    def after(self) -> bytes:
        """Its entries that sort after `parameters`."""
        return digest.canonical({"platform": self.platform, "python": self.python})[1:-1]


@dataclass(frozen=True)
class Parts:
    """The parts of one key: the code, the parameters, the inputs by parameter, and the surroundings."""

    code: Code
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Any]  # parameter → [digest, codec], or what stands for a marker
    around: Surroundings

    @cached_property
    def key(self) -> str:
        """The digest of the canonical form of what `told` says, put together from parts that many keys share."""
        code, around = digest.canonical(self.code.fingerprint), self.around
        inputs, parameters = digest.canonical(dict(self.inputs)), digest.canonical(dict(self.parameters))
        data = b'{"code":%b,%b,"format":%d,"inputs":%b,"parameters":%b,%b}'
        return digest.digest("key", data % (code, around.before, FORMAT, inputs, parameters, around.after))

    def told(self) -> dict[str, Any]:
        """Everything that the key is made of."""
        around = self.around
        return {
            "format": FORMAT,
            "code": self.code.fingerprint,
            "parameters": dict(self.parameters),
            "inputs": dict(self.inputs),
            "distributions": dict(around.distributions),
            "python": around.python,
            "platform": around.platform,
        }


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
