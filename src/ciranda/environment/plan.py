"""What stands between two sides: pure, from what is there and what would be to a list of parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ciranda.environment.infra.answer import Action, Change
from ciranda.environment.infra.standing import Standing
from ciranda.environment.resolve import Resolved
from ciranda.environment.revisions import Count, Value
from ciranda.pipeline import records
from ciranda.project import layers
from ciranda.release.manifest import Asset, Job, Manifest, Service

Sign = Literal["add", "change", "remove", "same"]
SIGNS: dict[Action, Sign] = {
    "create": "add",
    "update": "change",
    "replace": "change",
    "delete": "remove",
    "forget": "remove",
}  # what becomes of a resource
_OWN = ("form", "uses", "instances")  # of a service: told in words of their own


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a difference: a release in an environment, a release alone, a run, or (empty) nothing."""

    commit: str = ""
    tree: str = ""
    interpreter: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)  # "delay.depth"
    assets: Mapping[str, Asset] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    instances: Mapping[str, Count] = field(default_factory=dict)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    config: Mapping[str, Value] = field(default_factory=dict)
    secrets: Mapping[str, int] = field(default_factory=dict)  # name → version


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is added, changed, removed or stays.

    `before` and `after` are what it is on each side: an asset's digest, a value, a count, a version; `reasons` say what else
    is other, `where` is the layer that a value comes from.
    """

    kind: str  # source, dataset, model, step, parameter, service, job, config, secret, infra, commit
    name: str
    sign: Sign
    before: str = ""
    after: str = ""
    reasons: tuple[str, ...] = ()
    where: str = ""

    def document(self) -> dict[str, Any]:
        """The part as JSON values."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return told | {"reasons": list(self.reasons)}


def of_release(content: Manifest, resolved: Resolved) -> Side:
    """A release as it is, or would be, in an environment."""
    return Side(
        commit=content.commit,
        tree=content.tree,
        interpreter=content.interpreter,
        parameters=flat(content.parameters),
        assets=content.assets,
        services=content.services,
        instances=resolved.instances,
        jobs=content.jobs,
        config=resolved.config,
        secrets=resolved.secrets,
    )


def of_run(commit: str, parameters: Mapping[str, Any], versions: Mapping[str, records.Version]) -> Side:
    """What a run made."""
    assets = {name: Asset(one.digest, one.key, one.codec, one.kind) for name, one in versions.items()}
    return Side(commit=commit, parameters=flat(parameters), assets=assets)


def infra(found: Standing | None) -> list[Part]:
    """What becomes of infrastructure: a part for each resource that changes, or one that says how it stands."""
    if found is None:
        return []
    count = "1 resource" if found.resources == 1 else f"{found.resources} resources"
    match found.state:
        case "left":
            return [Part("infra", found.folder, "same", count, f"{count}, which no release declares any more")]
        case "unplanned":
            why = f"could not be planned: {found.problem}" if found.problem else "not planned yet"
            return [Part("infra", found.folder, "change", reasons=(why,))]
    parts = [Part("infra", one.address, SIGNS[one.action], reasons=_done(one)) for one in found.changes]
    if not parts and found.applies:
        return [Part("infra", found.folder, "change", reasons=("other outputs, no resource",))]
    return parts or [Part("infra", found.folder, "same", count, count)]


def flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of all steps by one name each: `delay.depth`."""
    return {
        f"{step}.{name}": value
        for step, own in parameters.items()
        for name, value in (own.items() if isinstance(own, Mapping) else ())
    }


def difference(now: Side, then: Side, more: Sequence[Part] = ()) -> tuple[Part, ...]:
    """What leads from one side to the other, what changes first; `more` beside it. Two equal sides differ in nothing."""
    parts = [
        *_assets(now, then),
        *_plain("parameter", now.parameters, then.parameters),
        *_services(now, then),
        *_jobs(now, then),
        *_config(now, then),
        *_plain("secret", now.secrets, then.secrets),
        *more,
    ]
    changed = [part for part in parts if part.sign != "same"]
    if not changed and now.commit != then.commit:
        before, after = now.commit[:7], then.commit[:7]
        changed = [Part("commit", after or before, sign(before or None, after or None), before, after)]
    return (*changed, *(part for part in parts if part.sign == "same"))


def sign(before: object, after: object) -> Sign:
    """The sign of what was (None: nothing) and what is."""
    if before is None:
        return "add"
    return "remove" if after is None else "same" if before == after else "change"


def text(value: Any) -> str:
    """A value as people write it in a command or in `ciranda.toml`."""
    if isinstance(value, tuple | list):
        return ", ".join(text(one) for one in value) or "nothing"
    if value is None or value == "":
        return "nothing"
    if isinstance(value, float) and value == int(value):
        return f"{value:g}"
    return layers.text(value) if isinstance(value, str | int | float | bool) else str(value)


def _done(one: Change) -> tuple[str, ...]:
    match one.action:
        case "create":
            return ("is made",)
        case "delete":
            return ("is destroyed",)
        case "forget":
            return ("is forgotten, and stays as it is",)
        case "replace":
            return ("is destroyed and made anew", *one.attributes)
        case _:
            return one.attributes or ("is changed",)


def _names(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return sorted({*before, *after})


def _assets(now: Side, then: Side) -> list[Part]:
    parts = []
    for name in _names(now.assets, then.assets):
        before, after = now.assets.get(name), then.assets.get(name)
        kind = (after or before).kind  # type: ignore[union-attr] # one of the two has it
        old, new = before.digest if before else None, after.digest if after else None
        parts.append(Part(kind, name, sign(old, new), old or "", new or ""))
    return parts


def _plain(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Part]:
    parts = []
    for name in _names(before, after):
        old = text(before[name]) if name in before else None
        new = text(after[name]) if name in after else None
        parts.append(Part(kind, name, sign(old, new), old or "", new or ""))
    return parts


def _config(now: Side, then: Side) -> list[Part]:
    parts = []
    for name in _names(now.config, then.config):
        before, after = now.config.get(name), then.config.get(name)
        old, new = layers.text(before.value) if before else None, layers.text(after.value) if after else None
        reasons: tuple[str, ...] = ()
        if before and after and old == new and before.layer != after.layer:
            reasons = (f"now from {after.layer}, not from {before.layer}",)
        said = "change" if reasons else sign(old, new)
        parts.append(Part("config", name, said, old or "", new or "", reasons, after.layer if after else ""))
    return parts


def _services(now: Side, then: Side) -> list[Part]:
    parts = []
    for name in _names(now.services, then.services):
        before, after = now.services.get(name), then.services.get(name)
        old, new = _count(now, name), _count(then, name)
        reasons = _reasons(now, then, before, after) if before and after else ()
        said = "change" if reasons else sign(old, new)
        parts.append(Part("service", name, said, old or "", new or "", reasons))
    return parts


def _count(side: Side, name: str) -> str | None:
    """How many instances; None where the side has no such service."""
    service = side.services.get(name)
    if service is None:
        return None
    return str(side.instances[name].count if name in side.instances else service.instances)


def _reasons(now: Side, then: Side, before: Service, after: Service) -> tuple[str, ...]:
    """Why the instances of a service are other ones. Each release gets new instances: other code or another interpreter is enough."""
    reasons = _code(now, then)
    if (before.form, before.run) != (after.form, after.run) and before.form != after.form:
        reasons.append(f"{before.form} → {after.form}")
    reasons += _fields(before, after, _OWN)
    new = [name for name in after.uses if _digest(now, name) != _digest(then, name)]
    if new:
        reasons.append(f"new {', '.join(new)}")
    return tuple(reasons)


def _jobs(now: Side, then: Side) -> list[Part]:
    parts = []
    for name in _names(now.jobs, then.jobs):
        before, after = now.jobs.get(name), then.jobs.get(name)
        old, new = _schedule(before), _schedule(after)
        reasons: list[str] = []
        if before and after:
            reasons = [*_code(now, then), *_fields(before, after, ("schedule",))]
        said = "change" if reasons else sign(old, new)
        parts.append(Part("job", name, said, old or "", new or "", tuple(reasons)))
    return parts


def _schedule(job: Job | None) -> str | None:
    return None if job is None else job.schedule or "by hand"


def _code(now: Side, then: Side) -> list[str]:
    reasons = []
    if now.tree != then.tree:
        reasons.append("new code")
    if now.interpreter != then.interpreter:
        reasons.append("new interpreter")
    return reasons


def _fields(before: Service | Job, after: Service | Job, without: tuple[str, ...]) -> list[str]:
    """The declared fields that are other ones: `drain 30 → 5`."""
    return [
        f"{name.replace('_', ' ')} {text(getattr(before, name))} → {text(getattr(after, name))}"
        for name in after.__dataclass_fields__
        if name not in without and getattr(before, name) != getattr(after, name)
    ]


def _digest(side: Side, name: str) -> str:
    return side.assets[name].digest if name in side.assets else ""
