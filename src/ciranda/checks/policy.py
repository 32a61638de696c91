"""The policy: the rules of a gate, always the base's, so that no change can loosen the gate that judges it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ciranda.project import rollout
from ciranda.project.rollout import Rollout

UNSURE = ("block", "ask", "warn")  # what a check that cannot be judged means, the strictest first


@dataclass(frozen=True, slots=True)
class CheckRule:
    """What one side of a change says of a function check. `body` is the digest of its code."""

    asset: str
    body: str
    at_least: float | None = None
    at_most: float | None = None
    severity: Literal["fail", "warn"] = "fail"


@dataclass(frozen=True, slots=True)
class Rules:
    """Every rule that one commit declares."""

    code: tuple[str, ...] = ()
    code_timeout: float = 600.0  # seconds, each command
    checks: Mapping[str, CheckRule] = field(default_factory=dict)
    when_unsure: Mapping[str, str] = field(default_factory=dict)  # check → "ask" or "warn"; else it blocks
    places: Mapping[str, "Place"] = field(default_factory=dict)  # environments


@dataclass(frozen=True, slots=True)
class Place:
    """What one commit asks of a release on its way to an environment: the ones before it, its verification, approvals."""

    before: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    approvals: int = 0
    rollout: Rollout | None = None
    four_eyes: bool = False
    freeze: tuple[str, ...] = ()  # the windows that are not over


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules that judge a change.

    `checks` are required with these thresholds; `rerun` names those whose body the change edits or drops the rules of, so that the
    base's body runs as well; `additional` are the change's own; `loosened` says, one line each, what the change makes less strict.
    """

    code: tuple[str, ...]
    code_timeout: float
    checks: Mapping[str, CheckRule]
    rerun: tuple[str, ...]
    additional: Mapping[str, CheckRule]
    additional_code: tuple[str, ...]
    when_unsure: Mapping[str, str]
    loosened: tuple[str, ...]


def effective_policy(base: Rules | None, change: Rules) -> Policy:
    """The rules that judge `change` on top of `base`; without a base (the first push) the change's own rules judge it."""
    if base is None:
        return Policy(
            code=change.code,
            code_timeout=change.code_timeout,
            checks=change.checks,
            rerun=(),
            additional={},
            additional_code=(),
            when_unsure=change.when_unsure,
            loosened=(),
        )
    edited = (
        name for name, rule in base.checks.items() if name in change.checks and change.checks[name].body != rule.body
    )
    return Policy(
        code=base.code,
        code_timeout=base.code_timeout,
        checks=base.checks,
        rerun=tuple(sorted(edited)),
        additional={name: rule for name, rule in change.checks.items() if name not in base.checks},
        additional_code=tuple(command for command in change.code if command not in base.code),
        when_unsure=base.when_unsure,
        loosened=tuple(_loosened(base, change)),
    )


def _loosened(base: Rules, change: Rules) -> Iterator[str]:
    for command in base.code:
        if command not in change.code:
            yield f"checks.code no longer runs {command!r}"
    if change.code_timeout > base.code_timeout:
        yield f"checks.timeout {base.code_timeout:g} s → {change.code_timeout:g} s"
    for name, unsure in change.when_unsure.items():
        before = base.when_unsure.get(name, "block")
        if UNSURE.index(unsure) > UNSURE.index(before):
            yield f"checks.when_unsure.{name} {before} → {unsure}"
    yield from _places(base.places, change.places)
    for name, old in base.checks.items():
        new = change.checks.get(name)
        if new is None:
            yield f"check {name} is gone"
            continue
        if new.asset != old.asset:
            yield f"check {name} looks at {new.asset}, no longer at {old.asset}"
        if old.severity == "fail" and new.severity == "warn":
            yield f"check {name} only warns"
        yield from _bound(name, "at_least", old.at_least, new.at_least, looser=lambda was, now: now < was)
        yield from _bound(name, "at_most", old.at_most, new.at_most, looser=lambda was, now: now > was)


def _places(base: Mapping[str, Place], change: Mapping[str, Place]) -> Iterator[str]:
    """An environment that is gone loosens nothing by itself: what came after it does, as it comes after it no more."""
    for name, old in base.items():
        new = change.get(name)
        if new is None:
            continue
        for before in old.before:
            if before not in new.before:
                yield f"environments.{name} no longer comes after {before}"
        for command in old.verify:
            if command not in new.verify:
                yield f"environments.{name}.verify no longer runs {command!r}"
        if new.approvals < old.approvals:
            yield f"environments.{name}.approvals {old.approvals} → {new.approvals}"
        if old.four_eyes and not new.four_eyes:
            yield f"environments.{name}.four_eyes true → false"
        for window in old.freeze:
            if window not in new.freeze:
                yield f"environments.{name}.freeze no longer has {window!r}"
        yield from rollout.loosened(name, old.rollout, new.rollout)


def _bound(
    name: str, bound: str, old: float | None, new: float | None, *, looser: Callable[[float, float], bool]
) -> Iterator[str]:
    if old is None:
        return
    if new is None:
        yield f"check {name} has no {bound} any more (was {old:g})"
    elif looser(old, new):
        yield f"check {name} {bound} {old:g} → {new:g}"
