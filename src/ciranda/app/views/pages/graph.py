"""Where the boxes and lines of a run's graph go: a layered drawing, computed from names alone. Pure.

Layers by the longest way from a source; within a layer, boxes stand near the middle of what they take and of what takes
them (Sugiyama's method with the barycentre heuristic, a few sweeps).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BOX = (156, 44)  # width and height, in the units of the drawing
GAP = (44, 14)  # between layers, and between boxes of a layer, when the drawing goes to the right
DOWN_GAP = (12, 30)  # between boxes of a layer, and between layers, when it goes down
EDGE = 4  # around everything: room for outlines
MOST = 150  # boxes that a drawing has; more of them say nothing
SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Box:
    """A step's box: its upper left corner."""

    name: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Line:
    """From a step to one that takes what it makes: a path of the drawing."""

    source: str
    target: str
    path: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes and lines, and how much room they take."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def layers(names: Sequence[str], takes: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The names in layers, each after what it takes. `names` come in an order in which each is after what it takes."""
    depth: dict[str, int] = {}
    for name in names:
        depth[name] = max((depth[other] + 1 for other in takes.get(name, ()) if other in depth), default=0)
    found: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in names:
        found[depth[name]].append(name)
    return _untangled(found, takes)


def draw(names: Sequence[str], takes: Mapping[str, Sequence[str]], *, down: bool = False) -> Drawing:
    """The drawing of a graph: from left to right, or downwards where there is little room."""
    ordered = layers(names, takes)
    place: dict[str, tuple[int, int]] = {}
    across, along = (GAP[1], GAP[0]) if not down else DOWN_GAP
    wide, deep = (BOX[1], BOX[0]) if not down else BOX  # of a box: across its layer, and along the way
    widest = max((len(layer) for layer in ordered), default=0)
    room = widest * (wide + across) - across
    for number, layer in enumerate(ordered):
        start = (room - (len(layer) * (wide + across) - across)) // 2
        for at, name in enumerate(layer):
            there = EDGE + start + at * (wide + across), EDGE + number * (deep + along)
            place[name] = there if down else (there[1], there[0])
    length = len(ordered) * (deep + along) - along + 2 * EDGE if ordered else 0
    size = (room + 2 * EDGE, length) if down else (length, room + 2 * EDGE)
    lines = [
        Line(source, name, _path(place[source], place[name], down=down))
        for name in names
        for source in dict.fromkeys(takes.get(name, ()))
        if source in place and place[source] != place[name]
    ]
    return Drawing(*size, tuple(Box(name, *place[name]) for name in names), tuple(lines))


def _untangled(ordered: list[list[str]], takes: Mapping[str, Sequence[str]]) -> list[list[str]]:
    given: dict[str, list[str]] = {}
    for name, sources in takes.items():
        for source in sources:
            given.setdefault(source, []).append(name)
    for sweep in range(SWEEPS):
        forwards = sweep % 2 == 0
        beside = takes if forwards else given
        where = {name: at / max(len(layer), 1) for layer in ordered for at, name in enumerate(layer)}
        for layer in ordered if forwards else reversed(ordered):
            layer.sort(key=lambda name: _middle(name, beside, where))
            where |= {name: at / len(layer) for at, name in enumerate(layer)}
    return ordered


def _middle(name: str, beside: Mapping[str, Sequence[str]], where: Mapping[str, float]) -> float:
    known = [where[other] for other in beside.get(name, ()) if other in where]
    return sum(known) / len(known) if known else where[name]


def _path(source: tuple[int, int], target: tuple[int, int], *, down: bool) -> str:
    """A curve from the end of one box to the beginning of another."""
    if down:
        x1, y1 = source[0] + BOX[0] // 2, source[1] + BOX[1]
        x2, y2 = target[0] + BOX[0] // 2, target[1]
        bend = max((y2 - y1) // 2, 8)
        return f"M{x1} {y1}C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2}"
    x1, y1 = source[0] + BOX[0], source[1] + BOX[1] // 2
    x2, y2 = target[0], target[1] + BOX[1] // 2
    bend = max((x2 - x1) // 2, 8)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
