"""The graph: an order that respects what steps take, and mistakes told by name."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.pipeline import graph
from support import pipeline as build


@st.composite
def dags(draw: st.DrawFn) -> list[tuple[str, list[str]]]:
    """Steps s0, s1 …, each taking some of the earlier ones, in any order of the text."""
    count = draw(st.integers(0, 12))
    steps = [
        (f"s{n}", draw(st.lists(st.sampled_from([f"s{m}" for m in range(n)]), unique=True)) if n else [])
        for n in range(count)
    ]
    return draw(st.permutations(steps))


@given(dags())
def test_each_step_comes_after_what_it_takes(steps: list[tuple[str, list[str]]]) -> None:
    built = graph.build(build.description([build.step(name, *takes) for name, takes in steps]), [])
    assert sorted(built.order) == sorted(name for name, _ in steps)
    for name, takes in steps:
        assert all(built.order.index(taken) < built.order.index(name) for taken in takes)


@given(dags(), st.data())
def test_one_edge_back_makes_a_cycle_and_it_is_named(steps: list[tuple[str, list[str]]], data: st.DataObject) -> None:
    edges = [(name, taken) for name, takes in steps for taken in takes]
    if not edges:
        return
    later, earlier = data.draw(st.sampled_from(edges))
    turned = [(name, [*takes, later] if name == earlier else takes) for name, takes in steps]
    with pytest.raises(errors.Invalid, match="in a circle") as caught:
        graph.build(build.description([build.step(name, *takes) for name, takes in turned]), [])
    circle = str(caught.value).rpartition(": ")[2].split(" ← ")
    assert circle[0] == circle[-1]
    takes = dict(turned)
    assert all(other in takes[each] for each, other in itertools.pairwise(circle)), "each takes the next"


def test_what_nothing_makes_is_told_with_the_nearest_name() -> None:
    with pytest.raises(errors.Invalid, match='model takes "flihgts", which no step or source makes') as caught:
        graph.build(build.description([build.step("flights"), build.step("model", "flihgts")]), ["raw"])
    assert 'did you mean "flights"?' in caught.value.hint
    assert caught.value.where == "pipeline.py:2"


def test_two_that_make_one_asset_are_told_with_their_places() -> None:
    with pytest.raises(errors.Invalid, match="two steps make the asset a") as caught:
        graph.build(build.description([build.step("a"), build.step("a")]), [])
    assert caught.value.where == "pipeline.py:1 and pipeline.py:2"
    with pytest.raises(errors.Invalid, match="a step and a source make the asset a"):
        graph.build(build.description([build.step("a")]), ["a"])
    with pytest.raises(errors.Invalid, match="two checks are called c"):
        graph.build(build.description([build.step("a")], [build.check("c", "a"), build.check("c", "a")]), [])


def test_a_check_of_nothing_is_refused_and_a_live_version_needs_no_step() -> None:
    with pytest.raises(errors.Invalid, match='the check c tests "b"'):
        graph.build(build.description([build.step("a")], [build.check("c", "b")]), [])
    built = graph.build(build.description([build.step("a")], [build.check("c", "a", live="gone")]), [])
    assert list(built.checks) == ["c"]
