"""What a plan of Terraform says (`terraform show -json`, format 1), read into frozen records without sensitive values. Pure.

https://developer.hashicorp.com/terraform/internals/json-format
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ciranda.kernel import digest, errors

Action = Literal["create", "update", "replace", "delete", "forget"]
LONGEST = 40  # characters of a value that are told
_ACTIONS: dict[tuple[str, ...], Action] = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one resource; `attributes` say which of its values are other ones: `size 1 → 2`."""

    address: str
    action: Action
    attributes: tuple[str, ...] = ()

    @property
    def destroys(self) -> bool:
        """Something is gone afterwards, if only to be made anew."""
        return self.action in ("delete", "replace")

    def document(self) -> dict[str, Any]:
        """The change as JSON values."""
        return {"address": self.address, "action": self.action, "attributes": list(self.attributes)}


@dataclass(frozen=True, slots=True)
class Output:
    """A value that the folder gives. `known`: it is not only known when all is done; a sensitive one has no value here."""

    value: Any
    known: bool = True
    sensitive: bool = False

    def document(self) -> dict[str, Any]:
        """The output as JSON values."""
        return {"value": self.value, "known": self.known, "sensitive": self.sensitive}


@dataclass(frozen=True, slots=True)
class Answer:
    """What would become of an environment's infrastructure, and the values that it would give. `identity`: of all of it."""

    changes: tuple[Change, ...]
    outputs: Mapping[str, Output]
    moved: bool  # an output would be another one
    identity: str = ""

    @property
    def empty(self) -> bool:
        """There is nothing to do."""
        return not self.changes and not self.moved

    @property
    def destroys(self) -> bool:
        """It takes something away."""
        return any(change.destroys for change in self.changes)

    def counts(self) -> dict[str, int]:
        """How many resources are added, changed and destroyed, as Terraform counts: what is replaced is added and destroyed."""
        actions = [change.action for change in self.changes]
        replaced = actions.count("replace")
        return {
            "add": actions.count("create") + replaced,
            "change": actions.count("update"),
            "destroy": actions.count("delete") + replaced,
        }

    def document(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return {
            "changes": [change.document() for change in self.changes],
            "outputs": {name: output.document() for name, output in sorted(self.outputs.items())},
            "moved": self.moved,
        }


def of_document(told: Mapping[str, Any], identity: str = "") -> Answer:
    """An answer from its JSON values."""
    changes = tuple(Change(one["address"], one["action"], tuple(one["attributes"])) for one in told["changes"])
    return Answer(changes, {name: Output(**one) for name, one in told["outputs"].items()}, told["moved"], identity)


def read(shown: bytes, *, drift: bool = False, secret: bytes = b"") -> Answer:
    """The answer of a plan. `drift`: what is not as it was left, instead of what would be done.

    `secret` keeps sensitive values out of the identity: of those it holds a digest that begins with it.
    Raises errors.Corrupt for what is not a plan.
    """
    told = digest.parse(shown)
    if not isinstance(told, dict) or not str(told.get("format_version", "")).startswith("1."):
        raise errors.Corrupt(
            "this is not a plan of Terraform that can be read", hint="its version is too new or too old"
        )
    listed = told.get("resource_drift" if drift else "resource_changes", [])
    found = [(one, action) for one in listed if (action := _action(one))]
    changes = tuple(Change(_address(one), action, _attributes(one["change"])) for one, action in found)
    outputs = {name: _output(one) for name, one in told.get("output_changes", {}).items()}
    moved = any(one["actions"] not in (["no-op"], ["read"]) for one in told.get("output_changes", {}).values())
    content = [
        *([one["address"], action, _hidden(one["change"], secret)] for one, action in found),
        *([name, _hidden(one, secret)] for name, one in sorted(told.get("output_changes", {}).items())),
    ]
    present = {name: one for name, one in outputs.items() if one is not None}
    return Answer(changes, present, moved and not drift, digest.of("plan", content))


def _action(one: Mapping[str, Any]) -> Action | None:
    return _ACTIONS.get(tuple(one["change"]["actions"])) if one.get("mode") == "managed" else None


def _address(one: Mapping[str, Any]) -> str:
    deposed = one.get("deposed")
    return f"{one['address']} (deposed {deposed})" if deposed else str(one["address"])


def _output(change: Mapping[str, Any]) -> Output | None:
    """What an output would be; None: it goes."""
    if change["actions"] == ["delete"]:
        return None
    sensitive = _any(change.get("after_sensitive", False))
    known = not _any(change.get("after_unknown", False))
    return Output(None if sensitive or not known else change.get("after"), known, sensitive)


def _attributes(change: Mapping[str, Any]) -> tuple[str, ...]:
    """The attributes of a resource that are other ones afterwards, by name."""
    before, after = change.get("before"), change.get("after")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return ()
    unknown = change.get("after_unknown") or {}
    secret = [change.get("before_sensitive") or {}, change.get("after_sensitive") or {}]
    names = sorted({*before, *after, *(unknown if isinstance(unknown, Mapping) else ())})
    told = []
    for name in names:
        hidden = any(one is True or (isinstance(one, Mapping) and _any(one.get(name, False))) for one in secret)
        new = isinstance(unknown, Mapping) and _any(unknown.get(name, False))
        if not new and before.get(name) == after.get(name):
            continue
        if hidden:
            told.append(f"{name} is another (sensitive)")
        else:
            told.append(f"{name} {_text(before.get(name))} → {'known after apply' if new else _text(after.get(name))}")
    return tuple(told)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else digest.canonical(value).decode()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _any(marks: Any) -> bool:
    """Whether a part of a value is marked: `true` somewhere in what has the value's shape."""
    if isinstance(marks, Mapping):
        return any(_any(one) for one in marks.values())
    return any(_any(one) for one in marks) if isinstance(marks, list) else bool(marks)


def _hidden(change: Mapping[str, Any], secret: bytes) -> Any:
    """A change with a digest in the place of each sensitive value."""

    def cover(value: Any, marks: Any) -> Any:
        if marks is True:
            return digest.digest("sealing", secret + digest.canonical(value))
        if isinstance(value, Mapping) and isinstance(marks, Mapping):
            return {name: cover(one, marks.get(name, False)) for name, one in value.items()}
        if isinstance(value, list) and isinstance(marks, list):
            return [cover(one, marks[place] if place < len(marks) else False) for place, one in enumerate(value)]
        return value

    before, after = (cover(change.get(side), change.get(f"{side}_sensitive", False)) for side in ("before", "after"))
    return [list(change["actions"]), before, after, change.get("after_unknown")]
