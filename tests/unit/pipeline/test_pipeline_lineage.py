"""Lineage without a ledger: what was made of what, and the tree of what a version is made of."""

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ciranda.pipeline import codec, lineage, records


def version(asset: str, digest: str = "b3:1") -> records.Version:
    return records.Version(asset, digest, f"key-{asset}-{digest}", "json", 1, "step")


def result(asset: str, digest: str = "b3:1", **takes: str) -> dict[str, Any]:
    """A row of `result`: an asset that was made of these versions."""
    made = version(asset, digest)
    parts = {"inputs": {name: [taken, "json"] for name, taken in takes.items()} | {"now": ["run", {"commit": None}]}}
    return {
        "asset": asset,
        "version": codec.version_text(made),
        "parts": json.dumps(parts),
        "run": "r",
        "key": made.key,
    }


def names(found: list[lineage.Use]) -> list[tuple[str, str, bool]]:
    return [(use.version.asset, use.version.digest, use.direct) for use in found]


def test_what_was_made_of_a_version_directly_and_by_way_of_others() -> None:
    rows = [
        result("flights", raw="b3:1"),
        result("delay", flights="b3:1"),
        result("delay", "b3:2", flights="b3:1", raw="b3:1"),
        result("other", raw="b3:9"),
        result("page", delay="b3:2"),
    ]
    assert names(lineage.uses(rows, version("raw"))) == [
        ("delay", "b3:2", True), ("flights", "b3:1", True), ("page", "b3:1", False), ("delay", "b3:1", False),
    ]  # fmt: skip
    assert names(lineage.uses(rows, version("page"))) == []
    assert lineage.uses([], version("raw")) == []


def test_equal_bytes_of_another_asset_are_no_use() -> None:
    assert names(lineage.uses([result("delay", flights="b3:1")], version("other", "b3:1"))) == []


def test_markers_are_no_inputs() -> None:
    told = {
        "inputs": {"flights": ["b3:1", "parquet"], "now": ["live", "b3:2", "json"], "none": ["live"], "it": ["run", {}]}
    }
    assert lineage.inputs(told) == [("flights", "b3:1", "parquet")]
    assert lineage.inputs({}) == []


def upstream(edges: dict[str, tuple[str, ...]]) -> lineage.Upstream:
    def node(name: str) -> lineage.Node:
        return lineage.Node(version(name), None, None, tuple(f"{each}@b3:1" for each in edges[name]))

    return lineage.Upstream("top@b3:1", {f"{name}@b3:1": node(name) for name in edges})


def test_a_tree_tells_what_is_shared_once() -> None:
    found = upstream({"top": ("a", "b"), "a": ("c",), "b": ("c",), "c": ("d",), "d": ()})
    told = [(depth, node.version.asset, again) for depth, node, again in found.tree(100)]
    assert told == [(1, "a", False), (2, "c", False), (3, "d", False), (1, "b", False), (2, "c", True)]
    assert len(found.tree(3)) == 3
    assert {node.version.asset for node in found.above()} == set("abcd")


def test_a_long_chain_is_no_recursion() -> None:
    names = ["top", *(f"s{number}" for number in range(20_000))]
    found = upstream({name: (after,) for name, after in itertools.pairwise(names)} | {names[-1]: ()})
    assert len(found.tree(100_000)) == 20_000
    rows = [result(name, **{after: "b3:1"}) for name, after in itertools.pairwise(names)]
    assert len(lineage.uses(rows, version(names[-1]))) == 20_000


@given(st.dictionaries(st.integers(0, 12), st.sets(st.integers(0, 12), max_size=4), max_size=12))
def test_every_taker_is_found_once(graph: dict[int, set[int]]) -> None:
    edges = {node: {taken for taken in takes if taken < node} for node, takes in graph.items()}
    rows = [result(f"a{node}", **{f"a{taken}": "b3:1" for taken in takes}) for node, takes in edges.items()]
    reached = {0}
    for node in sorted(edges):
        if edges[node] & reached:
            reached.add(node)
    found = lineage.uses(rows, version("a0"))
    assert sorted(use.version.asset for use in found) == sorted(f"a{node}" for node in reached - {0})
    assert all(use.direct == (0 in edges[int(use.version.asset[1:])]) for use in found)
