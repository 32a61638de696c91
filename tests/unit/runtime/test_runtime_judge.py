"""What the return value of a check says."""

import datetime
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.runtime.found import Found, safe
from ciranda.runtime.judge import judge, raised

ROWS = pl.DataFrame({"id": list(range(54_008)), "day": [datetime.date(2013, 1, 1)] * 54_008})


@dataclass
class Report:
    success: object


@pytest.mark.parametrize(
    "value",
    [
        True,
        np.True_,
        None,
        [],
        (),
        set(),
        ROWS.clear(),
        ROWS.lazy().filter(pl.col("id") < 0),
        Report(True),
        Report(np.True_),
    ],
)
def test_passes(value: Any) -> None:
    found = judge(value)
    assert found.passed is True
    assert found.rows == []


@pytest.mark.parametrize("value", [False, np.False_, Report(False), [1], {"x"}, ROWS, ROWS["id"], np.array(["a"])])
def test_failures(value: Any) -> None:
    assert judge(value).passed is False


@pytest.mark.parametrize("value", [ROWS, ROWS.lazy(), ROWS.to_pandas(), ROWS.to_arrow()])
def test_offending_rows_are_counted_and_ten_are_shown(value: Any) -> None:
    found = judge(value)
    assert (found.passed, found.count, found.columns) == (False, 54_008, ["id", "day"])
    assert found.message == "54,008 rows are wrong"
    assert len(found.rows) == 10
    assert found.rows[1][0] == 1
    assert str(found.rows[1][1]).startswith("2013-01-01")
    json.dumps(found.rows, allow_nan=False)


def test_offending_items_and_records() -> None:
    assert judge(["a", "b"]) == Found(False, "2 rows are wrong", 2, None, ["value"], [["a"], ["b"]])
    found = judge([{"id": 1}, {"id": 2, "why": "x"}])
    assert (found.columns, found.rows) == (["id", "why"], [[1, None], [2, "x"]])
    assert judge(pd.Series([1])).rows == [[1]]


@pytest.mark.parametrize(
    ("value", "passed", "message"),
    [
        (0.5, True, ""),
        (np.float32(0.75), True, ""),
        (Decimal("0.6"), True, ""),
        (0.25, False, "0.25 is less than 0.5"),
        (2, False, "2 is more than 1"),
        (float("inf"), False, "inf is more than 1"),
        (float("nan"), None, "returned NaN, which is neither too little nor too much"),
        (True, None, "returned a bool, but at_least and at_most judge a number"),
        (None, None, "returned None, but at_least and at_most judge a number"),
        ("0.7", None, "returned a str, but at_least and at_most judge a number"),
    ],
)
def test_numbers_are_judged_by_their_bounds(value: Any, passed: bool | None, message: str) -> None:
    found = judge(value, at_least=0.5, at_most=1.0)
    assert (found.passed, found.message) == (passed, message)
    json.dumps(found.value, allow_nan=False)


@pytest.mark.parametrize(
    "value", [3, 0.5, "text", {"success": True}, object(), pl.Series([True, False]), np.array([True])]
)
def test_what_says_nothing_cannot_be_judged(value: Any) -> None:
    found = judge(value)
    assert found.passed is None
    assert found.message.startswith("returned ")


def test_a_check_that_raises() -> None:
    assert raised(AssertionError("three are missing\nmore")) == Found(False, "three are missing")
    assert raised(AssertionError()).passed is False
    assert raised(KeyError("x")) == Found(None, "raised KeyError: 'x'")

    class SchemaErrors(Exception):
        failure_cases = pd.DataFrame({"column": ["id"], "failure_case": [7]})

    found = raised(SchemaErrors("schema"))
    assert (found.passed, found.count, found.rows) == (False, 1, [["id", 7]])


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats()
        | st.text()
        | st.dates()
        | st.decimals()
        | st.binary()
        | st.timedeltas(),
        lambda inner: st.lists(inner) | st.dictionaries(st.integers(), inner) | st.tuples(inner),
        max_leaves=8,
    )
)
def test_any_value_of_a_row_can_be_carried_by_json(value: Any) -> None:
    json.dumps(safe(value), allow_nan=False)


def test_arrow_scalars_and_long_texts_are_carried() -> None:
    assert safe(np.int64(3)) == 3
    assert len(safe("x" * 1000)) == 500
    assert judge(pa.table({"a": [b"\x00"]})).count == 1
