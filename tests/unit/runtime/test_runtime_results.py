"""Results of other libraries: what an object with `.success` says, in one line."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ciranda.runtime.judge import judge


@dataclass
class Result:
    success: object
    message: str = ""
    results: list[Any] = field(default_factory=list)


def expectation(kind: str, column: str, wrong: int, *, success: bool = False) -> SimpleNamespace:
    """A result as Great Expectations 1 has it."""
    config = SimpleNamespace(type=kind, kwargs={"column": column})
    return SimpleNamespace(success=success, expectation_config=config, result={"unexpected_count": wrong})


@pytest.mark.parametrize("success", [True, np.True_])
def test_a_success_passes(success: object) -> None:
    assert judge(Result(success, "fine")).passed is True


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (Result(False, "two rows\n are wrong"), "two rows are wrong"),
        (Result(np.False_, "no"), "no"),
        (SimpleNamespace(success=False, reason="late"), "late"),
        (
            Result(False, "x", [expectation("not_null", "origin", 12), expectation("unique", "id", 0, success=True)]),
            "not_null(origin): 12 unexpected",
        ),
        (
            Result(False, results=[expectation(f"rule{n}", "id", n) for n in range(5)]),
            "rule0(id): 0 unexpected; rule1(id): 1 unexpected; rule2(id): 2 unexpected and 2 more",
        ),
        (
            SimpleNamespace(success=False, run_results={"a": Result(False, results=[expectation("unique", "id", 3)])}),
            "unique(id): 3 unexpected",
        ),
        (Result(False, results=[SimpleNamespace(success=False, name="far")]), "far"),
    ],
)
def test_a_failure_is_told_in_one_line(result: Any, told: str) -> None:
    found = judge(result)
    assert (found.passed, found.message) == (False, told)


def test_an_object_without_words_is_named_by_its_type() -> None:
    class Quiet:
        success = False

    assert judge(Quiet()).message == "Quiet is no success"


@pytest.mark.parametrize("success", [None, "yes", 1, lambda: True])
def test_what_is_neither_true_nor_false_is_not_a_pass(success: object) -> None:
    found = judge(Result(success))
    assert found.passed is None
    assert "not true or false" in found.message
