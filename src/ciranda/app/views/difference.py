"""Differences as people read them: pure, from the parts of a plan to lines of at most 80 columns."""

import textwrap
from collections.abc import Callable, Mapping, Sequence

from ciranda.app.views.facts import plural
from ciranda.environment.plan import Part, Sign

SIGNS: dict[Sign, str] = {"add": "+", "change": "~", "remove": "-", "same": " "}
ASSETS = ("source", "dataset", "model", "step")
WIDTH = 80
NARROWEST = 24  # columns that a text gets, however long names are
UNCHANGED = 3  # parts that stay and are told one by one


def said(part: Part, facts: Mapping[str, str]) -> str:
    """What there is to say of a part. `facts`: of an asset, by its name."""
    if part.kind in ASSETS:
        return _asset(part, facts.get(part.name, ""))
    match part.kind, part.sign:
        case "service", _:
            return _service(part)
        case "secret", "change":
            return f"version {part.before} → {part.after}"
        case "secret", _:
            return f"version {part.after or part.before}"
        case "infra", "add" | "change" | "remove":
            return ", ".join(part.reasons)
        case _, "same":
            return f"unchanged, {part.after}"
        case _, "add":
            text = part.after
        case _, "remove":
            text = f"was {part.before}"
        case _, _:
            moved = [] if part.before == part.after else [f"{part.before} → {part.after}"]
            text = ", ".join([*part.reasons, *moved])
    return f"{text} ({part.where})" if part.where else text


def rows(
    parts: Sequence[Part],
    facts: Mapping[str, str],
    *,
    touches: Mapping[str, Sequence[str]],
    back: Callable[[Part], str] | None = None,
) -> list[str]:
    """The table of parts, and how each change comes back; those that stay are counted, but for a few."""
    staying = [part for part in parts if part.sign == "same"]
    shown = [part for part in parts if part.sign != "same"]
    few = staying if len(staying) <= UNCHANGED + 1 else staying[:UNCHANGED]
    kinds = max((len(part.kind) for part in [*shown, *few]), default=0)
    names = max((len(part.name) for part in [*shown, *few]), default=0)
    backs = {part: back(part) for part in shown} if back is not None else {}
    column = WIDTH - max((len(text) for text in backs.values()), default=0)
    found = []
    for part in [*shown, *few]:
        left = f"  {SIGNS[part.sign]} {part.kind:<{kinds}}  {part.name:<{names}}  "
        right = backs.get(part, "")
        room = max(NARROWEST, (column - 2 if right else WIDTH) - len(left))
        first, *more = textwrap.wrap(said(part, facts), room, break_long_words=False) or [""]
        found.append(f"{left}{first:<{room}}  {right}".rstrip())
        found += [f"{'':<{len(left)}}{text}" for text in more]
        if part.sign != "same" and touches.get(part.name) and part.kind in ASSETS:
            room = max(NARROWEST, WIDTH - len(left) - len("touches  and 999 more"))
            found.append(f"{'':<{len(left)}}touches {shortened(touches[part.name], room)}")
    if len(few) < len(staying):
        found.append(f"    and {plural(len(staying) - len(few), 'part')} unchanged")
    return found


def shortened(names: Sequence[str], room: int) -> str:
    """`delay, delays and 12 more`: as many names as `room` columns take, and one at least."""
    told: list[str] = []
    for name in names:
        if told and len(", ".join([*told, name])) > room:
            break
        told.append(name)
    left = len(names) - len(told)
    return ", ".join(told) + (f" and {left:,} more" if left else "")


def counts(parts: Sequence[Part]) -> dict[Sign, int]:
    """How many parts of each sign."""
    return {sign: sum(1 for part in parts if part.sign == sign) for sign in SIGNS}


def _asset(part: Part, facts: str) -> str:
    match part.sign:
        case "add":
            return facts or "first version"
        case "change":
            return facts or "another version"
        case "remove":
            return f"was {facts}" if facts else "not there any more"
        case "same":
            return f"unchanged, {facts}" if facts else "unchanged"


def _service(part: Part) -> str:
    before, after = int(part.before or 0), int(part.after or 0)
    match part.sign:
        case "add":
            return plural(after, "instance")
        case "remove":
            return f"was {plural(before, 'instance')}"
        case "same":
            return f"unchanged, {plural(after, 'instance')}"
        case "change":
            number = plural(after, "instance") if before == after else f"{before} → {plural(after, 'instance')}"
            return ", ".join([*part.reasons, number])
