"""What is proposed for a `ciranda.toml`, and the text of it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Proposed:
    """Lines for a section. `why`: what was found; `doubt`: why they are written as comments, empty when they are sure."""

    section: str
    lines: tuple[str, ...]
    why: str
    doubt: str = ""

    @property
    def sure(self) -> bool:
        return not self.doubt


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was found in a repository, in the order of sections; `notes` are told and change nothing."""

    found: tuple[Proposed, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.found or self.notes)

    def of(self, section: str) -> list[Proposed]:
        return [one for one in self.found if one.section == section]


def section(name: str, found: Sequence[Proposed]) -> str:
    """The text of one section: what is sure, then what is not as comments with the reason. Empty where nothing was found."""
    sure, unsure = [one for one in found if one.sure], [one for one in found if one.doubt]
    lines: list[str] = []
    keyed = name in ("sources", "checks", "project")
    if keyed and (sure or (unsure and name != "project")):
        lines += [] if name == "project" else [f"[{name}]"]
    if name == "checks" and sure:
        lines += [
            *(f"# {one.why}" for one in sure),
            f"code = [{', '.join(line for one in sure for line in one.lines)}]",
        ]
    else:
        for one in sure:
            lines += [f"# {one.why}", *one.lines, *([] if keyed else [""])]
    for one in unsure:
        written = [f"code = [{line}]" for line in one.lines] if name == "checks" else one.lines
        lines += [
            f"# {one.why}: {one.doubt}",
            *(f"# {line}" if line else "#" for line in written),
            *([] if keyed else [""]),
        ]
    return "\n".join(lines).rstrip() + "\n" if lines else ""


def identifier(text: str, taken: Iterable[str] = ()) -> str:
    """A name that a function can take, made of a text, that is not taken yet."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower() or "data"
    return _free(name if not name[0].isdigit() else f"data_{name}", set(taken), "_")


def service_name(text: str, taken: Iterable[str], reserved: Iterable[str]) -> str:
    """A name that a service can have, made of a text, that is not taken yet."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:32].strip("-")
    name = name if name and name[0].isalpha() else f"web-{name}".strip("-")
    return _free(f"{name}-service" if name in set(reserved) else name, set(taken), "-")


def _free(name: str, taken: set[str], between: str) -> str:
    return next(one for one in (name, *(f"{name}{between}{number}" for number in range(2, 10_000))) if one not in taken)
