"""A part of a graph: what some assets need and what checks it, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.pipeline import graph
from support import pipeline as build

WHOLE = graph.build(
    build.description(
        [build.step("flights", "raw"), build.step("delay", "flights"), build.step("scores", "delay", "today"), build.step("news", "raw")],
        [build.check("once", "flights"), build.check("fair", "scores"), build.check("short", "news")],
    ),
    ["raw", "today", "other"],
)  # fmt: skip


def test_it_has_what_the_assets_need_and_what_checks_that() -> None:
    part, sources = graph.part(WHOLE, ["scores"], ["raw", "today", "other"])
    assert part.order == ("flights", "delay", "scores")
    assert set(part.checks) == {"once", "fair"}
    assert sources == {"raw", "today"}


def test_what_a_check_takes_is_made_too() -> None:
    check = build.check("like_news", "scores")
    takes_more = build.records.Check(
        **{name: getattr(check, name) for name in check.__dataclass_fields__}
        | {"inputs": (*check.inputs, build.records.Input("news", "news", None, ""))}
    )
    checks = [takes_more, build.check("short", "news")]
    whole = graph.build(build.description(list(WHOLE.steps.values()), checks), ["raw", "today"])
    part, _ = graph.part(whole, ["scores"], ["raw", "today"])
    assert set(part.order) == {"flights", "delay", "scores", "news"}
    assert set(part.checks) == {"like_news", "short"}, "and what checks that"


def test_a_source_alone_is_a_part() -> None:
    part, sources = graph.part(WHOLE, ["today"], ["raw", "today"])
    assert (part.order, dict(part.checks), sources) == ((), {}, {"today"})


def test_what_nothing_makes_is_told() -> None:
    with pytest.raises(errors.Invalid, match='asked for "score"') as caught:
        graph.part(WHOLE, ["score"], ["raw"])
    assert 'did you mean "scores"?' in caught.value.hint


@given(st.sets(st.sampled_from(["flights", "delay", "scores", "news"]), min_size=1))
def test_a_part_lacks_nothing_and_keeps_the_order(assets: set[str]) -> None:
    part, sources = graph.part(WHOLE, sorted(assets), ["raw", "today", "other"])
    there = {*part.steps, *sources}
    assert assets <= there
    assert {taken.asset for node in (*part.steps.values(), *part.checks.values()) for taken in node.inputs} <= there
    assert list(part.order) == [name for name in WHOLE.order if name in part.steps]
