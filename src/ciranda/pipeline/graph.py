"""The graph of a pipeline: what makes what, in an order in which each step comes after what it takes. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from ciranda.kernel import errors
from ciranda.pipeline.records import Check, Description, Step
from ciranda.project import names


@dataclass(frozen=True, slots=True)
class Graph:
    """Steps and checks by name; `order` has every step after those whose assets it takes, `checks` the order of the text."""

    steps: Mapping[str, Step]
    checks: Mapping[str, Check]
    order: tuple[str, ...]


def build(description: Description, sources: Sequence[str], file: str = "") -> Graph:
    """The graph of what `describe` found. `sources` are the declared ones; `file` is the pipeline file, for messages.

    Raises errors.Invalid for two that make one asset, for what takes an asset that nothing makes, and for a cycle, which
    is named.
    """
    steps = _unique(description.steps, sources)
    made = {*steps, *sources}
    checks: dict[str, Check] = {}
    for check in description.checks:
        if check.name in checks:
            other = checks[check.name]
            raise errors.Invalid(
                f"two checks are called {check.name}",
                where=f"{place(other)} and {place(check)}",
                hint="rename one of them",
            )
        checks[check.name] = check
        if check.asset not in made:
            raise _missing(f"the check {check.name} tests", check.asset, place(check), made)
    nodes: list[Step | Check] = [*steps.values(), *checks.values()]
    for node in nodes:
        for given in node.inputs:
            if given.marker is None and given.asset not in made:
                raise _missing(f"{node.name} takes", given.asset, place(node), made)
    return Graph(steps, checks, _order(steps, file))


def part(whole: Graph, assets: Collection[str], sources: Collection[str]) -> tuple[Graph, frozenset[str]]:
    """The part of a graph that makes these assets and checks all that it makes, and the sources that it takes.

    Raises errors.Invalid for an asset that nothing makes.
    """
    for asset in assets:
        if asset not in whole.steps and asset not in sources:
            raise _missing("the run is asked for", asset, "", {*whole.steps, *sources})
    needed: set[str] = set()
    checks: dict[str, Check] = {}
    fresh = set(assets)
    while fresh:
        needed |= fresh
        checks = {name: check for name, check in whole.checks.items() if check.asset in needed}
        nodes: list[Step | Check] = [*(step for name, step in whole.steps.items() if name in needed), *checks.values()]
        fresh = {given.asset for node in nodes for given in node.inputs if given.marker is None} - needed
    steps = {name: step for name, step in whole.steps.items() if name in needed}
    left = Graph(steps, checks, tuple(name for name in whole.order if name in needed))
    return left, frozenset(needed - steps.keys())


def place(node: Step | Check) -> str:
    """`pipeline.py:12`."""
    return f"{node.file}:{node.line}"


def _unique(found: Sequence[Step], sources: Sequence[str]) -> dict[str, Step]:
    steps: dict[str, Step] = {}
    for step in found:
        if step.name in steps:
            where = f"{place(steps[step.name])} and {place(step)}"
            raise errors.Invalid(f"two steps make the asset {step.name}", where=where, hint="rename one of them")
        if step.name in sources:
            what = f"a step and a source make the asset {step.name}"
            raise errors.Invalid(what, where=f"{place(step)} and ciranda.toml", hint="rename one of them")
        steps[step.name] = step
    return steps


def _missing(what: str, asset: str, where: str, known: Collection[str]) -> errors.Invalid:
    known_text = f"what there is: {', '.join(sorted(known))}" if known else "nothing makes an asset here"
    hint = "        ".join(part for part in (names.suggestion(asset, known), known_text) if part)
    return errors.Invalid(f'{what} "{asset}", which no step or source makes', where=where, hint=hint)


def _order(steps: Mapping[str, Step], file: str) -> tuple[str, ...]:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for step in steps.values():
        sorter.add(step.name, *(given.asset for given in step.inputs if given.marker is None and given.asset in steps))
    try:
        return tuple(sorter.static_order())
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        start = circle.index(min(circle))
        turned = [*circle[start:-1], *circle[:start], circle[start]]
        where = place(steps[turned[0]]) or file
        raise errors.Invalid(
            f"these steps take each other's assets in a circle: {' ← '.join(turned)}",
            where=where,
            hint="one of them has to do without the other",
        ) from None
