"""The plan: what a release would change, and how it is said."""

from dataclasses import replace

from ciranda.environment import memory, plan
from ciranda.environment.revisions import Count, Value
from ciranda.pipeline import records
from ciranda.release import manifest

SERVICE = manifest.Service("predict", "service:predict", ("delay",), 1, "/", 30.0, 60.0)
CONTENT = manifest.Manifest(
    project="flights", commit="c1", tree="t1", interpreter="b3:ab", parameters={},
    assets={"delay": manifest.Asset("b3:01", "k1", "pickle", "model"), "rows": manifest.Asset("b3:02", "k2", "parquet", "dataset")},
    services={"delays": SERVICE}, settings={}, environments={}, policy="b3:00",
)  # fmt: skip
OLD = plan.Side(
    "r41", CONTENT, {"LEVEL": Value("info", "default")}, {"delays": Count(2, "declared")},
    {
        "delay": records.Version("delay", "b3:01", "k1", "pickle", 1, "model", figures={"auc": 0.7312, "note": "x"}),
        "rows": records.Version("rows", "b3:02", "k2", "parquet", 1, "dataset", rows=336776),
    },
)  # fmt: skip
NEW = replace(
    OLD,
    release="r42",
    content=replace(
        CONTENT,
        tree="t2",
        assets={**CONTENT.assets, "delay": manifest.Asset("b3:03", "k3", "pickle", "model")},
        services={"delays": replace(SERVICE, drain=5.0), "page": replace(SERVICE, uses=())},
    ),
    config={"LEVEL": Value("debug", "environments.prod"), "MORE": Value(True, "default")},
    instances={"delays": Count(3, "scale"), "page": Count(1, "declared")},
    versions={
        **OLD.versions,
        "delay": records.Version("delay", "b3:03", "k3", "pickle", 1, "model", figures={"auc": 0.7421}),
    },
)


def parts(now: plan.Side | None, then: plan.Side) -> list[tuple[str, str, str, str]]:
    return [(part.sign, part.kind, part.name, part.text) for part in plan.difference(now, then, back="a route swap")]


def test_each_part_says_what_changes() -> None:
    assert parts(OLD, NEW) == [
        ("change", "model", "delay", "auc 0.7421 (now 0.7312)"),
        ("change", "service", "delays", "new code, drain 30.0 → 5.0, new delay, 2 → 3 instances"),
        ("add", "service", "page", "1 instance"),
        ("change", "config", "LEVEL", "info → debug"),
        ("add", "config", "MORE", "true"),
        ("same", "dataset", "rows", "unchanged, 336,776 rows"),
    ]


def test_going_back_removes_what_was_added() -> None:
    assert ("remove", "service", "page", "not declared any more") in parts(NEW, OLD)
    assert ("remove", "config", "MORE", "true") in parts(NEW, OLD)


def test_the_first_release_adds_everything() -> None:
    assert {sign for sign, *_ in parts(None, NEW)} == {"add"}


def test_the_same_release_changes_nothing() -> None:
    nothing = plan.Plan("flights", "prod", ("prod#17", "r41"), "r41", plan.difference(OLD, OLD, back=""))
    assert nothing.changes == ()
    assert plan.lines(nothing) == ["prod runs r41: nothing to do"]


def test_it_reads_in_80_columns_and_says_how_it_comes_back() -> None:
    found = plan.Plan(
        "flights",
        "prod",
        ("prod#17", "r41"),
        "r42",
        plan.difference(OLD, NEW, back="a swap"),
        warm=True,
        blocked="held",
    )
    said = plan.lines(found)
    assert said[0] == "prod #17 (r41) → r42"
    assert any("~ config" in line and "(environments.prod)" in line and line.endswith("back: a swap") for line in said)
    assert said[-2] == "2 to add, 3 to change, 0 to remove.     in: a swap: it is warm"
    assert said[-1] == "! held"
    assert found.document()["counts"] == {"add": 2, "change": 3, "remove": 0, "same": 1}


def test_memory_is_short_when_little_is_available() -> None:
    text = "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:   {} kB\n"
    assert memory.is_short(text.format(79))
    assert not memory.is_short(text.format(81))
    assert not memory.is_short("")
