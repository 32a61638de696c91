"""What a release would change in an environment: pure, from what is live and what would be to a list of parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ciranda.environment.revisions import Count, Value
from ciranda.pipeline import records
from ciranda.project import layers
from ciranda.release.manifest import Manifest, Service

Sign = Literal["add", "change", "remove", "same"]
SIGNS: dict[Sign, str] = {"add": "+", "change": "~", "remove": "-", "same": " "}
FIGURES = 3  # shown of a version


@dataclass(frozen=True, slots=True)
class Side:
    """A release in an environment: its manifest, configuration and scale there. `versions`: what is known of its assets."""

    release: str  # "r42"
    content: Manifest
    config: Mapping[str, Value]
    instances: Mapping[str, Count]
    versions: Mapping[str, records.Version]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is added, changed, removed or stays; `where` is the layer that says so, `back` how it comes back."""

    kind: str  # model, dataset, step, source, service, config
    name: str
    sign: Sign
    text: str
    where: str = ""
    back: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The difference between what is live and a release. `warm`: its instances stand by, so entering is a route swap."""

    project: str
    environment: str
    live: tuple[str, str] | None  # revision, release: ("prod#17", "r41")
    release: str
    parts: tuple[Part, ...]
    warm: bool = False
    blocked: str = ""  # why this release does not enter by itself now

    @property
    def changes(self) -> tuple[Part, ...]:
        """The parts that do not stay."""
        return tuple(part for part in self.parts if part.sign != "same")

    def counts(self) -> dict[Sign, int]:
        """How many parts of each sign."""
        return {sign: sum(1 for part in self.parts if part.sign == sign) for sign in SIGNS}

    def document(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return {
            "project": self.project,
            "environment": self.environment,
            "live": None if self.live is None else {"revision": self.live[0], "release": self.live[1]},
            "release": self.release,
            "warm": self.warm,
            "blocked": self.blocked,
            "parts": [{name: getattr(part, name) for name in part.__dataclass_fields__} for part in self.parts],
            "counts": self.counts(),
        }


def difference(now: Side | None, then: Side, *, back: str) -> tuple[Part, ...]:
    """The parts of a plan, what changes first. `back` says how what changes comes back."""
    parts = [*_assets(now, then, back), *_services(now, then, back), *_config(now, then, back)]
    return tuple(sorted(parts, key=lambda part: part.sign == "same"))


def lines(plan: Plan) -> list[str]:
    """The plan as people read it, at most 80 columns where names allow it."""
    came = "nothing" if plan.live is None else f"{plan.live[0].replace('#', ' #')} ({plan.live[1]})"
    entering = "a swap: it is warm" if plan.warm else "new instances, then a swap"
    if not plan.changes:
        return [f"{plan.environment} runs {plan.release}: nothing to do"]
    found = [
        f"{plan.environment}: {came} → {plan.release}" if plan.live is None else f"{came} → {plan.release}",
        *_table(plan.parts),
    ]
    counts = plan.counts()
    found.append(
        f"{counts['add']} to add, {counts['change']} to change, {counts['remove']} to remove.     in: {entering}"
    )
    if plan.blocked:
        found.append(f"! {plan.blocked}")
    return found


def _table(parts: tuple[Part, ...]) -> list[str]:
    kinds = max(len(part.kind) for part in parts)
    names = max(len(part.name) for part in parts)
    rows = []
    for part in parts:
        text = f"{part.text}   ({part.where})" if part.where else part.text
        left = f"  {SIGNS[part.sign]} {part.kind:<{kinds}}  {part.name:<{names}}  {text}"
        rows.append(f"{left:<52}  back: {part.back}" if part.back else left.rstrip())
    return rows


def _assets(now: Side | None, then: Side, back: str) -> list[Part]:
    before = now.content.assets if now else {}
    parts = []
    for name, asset in sorted(then.content.assets.items()):
        new = then.versions.get(name)
        if name not in before:
            parts.append(Part(asset.kind, name, "add", _facts(new) or "first version", back="removed"))
        elif before[name].digest == asset.digest:
            facts = _facts(new)
            parts.append(Part(asset.kind, name, "same", f"unchanged{f', {facts}' if facts else ''}"))
        else:
            assert now is not None
            parts.append(Part(asset.kind, name, "change", _compared(now.versions.get(name), new), back=back))
    for name in sorted(before.keys() - then.content.assets.keys()):
        parts.append(Part(before[name].kind, name, "remove", "no service uses it any more", back=back))
    return parts


def _services(now: Side | None, then: Side, back: str) -> list[Part]:
    before = now.content.services if now else {}
    parts = []
    for name, service in sorted(then.content.services.items()):
        count = then.instances[name].count if name in then.instances else service.instances
        said = plural(count, "instance")
        if now is None or name not in before:
            parts.append(Part("service", name, "add", said, back="removed"))
            continue
        reasons = _reasons(now, then, before[name], service)
        old = now.instances[name].count if name in now.instances else before[name].instances
        if old != count:
            said = f"{old} → {plural(count, 'instance')}"
        if reasons or old != count:
            parts.append(Part("service", name, "change", ", ".join([*reasons, said]), back=back))
        else:
            parts.append(Part("service", name, "same", f"unchanged, {said}"))
    for name in sorted(before.keys() - then.content.services.keys()):
        parts.append(Part("service", name, "remove", "not declared any more", back=back))
    return parts


def _reasons(now: Side, then: Side, before: Service, after: Service) -> list[str]:
    """Why the instances of a service are other ones. Each release gets new instances, so a new release is reason enough."""
    reasons = []
    if now.content.tree != then.content.tree:
        reasons.append("new code")
    if now.content.interpreter != then.content.interpreter:
        reasons.append("new interpreter")
    fields = [
        name
        for name in ("form", "run", "health", "drain", "start_timeout")
        if getattr(before, name) != getattr(after, name)
    ]
    reasons += [f"{name} {getattr(before, name)} → {getattr(after, name)}" for name in fields if name != "form"]
    changed = [
        name
        for name in after.uses
        if name not in now.content.assets or now.content.assets[name].digest != then.content.assets[name].digest
    ]
    if changed:
        reasons.append(f"new {', '.join(changed)}")
    if not reasons and now.release != then.release:
        reasons.append(f"as in {now.release}")
    return reasons


def _config(now: Side | None, then: Side, back: str) -> list[Part]:
    before = now.config if now else {}
    parts = []
    for name, value in sorted(then.config.items()):
        text = layers.text(value.value)
        if name not in before:
            parts.append(Part("config", name, "add", text, where=value.layer, back="removed"))
        elif before[name].value == value.value:
            parts.append(Part("config", name, "same", f"unchanged, {text}"))
        else:
            change = f"{layers.text(before[name].value)} → {text}"
            parts.append(Part("config", name, "change", change, where=value.layer, back=back))
    for name in sorted(before.keys() - then.config.keys()):
        parts.append(Part("config", name, "remove", layers.text(before[name].value), back=back))
    return parts


def _facts(version: records.Version | None) -> str:
    """`336,776 rows`, `auc 0.742`."""
    if version is None:
        return ""
    facts = [] if version.rows is None else [plural(version.rows, "row")]
    facts += [f"{name} {_figure(value)}" for name, value in list(version.figures.items())[:FIGURES] if _shown(value)]
    return ", ".join(facts)


def _compared(before: records.Version | None, after: records.Version | None) -> str:
    if before is None or after is None:
        return _facts(after) or "another version"
    facts = []
    if after.rows is not None:
        same = before.rows == after.rows
        facts.append(
            plural(after.rows, "row")
            if same or before.rows is None
            else f"{before.rows:,} → {plural(after.rows, 'row')}"
        )
    for name, value in list(after.figures.items())[:FIGURES]:
        if _shown(value):
            old = before.figures.get(name)
            facts.append(
                f"{name} {_figure(value)}" + (f" (now {_figure(old)})" if _shown(old) and old != value else "")
            )
    return ", ".join(facts) or "another version"


def _shown(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _figure(value: Any) -> str:
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) >= 100_000 else f"{value:,}"
    return f"{value:.4g}"


def plural(count: int, noun: str) -> str:
    """`1 row`, `336,776 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
