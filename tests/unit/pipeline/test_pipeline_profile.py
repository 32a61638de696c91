"""Profiles of tables: every type is counted or passed over, and what is private is not told."""

import datetime
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import digest, errors
from ciranda.pipeline import profile


def column(values: list[Any], kind: Any = None, private: tuple[str, ...] = ()) -> dict[str, Any]:
    told = profile.count(pl.DataFrame({"it": pl.Series(values, dtype=kind)}).lazy(), private)
    assert digest.parse(digest.canonical(told)) == json.loads(json.dumps(told)), "it can be kept"
    found: dict[str, Any] = told["columns"][0]
    return found


def test_numbers_have_bounds_mean_and_quantiles() -> None:
    told = column([1, 2, 2, 3, None])
    assert (told["nulls"], told["distinct"], told["min"], told["max"], told["mean"]) == (1, 3, 1, 3, 2.0)
    assert told["quantiles"]["0.5"] == 2.0
    assert told["top"][0] == [2, 2]
    assert not told["approximate"]


def test_what_is_no_number_is_counted_apart() -> None:
    told = column([1.0, float("nan"), float("inf"), None])
    assert (told["nulls"], told["nans"], told["min"], told["max"], told["mean"]) == (1, 1, 1.0, "inf", 1.0)


def test_texts_have_their_most_frequent_values_unless_all_differ_much() -> None:
    assert column(["a", "b", "a"])["top"] == [["a", 2], ["b", 1]]
    assert "top" not in column([str(number) for number in range(10_001)])
    long = column(["x" * 200])
    assert long["min"] == "x" * 80 + "…"


@pytest.mark.parametrize(
    ("values", "kind", "told"),
    [
        ([True, None, True], None, {"nulls": 1, "distinct": 1, "top": [[True, 2]]}),
        ([datetime.date(2020, 1, 2)], None, {"min": "2020-01-02"}),
        ([datetime.datetime(2020, 1, 2, 3)], None, {"max": "2020-01-02T03:00:00"}),
        ([datetime.timedelta(1)], None, {"min": "1 day, 0:00:00"}),
        ([[1], None], None, {"nulls": 1, "distinct": None}),
        ([{"a": 1}], None, {"nulls": 0, "distinct": None}),
        ([b"x"], None, {"distinct": 1, "min": None}),
        ([None], pl.Null, {"nulls": 1, "distinct": 0}),
        (["a", "a"], pl.Categorical, {"top": [["a", 2]]}),
        ([], pl.Float64, {"nulls": 0, "distinct": 0, "mean": None, "quantiles": {}}),
    ],
)
def test_every_type_is_told_as_far_as_it_goes(values: list[Any], kind: Any, told: dict[str, Any]) -> None:
    assert told.items() <= column(values, kind).items()


def test_a_table_of_nothing() -> None:
    assert profile.count(pl.DataFrame().lazy(), ()) == {"format": profile.FORMAT, "rows": 0, "columns": []}


@given(st.lists(st.one_of(st.none(), st.text(min_size=3)), min_size=1))
def test_no_private_value_is_told(values: list[str | None]) -> None:
    told = column(values, pl.String, ("it",))
    assert set(told) == {"name", "type", "nulls", "distinct", "private", "approximate"}


def test_what_is_no_table_is_refused(tmp_path: Any) -> None:
    (tmp_path / "it").write_bytes(b"no parquet at all")
    with pytest.raises(errors.Invalid, match="not a table"):
        profile.count(pl.scan_parquet(tmp_path / "it"), ())


def test_a_large_table_is_counted_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "EXACT", 100)
    told = column(list(range(1000)))
    assert told["approximate"]
    assert abs(told["distinct"] - 1000) < 100
    assert abs(told["quantiles"]["0.5"] - 500) < 50
    assert (told["min"], told["max"]) == (0, 999)
