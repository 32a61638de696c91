"""Schemas of pandera and dataframely as checks: what they find, said by rule, with the rows."""

import math
import sys
import types
from collections.abc import Callable
from typing import Any

import dataframely as dy
import pandas as pd
import pandera.config
import pandera.pandas as pa
import pandera.polars as pap
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciranda.runtime import declare, describe, judge, rule, schemas

WRONG = {"far": [1, -1, -2, 1], "to": ["x", "z", None, "y"]}
PANDAS, POLARS = pd.DataFrame(WRONG, index=[10, 11, 12, 13]), pl.DataFrame(WRONG)


class PandasModel(pa.DataFrameModel):
    far: int = pa.Field(gt=0)
    to: str = pa.Field(isin=["x", "y"])

    class Config:
        unique = ["far"]


class PolarsModel(pap.DataFrameModel):
    far: int = pap.Field(gt=0)
    to: str = pap.Field(isin=["x", "y"])


class Rows(dy.Schema):
    far = dy.Int64(min=1, primary_key=True)
    to = dy.String(nullable=False)

    @dy.rule()
    def no_z(cls) -> pl.Expr:
        return pl.col("to") != "z"


OBJECT = pa.DataFrameSchema({"far": pa.Column(int, pa.Check.gt(0)), "gone": pa.Column(float)})
POLARS_OBJECT = pap.DataFrameSchema({"far": pap.Column(int, pap.Check.gt(0)), "gone": pap.Column(float)}, strict=True)


@pytest.mark.parametrize(
    ("schema", "frame", "rules", "count", "first"),
    [
        (
            PandasModel, PANDAS,
            {"far multiple_fields_uniqueness": 2, "far greater_than(0)": 2, "to not_nullable": 1, "to isin(['x', 'y'])": 1},
            4, ["far multiple_fields_uniqueness", 1, "x"],
        ),
        (
            PolarsModel, POLARS, {"far greater_than(0)": 2, "to not_nullable": 1, "to isin(['x', 'y'])": 1},
            2, ["far greater_than(0), to isin(['x', 'y'])", -1, "z"],
        ),
        (
            Rows, POLARS, {"no_z": 1, "primary_key": 2, "far min": 2, "to nullability": 1},
            4, ["primary_key", 1, "x"],
        ),
        (OBJECT, PANDAS, {"far greater_than(0)": 2}, 2, ["far greater_than(0)", -1, "z"]),
        (POLARS_OBJECT, POLARS, {"far greater_than(0)": 2}, 2, ["far greater_than(0)", -1, "z"]),
    ],
)  # fmt: skip
def test_wrong_rows_and_the_rules_that_they_break(
    schema: Any, frame: Any, rules: dict[str, int], count: int, first: list[Any]
) -> None:
    found = schemas.judge(schema, frame)
    assert (found.passed, found.rules, found.count) == (False, rules, count)
    assert found.columns == ["breaks", "far", "to"]
    assert found.rows[0] == first
    assert all(f"{rule} {number}" in found.message for rule, number in rules.items())


@pytest.mark.parametrize(
    ("schema", "frame", "message"),
    [
        (OBJECT, PANDAS.drop(columns="far"), "there is no column far, there is no column gone"),
        (POLARS_OBJECT, POLARS.head(1), "the column to is not in the schema, there is no column gone"),
        (PolarsModel, POLARS.head(1).with_columns(to=pl.lit(1)), "to is Int32, not String"),
        (Rows, POLARS.drop("to"), "1 missing columns for schema 'Rows': 'to'"),
    ],
)
def test_what_is_wrong_with_the_table_as_a_whole(schema: Any, frame: Any, message: str) -> None:
    found = schemas.judge(schema, frame)
    assert (found.passed, found.count, found.rows) == (False, None, [])
    assert found.message.startswith(message)


@pytest.mark.parametrize(
    ("schema", "frame"),
    [(PandasModel, PANDAS.head(1)), (PolarsModel, POLARS.head(1)), (Rows, POLARS.head(1)), (Rows, POLARS.clear())],
)
def test_a_table_that_holds_passes(schema: Any, frame: Any) -> None:
    assert schemas.judge(schema, frame).passed is True


def test_rows_are_found_by_place_where_an_index_says_the_same_twice() -> None:
    found = schemas.judge(PandasModel, pd.concat([PANDAS, PANDAS]))
    assert found.count == 8
    assert [row[1] for row in found.rows] == [1, -1, -2, 1, 1, -1, -2, 1]


def test_a_schema_that_would_drop_rows_or_is_switched_off_is_a_check_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dropping = pa.DataFrameSchema({"far": pa.Column(int, pa.Check.gt(0))}, drop_invalid_rows=True)
    assert schemas.judge(dropping, PANDAS).count == 2
    assert dropping.drop_invalid_rows
    monkeypatch.setattr(pandera.config.CONFIG, "validation_enabled", False)
    assert schemas.judge(PolarsModel, POLARS).passed is False
    assert schemas.judge(OBJECT, PANDAS).passed is False


def test_a_rule_that_raises_could_not_be_judged() -> None:
    def broken(values: Any) -> bool:
        raise KeyError("what")

    schema = pa.DataFrameSchema({"far": pa.Column(int, pa.Check(broken))})
    assert schemas.judge(schema, PANDAS).passed is None


@pytest.mark.parametrize(("schema", "frame"), [(PandasModel, PANDAS), (PolarsModel, POLARS), (Rows, POLARS)])
@pytest.mark.parametrize("lazy", [True, False])
def test_a_function_that_validates_by_itself_fails_and_shows_no_value_by_another_columns_name(
    schema: Any, frame: Any, lazy: bool
) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - three libraries, three trees of exceptions
        schema.validate(frame) if schema is Rows else schema.validate(frame, lazy=lazy)
    found = judge.raised(raised.value)
    assert found.passed is False
    assert "failure_case" not in found.columns  # what is private is known by its column


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.one_of(st.none(), st.sampled_from("xyz"))), max_size=30))
def test_each_library_counts_the_rows_that_plain_code_counts(rows: list[tuple[int, str | None]]) -> None:
    wrong = sum(1 for far, to in rows if far <= 0 or to not in ("x", "y"))
    frame = pl.DataFrame(
        {"far": [far for far, _ in rows], "to": [to for _, to in rows]}, schema={"far": int, "to": str}
    )
    of_pandas = pa.DataFrameSchema(
        {"far": pa.Column(pa.Int64, pa.Check.gt(0)), "to": pa.Column(str, pa.Check.isin("xy"))}
    )

    class Own(dy.Schema):
        far = dy.Int64(min=1)
        to = dy.Enum(["x", "y"], nullable=False)

    enum = frame.with_columns(pl.col("to").replace("z", None).cast(pl.Enum(["x", "y"])))
    for found in (schemas.judge(PolarsModel, frame), schemas.judge(Own, enum)):
        assert (found.count or 0) == wrong
        assert len(found.rows) == min(wrong, 10)
    if rows:
        made = pd.DataFrame({"far": frame["far"].to_list(), "to": pd.array(frame["to"].to_list(), dtype="str")})
        assert (schemas.judge(of_pandas, made).count or 0) == wrong


def test_nothing_is_said_as_null() -> None:
    schema = pa.DataFrameSchema({"far": pa.Column(float, pa.Check.gt(0)), "to": pa.Column(object, nullable=True)})
    found = schemas.judge(schema, pd.DataFrame({"far": [-1.0, math.nan], "to": [math.nan, pd.NaT]}))
    assert [row[1:] for row in found.rows] == [[-1.0, None], [None, None]]


# ── declaring one ────────────────────────────────────────────────────────────────────────────────────────────────────


def declared(text: str) -> list[declare.Declaration]:
    """What a module of this text declares."""
    module = types.ModuleType("written")
    sys.modules["written"] = module
    try:
        exec(compile(text, "written.py", "exec"), vars(module))
        return list(vars(module).get(declare.REGISTER, ()))
    finally:
        del sys.modules["written"]


BEFORE = "from ciranda import check, dataset\nfrom test_runtime_schemas import *\n@dataset\ndef flights(): ...\n"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "test_runtime_schemas", sys.modules[__name__])


def test_a_schema_is_declared_by_one_statement() -> None:
    found = declared(
        BEFORE + "check(flights, schema=Rows)\ncheck('raw', schema=OBJECT, name='raw_far', severity='warn')\n"
    )
    assert [(each.name, each.asset, each.severity, each.place) for each in found[1:]] == [
        ("flights_schema", "flights", "fail", ("written.py", 5)),
        ("raw_far", "raw", "warn", ("written.py", 6)),
    ]
    taken = rule.taken(found[1].function, "check")
    assert [(each.parameter, each.type) for each in taken.inputs] == [("flights", "polars.DataFrame")]
    assert [each.type for each in rule.taken(found[2].function, "check").inputs] == ["pandas.DataFrame"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("check(flights, schema=pl.DataFrame)", "takes a pandera schema"),
        ("check(flights, schema=dy.Schema)", "takes a pandera schema"),
        ("check(flights, schema=dy.Collection)", "takes a pandera schema"),
        ("check(flights, schema={'far': int})", "takes a pandera schema"),
        ("check(flights, schema=Rows, at_least=1)", "a schema gives none"),
        ("check(flights, schema=Rows, name='Rows')", "is no name for a check"),
        ("check(flights, schema=Rows, severity='loud')", 'severity is "fail" or "warn"'),
        ("def f():\n    check(flights, schema=Rows)\nf()", "belongs at the top level"),
        ("check(flights)(Rows)", "schema=Rows"),
        ("check(flights)(OBJECT)", "a schema is a check by"),
        ("@check(flights, name='other')\ndef f(flights): ...", "a function's check has the function's name"),
    ],
)
def test_what_is_no_schema_check_says_so(text: str, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told.replace("(", r"\(")):
        declared(BEFORE + text)


def test_two_schemas_of_one_name_are_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "twice.py").write_text(BEFORE + "for each in (Rows, PolarsModel): check(flights, schema=each)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(describe.Undescribable, match="two checks are named flights_schema"):
        describe.describe(tmp_path, "twice.py")
    del sys.modules["twice"]


def test_a_schema_may_have_the_name_of_its_check() -> None:
    module = types.ModuleType("clash")
    sys.modules["clash"] = module
    exec(
        compile(BEFORE + "flights_schema = OBJECT\ncheck(flights, schema=flights_schema)", "clash.py", "exec"),
        vars(module),
    )
    try:
        function: Callable[..., Any] = describe.resolve("clash:<schema>flights_schema")
        assert function(flights=PANDAS).count == 2
    finally:
        del sys.modules["clash"]
