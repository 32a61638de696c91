"""Where a version comes from, and what was made of it: read from what runs recorded, never stored twice."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ciranda.kernel import errors, statements
from ciranda.kernel.database import Database, Row
from ciranda.pipeline import codec, runs
from ciranda.pipeline.records import Version

sql = statements.load("ciranda.pipeline")
_LEAST = 4  # digits of a digest that name a version


@dataclass(frozen=True, slots=True)
class Made:
    """How a version came to be: by which run (None: the ledger has it no more), and what its key was made of."""

    run: runs.Run | None
    at_us: int
    seconds: float
    trust: str
    parts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Node:
    """A version, how it was made (None: by no step, so it is a source), and the identities of its inputs.

    `seen` is, of a source, the run that is meant if it has it, else the first one that does.
    """

    version: Version
    made: Made | None
    seen: runs.Run | None
    inputs: tuple[str, ...]

    @property
    def run(self) -> runs.Run | None:
        """The run that made it; of a source, that it was seen in."""
        return self.seen if self.made is None else self.made.run

    @property
    def id(self) -> str:
        """`flights@b3:41c0…`."""
        return identity(self.version.asset, self.version.digest)


@dataclass(frozen=True, slots=True)
class Upstream:
    """What a version is made of: every node by its identity."""

    root: str
    nodes: Mapping[str, Node]

    @property
    def top(self) -> Node:
        """The version itself."""
        return self.nodes[self.root]

    def above(self) -> list[Node]:
        """All but the version itself."""
        return [node for name, node in self.nodes.items() if name != self.root]

    def tree(self, most: int) -> list[tuple[int, Node, bool]]:
        """Depth, node, and whether it was there before: depth first from the root's inputs, at most `most` of them. Pure."""
        found: list[tuple[int, Node, bool]] = []
        seen: set[str] = set()
        waiting = [(1, name) for name in reversed(self.nodes[self.root].inputs)]
        while waiting and len(found) < most:
            depth, name = waiting.pop()
            node = self.nodes[name]
            found.append((depth, node, name in seen))
            if name not in seen:
                waiting += [(depth + 1, inner) for inner in reversed(node.inputs)]
            seen.add(name)
        return found


@dataclass(frozen=True, slots=True)
class Use:
    """A version that was made of another one, directly or by way of others."""

    version: Version
    run: str
    direct: bool

    @property
    def id(self) -> str:
        """As of a node."""
        return identity(self.version.asset, self.version.digest)


def identity(asset: str, digest: str) -> str:
    """What names a version of an asset among all others."""
    return f"{asset}@{digest}"


def upstream(database: Database, project: str, version: Version, run: runs.Run | None = None) -> Upstream:
    """What a version is made of, down to the sources. `run`: the run whose versions are meant, where there is one."""
    book = _Book(database, project)
    nodes: dict[str, Node] = {}
    root = identity(version.asset, version.digest)
    waiting: deque[tuple[Version, runs.Run | None]] = deque([(version, run)])
    while waiting:
        now, within = waiting.popleft()
        if identity(now.asset, now.digest) in nodes:
            continue
        made = book.made(now)
        inner = [] if made is None else [book.input(*each, within, made.run) for each in inputs(made.parts)]
        seen = book.where(now, within) if made is None else None
        node = Node(now, made, seen, tuple(identity(each.asset, each.digest) for each in inner))
        nodes[node.id] = node
        waiting += [(each, within) for each in inner]
    return Upstream(root, nodes)


def made(database: Database, project: str, version: Version) -> Made | None:
    """How a version was made; None: by no step that the ledger knows of."""
    return _Book(database, project).made(version)


def inputs(parts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The assets that a step was given, by what its key was made of: name, digest, codec. Markers are none. Pure."""
    given: Mapping[str, Any] = parts.get("inputs", {})
    return [(name, told[0], told[1]) for name, told in given.items() if len(told) == 2 and str(told[0])[:3] == "b3:"]


def downstream(database: Database, project: str, version: Version) -> list[Use]:
    """What was made of a version in this project, directly or not, the newest of each asset first."""
    return uses(database.query(sql.results_of_project, project=project), version)


def uses(results: Sequence[Row], version: Version) -> list[Use]:
    """What of these results was made of a version. Pure."""
    takers: dict[str, list[Use]] = {}
    order: dict[str, int] = {}
    for at, row in enumerate(results):
        made = codec.version(row["version"])
        for name, digest, _ in inputs(json.loads(row["parts"])):
            takers.setdefault(identity(name, digest), []).append(Use(made, row["run"], direct=False))
        order[identity(made.asset, made.digest)] = at
    found: dict[str, Use] = {}
    root = identity(version.asset, version.digest)
    waiting = deque([root])
    while waiting:
        name = waiting.popleft()
        for use in takers.get(name, ()):
            if use.id not in found and use.id != root:
                waiting.append(use.id)
            if use.id != root:
                found[use.id] = replace(use, direct=name == root or (use.id in found and found[use.id].direct))
    return sorted(found.values(), key=lambda use: (not use.direct, -order[use.id]))


def by_digest(database: Database, project: str, asset: str, prefix: str) -> tuple[Version, runs.Run]:
    """A version by the beginning of its digest, and the run that saw it first. Raises errors.NotFound, errors.Invalid."""
    rest = prefix.removeprefix("b3:")
    if not rest.isalnum() or len(rest) < _LEAST:
        raise errors.Invalid(f'"{prefix}" names no version', hint=f"b3: and at least {_LEAST} digits of its digest")
    rows = database.query(sql.versions_by_prefix, project=project, step=asset, prefix=f"b3:{rest}%")
    if not rows:
        raise errors.NotFound(
            f"no run has a version of {asset} whose digest begins with b3:{rest}", hint="ciranda show"
        )
    if len(rows) > 1:
        raise errors.Invalid(f"several versions of {asset} begin with b3:{rest}", hint="give more of its digest")
    found = _Book(database, project).seen(asset, rows[0]["digest"])
    assert found is not None
    return found


class _Book:
    """The ledger as lineage reads it; what was read is kept, for many versions share a run."""

    def __init__(self, database: Database, project: str) -> None:
        self._database = database
        self._project = project
        self._runs: dict[str, runs.Run | None] = {}
        self._steps: dict[str, dict[str, Version]] = {}

    def run(self, name: str) -> runs.Run | None:
        """A run by its identity."""
        if name not in self._runs:
            self._runs[name] = runs.by_id(self._database, name)
        return self._runs[name]

    def made(self, version: Version) -> Made | None:
        """How a version was made: the result for its key that is it, of the highest trust."""
        rows = [
            row
            for row in self._database.query(sql.result_of_key, key=version.key)
            if row["asset"] == version.asset and codec.version(row["version"]).digest == version.digest
        ]
        if not rows:
            return None
        row = max(rows, key=lambda each: (each["trust"] == "protected", -each["made_us"]))
        return Made(self.run(row["run"]), row["made_us"], row["seconds"], row["trust"], json.loads(row["parts"]))

    def where(self, version: Version, within: runs.Run | None) -> runs.Run | None:
        """The run that is meant, if it has a version, else the first one that has."""
        if within is not None and (known := self._of(within).get(version.asset)) and known.digest == version.digest:
            return within
        found = self.seen(version.asset, version.digest)
        return None if found is None else found[1]

    def seen(self, asset: str, digest: str) -> tuple[Version, runs.Run] | None:
        """A version as the first run recorded it that has it."""
        row = self._database.one(sql.seen_in, project=self._project, step=asset, digest=digest)
        run = None if row is None else self.run(row["id"])
        return None if row is None or run is None else (codec.version(row["version"]), run)

    def input(self, name: str, digest: str, coded: str, *within: runs.Run | None) -> Version:
        """An input as the runs know it that made use of it, else as any run does, else only by its digest."""
        for run in within:
            if run is not None and (known := self._of(run).get(name)) is not None and known.digest == digest:
                return known
        found = self.seen(name, digest)
        return Version(name, digest, "", coded, 0, "step") if found is None else found[0]

    def _of(self, run: runs.Run) -> Mapping[str, Version]:
        if run.id not in self._steps:
            found = runs.steps(self._database, run)
            self._steps[run.id] = {step.step: step.version for step in found if step.version is not None}
        return self._steps[run.id]
