"""The difference between two sides: what changes, and how it is said."""

from dataclasses import replace

from ciranda.app.views import difference, facts
from ciranda.environment import memory, plan
from ciranda.environment.revisions import Count, Value
from ciranda.pipeline import records
from ciranda.release import manifest

SERVICE = manifest.Service("predict", "service:predict", ("delay",), 1, "/", 30.0, 60.0)
JOB = manifest.Job(("rows",), "0 5 * * *", None, ("prod",), 0, 60.0, "")
OLD = plan.Side(
    commit="c1", tree="t1", interpreter="b3:ab", parameters={"delay.depth": 6},
    assets={
        "delay": manifest.Asset("b3:01", "k1", "pickle", "model"),
        "rows": manifest.Asset("b3:02", "k2", "parquet", "dataset"),
    },
    services={"delays": SERVICE}, instances={"delays": Count(2, "declared")}, jobs={"nightly": JOB},
    config={"LEVEL": Value("info", "default")}, secrets={"DB": 1},
)  # fmt: skip
NEW = replace(
    OLD, commit="c2", tree="t2", parameters={"delay.depth": 8},
    assets={**OLD.assets, "delay": manifest.Asset("b3:03", "k3", "pickle", "model")},
    services={"delays": replace(SERVICE, drain=5.0), "page": replace(SERVICE, uses=())},
    instances={"delays": Count(3, "scale"), "page": Count(1, "declared")},
    jobs={"nightly": replace(JOB, schedule="0 6 * * *")},
    config={"LEVEL": Value("debug", "environments.prod"), "MORE": Value(True, "default")},
    secrets={"DB": 2, "URL": 1},
)  # fmt: skip
BEFORE = records.Version("delay", "b3:01", "k1", "pickle", 1, "model", figures={"auc": 0.7312, "note": "x"})
AFTER = records.Version("delay", "b3:03", "k3", "pickle", 1, "model", figures={"auc": 0.7421})
TEXTS = {"delay": facts.compared(BEFORE, AFTER, there="prod"), "rows": "336,776 rows"}


def parts(now: plan.Side, then: plan.Side) -> list[tuple[str, str, str, str]]:
    return [(part.sign, part.kind, part.name, difference.said(part, TEXTS)) for part in plan.difference(now, then)]


def test_each_part_says_what_changes() -> None:
    assert parts(OLD, NEW) == [
        ("change", "model", "delay", "auc 0.7421, prod 0.7312"),
        ("change", "parameter", "delay.depth", "6 → 8"),
        ("change", "service", "delays", "new code, drain 30 → 5, new delay, 2 → 3 instances"),
        ("add", "service", "page", "1 instance"),
        ("change", "job", "nightly", "new code, 0 5 * * * → 0 6 * * *"),
        ("change", "config", "LEVEL", "info → debug (environments.prod)"),
        ("add", "config", "MORE", "true (default)"),
        ("change", "secret", "DB", "version 1 → 2"),
        ("add", "secret", "URL", "version 1"),
        ("same", "dataset", "rows", "unchanged, 336,776 rows"),
    ]


def test_going_back_removes_what_was_added() -> None:
    assert ("remove", "service", "page", "was 1 instance") in parts(NEW, OLD)
    assert ("remove", "config", "MORE", "was true") in parts(NEW, OLD)
    assert ("remove", "dataset", "rows", "was 336,776 rows") in parts(NEW, plan.Side())
    assert difference.said(plan.Part("dataset", "lost", "remove", "b3:1"), {}) == "not there any more"
    table = records.Version("rows", "b3:1", "b3:2", "parquet", 1, "dataset", rows=10, columns=3)
    assert facts.of_part("remove", table, None, there="prod") == facts.of_part("add", None, table, there="prod")


def test_nothing_to_something_adds_and_something_to_nothing_removes_everything() -> None:
    assert {sign for sign, *_ in parts(plan.Side(), NEW)} == {"add"}
    assert {sign for sign, *_ in parts(NEW, plan.Side())} == {"remove"}


def test_equal_sides_differ_in_nothing_and_another_commit_alone_is_told() -> None:
    assert {sign for sign, *_ in parts(OLD, OLD)} == {"same"}
    alone = plan.Side(commit="1234567890")
    assert parts(plan.Side(commit="abcdefabcd"), alone) == [("change", "commit", "1234567", "abcdefa → 1234567")]


def test_a_value_that_another_layer_says_is_a_change() -> None:
    said = replace(OLD, config={"LEVEL": Value("info", "server")})
    assert ("change", "config", "LEVEL", "now from server, not from default (server)") in parts(OLD, said)


def test_a_table_says_rows_columns_and_their_names() -> None:
    table = records.Version("rows", "b3:02", "k2", "parquet", 1, "dataset", rows=10, columns=3)
    more = replace(table, rows=1200, columns=4)
    assert facts.told(more) == "1,200 rows × 4"
    assert facts.compared(table, more, there="prod") == "10 → 1,200 rows × 4, 3 → 4 columns"
    named = facts.Columns(("wind",), ())
    assert facts.compared(table, more, there="prod", columns=named) == "10 → 1,200 rows × 4, + wind"
    assert facts.compared(None, None, there="prod") == "another version"


def test_the_table_keeps_80_columns_and_counts_what_stays() -> None:
    many = {f"asset_{number}": manifest.Asset("b3:09", "k", "json", "dataset") for number in range(500)}
    found = plan.difference(replace(OLD, assets=many), replace(NEW, assets=many))
    rows = difference.rows(
        found, {}, back=lambda part: "back: 0.6 s", touches={}
    )  # fmt: skip
    assert max(map(len, rows)) <= 80
    assert len(rows) < 25
    assert rows[-1] == "    and 497 parts unchanged"
    assert all(line.endswith("back: 0.6 s") for line in rows if line.startswith("  ~"))


def test_what_is_made_of_what_leads_downstream() -> None:
    made_of = {"raw": (), "rows": ("raw",), "delay": ("rows",), "other": (), "late": ("delay", "other")}
    assert facts.downstream("raw", made_of) == ("rows", "delay", "late")
    assert facts.downstream("other", made_of) == ("late",)
    assert difference.shortened([f"name-{number}" for number in range(30)], 60).endswith("and 23 more")


def test_memory_is_short_when_little_is_available() -> None:
    text = "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:   {} kB\n"
    assert memory.is_short(text.format(79))
    assert not memory.is_short(text.format(81))
    assert not memory.is_short("")
