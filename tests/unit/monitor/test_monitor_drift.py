"""Drift: what differs between a reference and a window, told once and in words."""

import datetime
import json
from collections.abc import Callable
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.monitor.drift import checks, compare, count, distance, profile
from ciranda.monitor.drift.found import Comparison, Rules
from ciranda.monitor.drift.profile import Profile
from ciranda.monitor.windows import references

ROWS = 4000


def table(seed: int, rows: int = ROWS) -> pl.DataFrame:
    random = Random(seed)
    return pl.DataFrame(
        {
            "temp": [random.gauss(20.0, 5.0) for _ in range(rows)],
            "delay": [random.lognormvariate(2.0, 1.0) for _ in range(rows)],
            "month": [random.randrange(1, 6) for _ in range(rows)],
            "carrier": random.choices(["AA", "DL", "UA", "WN"], [50, 30, 15, 5], k=rows),
            "gust": [None if random.random() < 0.1 else random.random() for _ in range(rows)],
        }
    )


@pytest.fixture(scope="module")
def reference() -> Profile:
    return count.of_frame(table(1))


def against(reference: Profile, window: pl.DataFrame, rules: Rules = compare.DEFAULTS) -> Comparison:
    return compare.compare(reference, count.of_frame(window, against=reference), rules)


def first(rows: int) -> pl.Expr:
    return pl.int_range(pl.len()) < rows


def test_windows_without_drift_raise_no_alarm(reference: Profile) -> None:
    for seed in range(15):
        found = against(reference, table(100 + seed, (250, 1000, 2000)[seed % 3]))
        assert found.inconclusive is None
        assert found.findings == ()
        assert {column.state for column in found.columns} == {"same"}


Change = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.mark.parametrize(
    ("column", "check", "text", "change"),
    [
        (
            "temp", "distribution", "temp lies 0.4",
            lambda rows: rows.with_columns(pl.col("temp") + 2.5),
        ),
        (
            "delay", "distribution", "standard deviations lower than in the reference: its median went from 7.",
            lambda rows: rows.with_columns(pl.col("delay") * 0.6),
        ),
        (
            "month", "distribution", "month lies 2.",
            lambda rows: rows.with_columns(pl.col("month") + 3),
        ),
        (
            "carrier", "distribution", "carrier is made of other values, Jensen–Shannon 0.",
            lambda rows: rows.with_columns(pl.when(first(500)).then(pl.lit("WN")).otherwise("carrier").alias("carrier")),
        ),
        (
            "carrier", "new_values", "carrier has values that the reference does not know in 3 of 2,000 rows: XX (2), YY (1)",
            lambda rows: rows.with_columns(
                pl.when(first(1)).then(pl.lit("YY")).when(first(3)).then(pl.lit("XX")).otherwise("carrier").alias("carrier")
            ),
        ),
        (
            "temp", "missing", "temp is missing in 1 of 2,000 rows; in the reference it never is",
            lambda rows: rows.with_columns(pl.when(first(1)).then(None).otherwise("temp").alias("temp")),
        ),
        (
            "temp", "missing", "temp is missing in 2 of 2,000 rows; in the reference it never is",
            lambda rows: rows.with_columns(pl.when(first(2)).then(float("inf")).otherwise("temp").alias("temp")),
        ),
        (
            "gust", "missing", "(20.",
            lambda rows: rows.with_columns(pl.when(first(220)).then(None).otherwise("gust").alias("gust")),
        ),
        (
            "temp", "range", "temp is as low as -999, in the reference no less than ",
            lambda rows: rows.with_columns(pl.when(first(20)).then(-999.0).otherwise("temp").alias("temp")),
        ),
        (
            "month", "type", "month is now String, in the reference Int64",
            lambda rows: rows.with_columns(pl.col("month").cast(pl.String)),
        ),
        ("month", "absent", "month is not there any more", lambda rows: rows.drop("month")),
        ("wind", "added", "wind is a new column (Int32)", lambda rows: rows.with_columns(wind=1)),
    ],
)  # fmt: skip
def test_what_differs_is_found_and_named(
    reference: Profile, column: str, check: str, text: str, change: Change
) -> None:
    found = against(reference, change(table(2, 2000)))
    assert {finding.column for finding in found.findings} == {column}
    finding = next(finding for finding in found.findings if finding.check == check)
    assert text in finding.text
    assert finding.rows == 2000
    assert finding.value > finding.floor
    assert {one.name for one in found.columns if one.state in ("drifted", "faulty")} == {column}


def test_a_sentence_names_the_values_that_moved_and_what_it_is_compared_with(reference: Profile) -> None:
    rows = table(2, 2000).with_columns(pl.when(first(1000)).then(pl.lit("DL")).otherwise("carrier").alias("carrier"))
    found = against(reference, rows)
    assert [one.state for one in found.columns if one.name == "carrier"] == ["drifted"]
    assert "DL 28.9% → 66.2%" in found.findings[0].text
    assert "(2,000 rows beside 4,000; by chance up to 0.0" in found.findings[0].text


def test_a_median_of_whole_numbers_is_one(reference: Profile) -> None:
    found = against(reference, table(2, 2000).with_columns(pl.col("month") + 3))
    text = next(finding.text for finding in found.findings if finding.check == "distribution")
    assert ": its median went from 3 to 6 (" in text


def test_too_few_rows_are_inconclusive_but_exact_checks_are_made(reference: Profile) -> None:
    rows = table(2, 57).with_columns(pl.col("temp") + 100, carrier=pl.lit("XX"))
    found = against(reference, rows)
    assert found.inconclusive == "this window has 57 rows: how values are distributed needs 200"
    assert {finding.check for finding in found.findings} == {"new_values", "range"}
    assert {column.state for column in found.columns if column.name in ("delay", "gust")} == {"unsure"}
    assert against(count.of_frame(table(1, 30)), table(2)).inconclusive == (
        "the reference has 30 rows: how values are distributed needs 200"
    )


def test_a_difference_that_is_certain_but_small_is_not_told() -> None:
    known = count.of_frame(table(1, 12_000))
    rows = table(2, 12_000).with_columns(pl.col("temp") + 0.4)
    found = against(known, rows)
    temp = next(column for column in found.columns if column.name == "temp")
    assert found.findings == ()
    assert min(measure.chance for measure in temp.measures) < 1e-5
    assert against(known, rows, Rules(wasserstein=0.02)).findings[0].column == "temp"


def test_of_private_columns_only_what_is_missing_is_kept() -> None:
    known = count.of_frame(table(1), private=["carrier", "temp"])
    written = json.dumps(known.document())
    assert "AA" not in written
    private = [column for column in known.document()["columns"] if column["name"] in ("carrier", "temp")]
    assert private == [
        {"name": "temp", "type": "Float64", "kind": "number", "nulls": 0, "private": True},
        {"name": "carrier", "type": "String", "kind": "category", "nulls": 0, "private": True},
    ]
    rows = table(2).with_columns(pl.when(first(3)).then(None).otherwise("temp").alias("temp"), carrier=pl.lit("secret"))
    window = count.of_frame(rows, against=known)
    assert "secret" not in json.dumps(window.document())
    found = compare.compare(known, window)
    assert [finding.text for finding in found.findings] == [
        "temp is missing in 3 of 4,000 rows; in the reference it never is"
    ]
    assert [column.state for column in found.columns if column.name == "carrier"] == ["uncompared"]


def test_every_kind_of_column_is_read_and_written() -> None:
    def frame(rows: int) -> pl.DataFrame:
        each = range(rows)
        return pl.DataFrame(
            {
                "number": [float(n % 37) for n in each],
                "same": [5] * rows,
                "never": pl.Series([None] * rows, dtype=pl.Float64),
                "null": pl.Series([None] * rows),
                "nan": [float("nan")] * rows,
                "large": pl.Series([2**63 + n % 100 for n in each], dtype=pl.UInt64),
                "huge": [1e300 * (n % 9 - 4) for n in each],
                "truth": [n % 3 == 0 for n in each],
                "list": [[1, 2]] * rows,
                "bytes": [b"x"] * rows,
                "day": [datetime.date(2026, 1, 1) + datetime.timedelta(days=n % 300) for n in each],
                "category": pl.Series([f"v{n % 7}" for n in each], dtype=pl.Categorical),
                "enum": pl.Series(["ab"[n % 2] for n in each], dtype=pl.Enum(["a", "b", "c"])),
                "id": [f"id-{n}" for n in each],
                "long": ["x" * 200 + str(n % 3) for n in each],
                "ünï \0": [f"ç{n % 4}" for n in each],
            }
        )

    known = count.of_frame(frame(1000).lazy())
    assert profile.read(json.loads(json.dumps(known.document(), allow_nan=False))) == known
    for rows in (0, 5, 1000):
        window = count.of_frame(frame(rows), against=known)
        assert profile.read(json.loads(json.dumps(window.document(), allow_nan=False))) == window
        found = compare.compare(known, window)
        assert found.findings == ()
        json.dumps(found.document(), allow_nan=False)


def test_a_profile_is_small_whatever_the_table_is() -> None:
    rows = 20_000
    wide = pl.DataFrame({"id": [f"{n:064}" for n in range(rows)], "value": [n * 1.1 for n in range(rows)]})
    known = count.of_frame(wide)
    assert len(json.dumps(known.document())) < 20_000
    assert len(known.columns[0].values) == profile.VALUES
    assert not known.columns[0].complete


def test_windows_add_up(reference: Profile) -> None:
    rows = table(3)
    parts = [count.of_frame(part, against=reference) for part in (rows.head(1500), rows.slice(1500))]
    both, whole = profile.merge(*parts), count.of_frame(rows, against=reference)
    for one, other in zip(both.columns, whole.columns, strict=True):
        assert one.counts == other.counts
        assert (one.missing, one.low, one.high, one.below, one.above) == (
            other.missing, other.low, other.high, other.below, other.above,
        )  # fmt: skip
        assert one.mean == pytest.approx(other.mean)
        assert one.deviation == pytest.approx(other.deviation)
    with pytest.raises(errors.Invalid, match="profile both against one reference"):
        profile.merge(reference, count.of_frame(table(9)))
    with pytest.raises(errors.Invalid, match="other columns"):
        profile.merge(parts[0], count.of_frame(rows.drop("temp"), against=reference))


def test_what_is_no_profile_is_refused(reference: Profile) -> None:
    for broken in ({}, {"format": profile.FORMAT}, reference.document() | {"columns": [{"name": "x"}]}):
        with pytest.raises(errors.Corrupt):
            profile.read(broken)
    with pytest.raises(errors.Invalid, match='this is not a table that can be read: unable to find column "b"'):
        count.of_frame(pl.LazyFrame({"a": [1]}).select("b"))


def test_an_order_of_chance_is_exact() -> None:
    assert checks.beyond(1, 100, 900) == pytest.approx(0.1)
    assert checks.beyond(2, 100, 900) == pytest.approx(0.1 * 99 / 999)
    assert checks.unseen(1, 1, 0, 99) == pytest.approx(0.01)
    assert checks.proportions(5, 100, 50, 1000) == 1.0


shares = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=12).map(
    lambda each: [one / (sum(each) or 1.0) if sum(each) else 1.0 / len(each) for one in each]
)


@settings(max_examples=60)
@given(shares, shares, st.data())
def test_distances_are_distances(one: list[float], other: list[float], data: st.DataObject) -> None:
    size = min(len(one), len(other))
    left, right = ([share / (sum(each[:size]) or 1.0) for share in each[:size]] for each in (one, other))
    if not sum(left) or not sum(right):
        return
    widths = data.draw(st.lists(st.floats(0.0, 10.0), min_size=size, max_size=size))
    assert 0.0 <= distance.jensen_shannon(left, right) <= 1.0 + 1e-9
    assert distance.jensen_shannon(left, right) == pytest.approx(distance.jensen_shannon(right, left))
    assert distance.jensen_shannon(left, left) == pytest.approx(0.0, abs=1e-6)
    assert distance.stability(left, right, 0.001) >= 0.0
    assert distance.stability(left, left, 0.001) == 0.0
    assert 0.0 <= distance.wasserstein(left, right, widths) <= sum(widths) + 1e-9
    assert distance.wasserstein(left, right, widths) == pytest.approx(distance.wasserstein(right, left, widths))


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.floats(0.0001, 0.2))
def test_more_discoveries_are_accepted_at_a_higher_rate(chances: list[float], rate: float) -> None:
    limit = compare.accepted(chances, rate)
    assert limit <= compare.accepted(chances, 2 * rate)
    assert limit in (-1.0, *chances)
    assert limit <= rate


def test_a_floor_is_reached_as_often_as_it_says() -> None:
    random = Random(3)
    law = [0.05] * 20
    drawn = [distance.jensen_shannon(law, distance.drawn(random, law, 1000)) ** 2 for _ in range(2000)]
    noise = distance.noise(drawn[:1000])
    assert 0.02 < sum(value > noise.floor(0.05) for value in drawn[1000:]) / 1000 < 0.09
    assert noise.chance(noise.floor(0.01)) == pytest.approx(0.01)
    assert noise.floor(0.001) > max(drawn[1000:]) * 0.8


def test_a_name_that_looks_like_a_pattern_is_a_name() -> None:
    table_ = pl.DataFrame(
        {"^.*$": [1.0, 2.0, None, 4.0], "*": ["a", "b", "b", None], "^b$": [1, 2, 3, 4], "b": [True, False, None, None]}
    )
    found = count.of_frame(table_)
    assert {column.name: (column.kind, column.nulls) for column in found.columns} == {
        "^.*$": ("number", 1), "*": ("category", 1), "^b$": ("number", 0), "b": ("category", 2),
    }  # fmt: skip
    again = count.of_frame(table_, against=found)
    assert [(column.low, column.high) for column in again.columns if column.kind == "number"] == [
        (1.0, 4.0),
        (1.0, 4.0),
    ]


def test_a_window_is_read_by_names_that_look_like_patterns() -> None:
    held = pl.DataFrame({"^.*$": [1.0, 2.0], "*": ["a", "b"]})
    told = references.conform(held.with_columns(pl.lit(3).alias("more")), count.of_frame(held), ["^.*$", "*"])
    assert told.rows() == held.rows()
