"""The schedule: whatever fails, dies or has to be made again, every node ends exactly once and in order."""

from hypothesis import given
from hypothesis import strategies as st

from ciranda.pipeline import graph, schedule
from ciranda.pipeline.records import Step
from support import pipeline as build


@st.composite
def graphs(draw: st.DrawFn) -> graph.Graph:
    count = draw(st.integers(0, 10))
    steps, checks = [], []
    for n in range(count):
        takes = draw(st.lists(st.sampled_from(["raw", *(f"s{m}" for m in range(n))]), unique=True, max_size=3))
        steps.append(build.step(f"s{n}", *takes))
        checks += [build.check(f"c{n}_{k}", f"s{n}") for k in range(draw(st.integers(0, 2)))]
    return graph.build(build.description(steps, checks), ["raw"])


@given(graphs(), st.randoms(use_true_random=False))
def test_every_node_ends_once_and_after_what_it_takes(built: graph.Graph, random) -> None:
    plan = schedule.Schedule(built, ["raw"])
    there, done, lost = {"raw"}, set(), set()
    taken: list[schedule.Node] = []
    while not plan.finished:
        while (node := plan.next()) is not None:
            taken.append(node)
        assert taken, "something is left, so something can run"
        node = taken.pop(random.randrange(len(taken)))
        name = node.name
        assert name not in done | lost
        if gone := set(schedule.takes(node)) - there:  # made again meanwhile: found out when it is handed over
            try:
                plan.again(gone.pop(), node)
            except KeyError:
                lost |= {name, *(each.name for each in plan.failed(node))}
            continue
        match random.choice(["done", "done", "done", "failed", "back", "again"]):
            case "failed":
                lost.add(name)
                gone = plan.failed(node)
                assert not {each.name for each in gone} & (done | lost)
                lost |= {each.name for each in gone}
            case "back":
                plan.back(node)
            case "again" if steps := [
                t for t in schedule.takes(node) if t in done and t not in {x.name for x in taken}
            ]:
                asset = random.choice(steps)
                plan.again(asset, node)
                done.discard(asset)
                there.discard(asset)
            case _:
                done.add(name)
                plan.done(node)
                if isinstance(node, Step):
                    there.add(name)
    assert done | lost == {*built.steps, *built.checks}
    assert plan.next() is None


def test_steps_come_before_checks() -> None:
    built = graph.build(build.description([build.step("a"), build.step("b")], [build.check("c", "raw")]), ["raw"])
    plan = schedule.Schedule(built, ["raw"])
    assert [node.name for node in iter(plan.next, None)] == ["a", "b", "c"]


def test_only_the_checks_that_are_asked_for() -> None:
    built = graph.build(build.description([build.step("a")], [build.check("c", "a"), build.check("d", "a")]), [])
    plan = schedule.Schedule(built, ["a"], checks=["d"])
    node = plan.next()
    assert node is not None
    assert node.name == "d"
    plan.done(node)
    assert plan.finished


def test_what_lacks_an_asset_for_ever_is_not_ready() -> None:
    built = graph.build(build.description([build.step("a")], [build.check("d", "a")]), [])
    assert schedule.Schedule(built, [], checks=["d"]).next() is None
