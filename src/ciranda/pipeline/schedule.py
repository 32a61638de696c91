"""What can run next: steps and checks become ready when the assets that they take are there. No input, no output."""

from collections import deque
from collections.abc import Collection
from typing import Literal

from ciranda.pipeline.graph import Graph
from ciranda.pipeline.records import Check, Step

Node = Step | Check


def takes(node: Node) -> list[str]:
    """The assets that must be there first; a check waits for the asset it tests even if it does not take it."""
    given = [each.asset for each in node.inputs if each.marker is None]
    return [*given, node.asset] if isinstance(node, Check) and node.asset not in given else given


class Schedule:
    """The nodes of a graph that are still to do. `given` are the assets that are there from the start."""

    def __init__(self, graph: Graph, given: Collection[str], *, checks: Collection[str] | None = None) -> None:
        """`checks`: only these checks and no step at all."""
        nodes: list[Node] = [graph.steps[name] for name in graph.order if name not in given] if checks is None else []
        nodes += [check for check in graph.checks.values() if checks is None or check.name in checks]
        self._nodes = {_id(node): node for node in nodes}
        self._state: dict[str, Literal["open", "done", "lost"]] = dict.fromkeys(self._nodes, "open")
        self._open = len(nodes)
        self._missing: dict[str, set[str]] = {}
        self._waiting: dict[str, list[str]] = {}
        self._steps: deque[Node] = deque()
        self._checks: deque[Node] = deque()
        for key, node in self._nodes.items():
            self._missing[key] = {asset for asset in takes(node) if asset not in given}
            for asset in self._missing[key]:
                self._waiting.setdefault(asset, []).append(key)
            if not self._missing[key]:
                self._enter(node)

    @property
    def finished(self) -> bool:
        return self._open == 0

    @property
    def ready(self) -> int:
        """How many nodes could run now."""
        return len(self._steps) + len(self._checks)

    def next(self) -> Node | None:
        """A node that can run now, steps before checks; None: nothing can, until something is done."""
        if self._steps:
            return self._steps.popleft()
        return self._checks.popleft() if self._checks else None

    def back(self, node: Node) -> None:
        """Put a node back that was taken and not done."""
        (self._steps if isinstance(node, Step) else self._checks).appendleft(node)

    def done(self, node: Node) -> None:
        """A node has ended well: what waits for its asset may become ready."""
        self._close(_id(node), "done")
        if isinstance(node, Step):
            for key in self._waiting.get(node.name, ()):
                missing = self._missing[key]
                if node.name in missing:
                    missing.discard(node.name)
                    if not missing and self._state[key] == "open":
                        self._enter(self._nodes[key])

    def failed(self, node: Node) -> list[Node]:
        """A node has ended badly: returns what can never run now, in the order of the graph."""
        self._close(_id(node), "lost")
        lost: set[str] = set()
        gone = deque([node.name] if isinstance(node, Step) else [])
        while gone:
            asset = gone.popleft()
            for key in self._waiting.get(asset, ()):
                if self._state[key] == "open" and asset in self._missing[key]:
                    self._close(key, "lost")
                    lost.add(key)
                    if isinstance(waiting := self._nodes[key], Step):
                        gone.append(waiting.name)
        return [each for key, each in self._nodes.items() if key in lost]

    def again(self, asset: str, node: Node) -> None:
        """An asset that was there is not: its step runs again, and the node, which was taken, waits for it.

        Raises KeyError if no step of this schedule makes the asset, or can.
        """
        key = _id(node)
        if self._state[asset] == "lost":
            raise KeyError(asset)
        if self._state[asset] == "done":
            self._state[asset] = "open"
            self._open += 1
            self._enter(self._nodes[asset])
        self._missing[key].add(asset)
        if key not in self._waiting.setdefault(asset, []):
            self._waiting[asset].append(key)

    def _close(self, key: str, state: Literal["done", "lost"]) -> None:
        self._state[key] = state
        self._open -= 1

    def _enter(self, node: Node) -> None:
        (self._steps if isinstance(node, Step) else self._checks).append(node)


def _id(node: Node) -> str:
    return node.name if isinstance(node, Step) else f"check {node.name}"
