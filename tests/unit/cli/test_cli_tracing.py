"""Lineage as lines: calm, at most 80 columns, and dirty runs marked."""

from dataclasses import replace
from typing import Any

from ciranda.app.views import lineage as views
from ciranda.cli import tracing
from ciranda.pipeline import lineage, records, runs

RUN = runs.Run(
    "u", "toy", 7, "3f2a1c9" + "0" * 33, 0, "by hand", "ana", "local", "finished", 1_763_846_400_000_000, 1, "b3:i", True, {},
    None,
)  # fmt: skip
RAW = records.Version("raw", "b3:aaaaaaaaaa", "k1", "files", 31_000_000, "source")
FLIGHTS = records.Version("flights", "b3:bbbbbbbbbb", "k2", "parquet", 9, "dataset", rows=336_776, columns=24)
PARTS = {
    "function": "b3:f00dfeed",
    "parameters": {"depth": 6},
    "inputs": {},
    "python": "3.11",
    "platform": "linux-x86_64",
}


def upstream(run: runs.Run = RUN) -> lineage.Upstream:
    made = lineage.Made(run, 1_763_846_400_000_000, 6.1, "local", PARTS)
    top = records.Version("delay", "b3:cccccccccc", "b3:key0key0", "pickle", 3, "model", figures={"auc": 0.742})
    nodes = [
        lineage.Node(top, made, None, ("flights@b3:bbbbbbbbbb",)),
        lineage.Node(FLIGHTS, made, None, ("raw@b3:aaaaaaaaaa",)),
        lineage.Node(RAW, None, run, ()),
    ]
    return lineage.Upstream(nodes[0].id, {node.id: node for node in nodes})


def test_a_tree_names_digests_runs_files_and_pins() -> None:
    files = [tracing.Pinned(f"data/{number}.csv", 1000, "b3:dddddddddddddddddd") for number in range(5)]
    lines = tracing.tree(upstream(), {RAW.digest: files})
    assert [line.split() for line in lines[:2]] == [
        ["flights", "b3:bbbbbb", "dataset", "336,776", "rows", "×", "24", "run-7"],
        ["raw", "b3:aaaaaa", "source", "5", "files,", "31", "MB", "tracked", "at", "3f2a1c9"],
    ]
    assert lines[2].split() == ["data/0.csv", "1.0", "kB", "b3:dddddddddddd…"]
    assert lines[-1].strip() == "… and 2 files more"
    assert max(map(len, lines)) <= tracing.WIDE


def test_what_a_dirty_run_made_is_marked() -> None:
    dirty = replace(RUN, dirty=2)
    assert [line.endswith("run-7 !") for line in tracing.tree(upstream(dirty), {})] == [True, True]
    said = tracing.made(upstream(dirty).top, None, dirty)
    assert any("! on a working tree with 2 files that no commit has" in line for line in said)
    clean = tracing.made(upstream(dirty).top, None, replace(RUN, number=8))
    assert any("same key as 3f2a1c9" in line for line in clean)
    assert tracing.dirty(replace(RUN, commit=None)) == "! in a folder that is in no commit"
    assert tracing.dirty(RUN) == tracing.dirty(None) == ""


def test_how_a_version_was_made() -> None:
    lines = tracing.made(upstream().top, None, RUN)
    assert [line.split()[0] for line in lines] == ["made", "commit", "key"]
    assert "in 6.1 s, run-7, by ana" in lines[0]
    assert "depth=6 · Python 3.11 on linux-x86_64" in lines[2]
    assert max(map(len, lines)) <= tracing.WIDE
    gone = tracing.made(upstream(RUN).top, None, RUN)
    assert gone == lines


def test_what_uses_a_version() -> None:
    place = views.Place("prod", "prod#17", "r41", (("delays", "delay"), ("page", "delay"), ("page", "flights")))
    empty = views.Place("test", "test#3", "r41", ())
    uses = views.Uses(tuple([lineage.Use(FLIGHTS, "u", direct=False)] * 15), ("r41", "r40"), (place, empty))
    lines = [" ".join(line.split()) for line in tracing.used(uses)]
    assert lines[:3] == [
        "live delays in prod#17 (r41), with delay",
        "live page in prod#17 (r41), with delay, flights",
        "live test#3 (r41); none of its services uses it",
    ]
    assert lines[3] == "made of it flights b3:bbbbbb (by way of others)"
    assert lines[-2:] == ["… and 3 more: --json", "releases r41, r40"]
    assert [line.strip() for line in tracing.used(views.Uses((), (), ()))] == ["nothing yet"]


def told(**more: Any) -> dict[str, Any]:
    return {"name": "it", "type": "Int64", "nulls": 0, "distinct": 3, "approximate": False, **more}


def test_columns_in_a_line_each() -> None:
    lines = tracing.columns(
        {
            "rows": 1000,
            "columns": [
                told(min=1, max=1_000_000, mean=2.5),
                told(name="origin", type="String", nulls=1, top=[["EWR", 500], ["JFK", 499], ["LGA", 1]]),
                told(name="name", private=True, nulls=1000),
                told(name="a_very_long_name_of_a_column", type="Datetime(time_unit='us')", min="2020-01-01", approximate=True, max="x"),
                told(name="nested", distinct=None),
            ],
        }
    )  # fmt: skip
    rows = [" ".join(line.split()) for line in lines]
    assert rows[0] == "column type nulls distinct holds"
    assert rows[1] == "it Int64 0 3 1 … 1,000,000, mean 2.5"
    assert rows[2] == "origin String 0.1 % 3 EWR 50 %, JFK 50 %, LG…"
    assert rows[3] == "name String 100 % 3 (private)".replace("String", "Int64")
    assert "~3" in rows[4]
    assert rows[5].startswith("nested Int64 0")
    assert max(map(len, lines)) <= tracing.WIDE
    assert tracing.columns({"rows": 0, "columns": []}) == []
