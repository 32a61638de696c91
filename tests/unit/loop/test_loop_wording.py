"""The lines of a push: exact, at most 80 columns with Git's `remote: `, and harmless to a terminal."""

from dataclasses import replace

import pytest

from ciranda.checks import gate
from ciranda.checks.code import CodeOutcome
from ciranda.kernel import errors
from ciranda.loop import wording
from ciranda.pipeline import records
from ciranda.project import read

VERSION = records.Version("flights", "b3:1", "b3:2", "parquet", 10, "dataset", rows=336776, columns=24)
MADE = records.StepResult("flights", "ran", VERSION, 1.2)
GREEN = gate.Verdict("flown_once", "flights", "pass", True, "change", seconds=0.3)
RED = replace(GREEN, judgement="fail", count=54008, of=363780, evidence="b3:9")
TRACEBACK = """Traceback (most recent call last):
  File "pipeline.py", line 3, in delay
    return read(flights)
  File "features.py", line 7, in read
    return json.loads(flights)
  File "/usr/lib/python3.11/json/decoder.py", line 337, in decode
ValueError: no rows

Read until here:
"""
EVIDENCE = {
    "b3:9": {
        "columns": ["id", "day"],
        "rows": [[f"2013-01-01-UA-{n}-EWR", "2013-01-01"] for n in range(10)],
    }
}


def test_a_green_code_line() -> None:
    outcomes = [
        CodeOutcome("ruff check .", True, 0.4, "passed"),
        CodeOutcome("pytest", True, 1.5, "14 passed", b"14 passed"),
    ]
    (line,) = wording.code(outcomes, width=8)
    assert line.startswith("  code      ✓ 14 tests, 1 command  ")
    assert line.endswith("  1.9 s")
    assert len("remote: " + line) == 80


def test_a_red_code_line_shows_the_end_of_the_output() -> None:
    lines = wording.code([CodeOutcome("pytest", False, 1.8, "exit status 1", b"x\nFAILED test_a\n")], width=8)
    assert lines[0].split() == ["code", "✗", "pytest:", "exit", "status", "1", "1.8", "s"]
    assert lines[-1].strip() == "FAILED test_a"


def test_no_code_checks_is_said() -> None:
    assert "nothing declared" in wording.code([], width=8)[0]


def test_an_asset_with_its_checks() -> None:
    (line,) = wording.asset(
        replace(MADE, state="unchanged", seconds=0.0), [replace(GREEN, cached=True)], width=8, evidence={}, run=7
    )
    assert line.startswith("  flights   ✓ 336,776 rows, 1 check  ")
    assert line.endswith("  cached    0.0 s")


def test_a_failed_check_shows_how_many_rows_a_sample_and_where_all_of_them_are() -> None:
    lines = wording.asset(MADE, [RED], width=8, evidence=EVIDENCE, run=119)
    assert lines[0].strip() == "flights   ✗ flown_once: 54,008 of 363,780 rows"
    assert lines[1].split() == ["id", "day"]
    assert "2013-01-01-UA-0-EWR" in lines[2]
    assert "(10 kept)" in lines[4]
    assert lines[5].strip() == "all of them: ciranda show flights@run-119 --check flown_once"


def test_figures_and_warnings() -> None:
    version = replace(VERSION, asset="delay", kind="model", rows=None, figures={"auc": 0.7421, "rows": 12})
    warned = replace(GREEN, judgement="warn", count=3, of=9)
    lines = wording.asset(replace(MADE, step="delay", version=version), [GREEN, warned], width=8, evidence={}, run=1)
    assert "auc 0.742, rows 12, 1 check" in lines[0]
    assert lines[1].strip() == "! flown_once: 3 of 9 rows (warns)"


def test_a_failed_step_shows_its_traceback_and_what_hangs_on_it() -> None:
    failed = records.StepResult("delay", "failed", None, 1.0, TRACEBACK)
    lines = wording.asset(failed, [], width=8, evidence={}, run=1)
    assert "✗ features.py:7  ValueError: no rows" in lines[0]
    assert lines[-1].strip() == "Read until here:"
    assert sum("ValueError: no rows" in line for line in lines) == 1
    assert (
        wording.asset(records.StepResult("x", "skipped", None, 0.0), [], width=8, evidence={}, run=1)[0].split()[1]
        == "-"
    )


def test_everything_fits_80_columns_and_steers_no_terminal() -> None:
    nasty = wording.headline("flights", "3f2a1c9", "\x1b[2J\u202ehello " + "x" * 200)
    assert len("remote: " + nasty) <= 80
    assert "\x1b" not in nasty
    assert "\u202e" not in nasty


def test_a_sample_shows_whole_columns_only() -> None:
    rows = [["v" * 30] * 5]
    lines = wording.sample({"columns": [f"column{n}" for n in range(5)], "rows": rows}, 70)
    assert all(len(line) <= 70 for line in lines)
    assert lines[0].split() == ["column0", "column1"]


def test_a_problem_is_told_by_what_is_wrong_and_where_never_by_its_hint() -> None:
    circle = "pipeline.py:11  these steps take each other's assets in a circle: a ← b ← a\n    one has to do without the other"
    assert wording.cause(circle) == circle.splitlines()[0].strip()
    lines = wording.problem(circle, width=8)
    assert lines[0] == f"  pipeline  ✗ {circle.splitlines()[0]}"
    assert [line.strip() for line in lines[1:]] == ["one has to do without the other"]
    assert wording.cause(TRACEBACK) == "features.py:7  ValueError: no rows"
    assert wording.problem(TRACEBACK, width=8)[1].strip() == "Traceback (most recent call last):"
    assert wording.cause(None) == wording.NO_GRAPH


def test_all_that_is_wrong_with_a_declaration_is_told_with_places_and_hints() -> None:
    with pytest.raises(errors.Invalid) as caught:
        read.read_text('[project]\nname = "toy"\npipelin = "x"\n[environments.prod]\nafter = "tst"\n', "ciranda.toml")
    lines = list(wording.refusal(caught.value))
    assert lines[0] == "ciranda.toml:3  project.pipelin is not a key"
    assert lines[1].strip().startswith('did you mean "pipeline"?')
    assert lines[2].startswith('ciranda.toml:5  environments.prod.after names "tst"')
    assert list(wording.refusal(errors.Refused("no", hint="do this"))) == ["no", "  do this"]


def test_what_a_check_says_is_wrapped_not_cut() -> None:
    unsure = replace(
        GREEN, judgement="inconclusive", message="returned the number 4.0 without at_least or at_most; say which"
    )
    lines = wording.asset(MADE, [unsure], width=8, evidence={}, run=1)
    assert " ".join(" ".join(lines).split()) == f"flights ? flown_once: {unsure.message}"
    assert all(len("remote: " + line) <= 80 for line in lines)


def test_a_check_that_ran_in_two_bodies_counts_once() -> None:
    (line,) = wording.asset(MADE, [GREEN, replace(GREEN, body="base")], width=8, evidence={}, run=1)
    assert "1 check " in line


def test_a_loosened_rule_says_how_it_may_be_let_in() -> None:
    blocked = gate.Verdict("check good only warns", "rules", "fail", True, "base")
    assert "-o accept-policy" in wording.rules([blocked], width=8)[-1]
    assert wording.rules([replace(blocked, judgement="warn")], width=8) == [
        "  rules     ! check good only warns (accepted)"
    ]


def test_a_schema_says_its_rules() -> None:
    broken = replace(
        RED, check="flights_schema", count=3, of=9, rules={"far min": 3}, message="far min 3", evidence=None
    )
    (line,) = wording.asset(MADE, [broken], width=8, evidence={}, run=1)
    assert line.split(" ✗ ")[1] == "flights_schema: 3 of 9 rows: far min 3"


def test_a_flaky_check_and_a_flaky_command_are_told_whether_they_pass_or_not() -> None:
    told = "flown_once is flaky: failed 2 of 3 times on the same inputs"
    for verdict in (replace(GREEN, failed=2, tried=3, cached=True), replace(RED, failed=2, tried=3)):
        assert wording.asset(MADE, [verdict], width=8, evidence={}, run=1)[-1].strip() == f"! {told}"
    assert wording.asset(MADE, [replace(RED, failed=3, tried=3, evidence=None)], width=8, evidence={}, run=1)[1:] == []
    command = CodeOutcome("pytest", True, 1.0, "2 passed", b"2 passed", failed=1, tried=2)
    assert wording.code([command], width=8)[1].strip() == "! pytest is flaky: failed 1 of 2 times on the same inputs"


def test_a_command_that_could_not_be_judged_warns_asks_or_fails() -> None:
    unsure = CodeOutcome("pytest", None, 9.0, "it did not end within 9 s")
    assert wording.code([unsure], width=8)[0].startswith("  code      ✗ pytest: it did not end")
    for eased, mark in (("warn", "!"), ("ask", "?")):
        lines = wording.code([unsure], width=8, eased={"pytest": eased})
        assert lines[0].startswith("  code      ! nothing judged")
        assert lines[1].strip() == f"{mark} pytest: it did not end within 9 s"


def test_what_a_person_is_asked() -> None:
    unsure = replace(GREEN, judgement="ask", message="raised KeyError: 'x'")
    lines = wording.asset(MADE, [unsure], width=8, evidence={}, run=1)
    assert lines[1].strip() == "? flown_once: raised KeyError: 'x' (asks)"
    assert [line.strip() for line in wording.question("flights: flown_once could not be judged", 7, width=8)] == [
        "gate      ? a person decides: flights: flown_once could not be judged",
        "let it in: ciranda approve change/7",
    ]
