"""The lines of a push: exact, at most 80 columns with Git's `remote: `, and harmless to a terminal."""

from dataclasses import replace

from ciranda.checks import gate
from ciranda.checks.code import CodeOutcome
from ciranda.loop import wording
from ciranda.pipeline import records

VERSION = records.Version("flights", "b3:1", "b3:2", "parquet", 10, "dataset", rows=336776, columns=24)
MADE = records.StepResult("flights", "ran", VERSION, 1.2)
GREEN = gate.Verdict("flown_once", "flights", "pass", True, "change", seconds=0.3)
RED = replace(GREEN, judgement="fail", count=54008, of=363780, evidence="b3:9")
EVIDENCE = {
    "b3:9": {
        "columns": ["id", "day"],
        "rows": [[f"2013-01-01-UA-{n}-EWR", "2013-01-01"] for n in range(10)],
    }
}


def test_a_green_code_line() -> None:
    outcomes = [CodeOutcome("ruff check .", True, 0.4, "passed"), CodeOutcome("pytest", True, 1.5, "14 passed", b"14 passed")]
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
    (line,) = wording.asset(replace(MADE, state="unchanged", seconds=0.0), [replace(GREEN, cached=True)], width=8, evidence={}, run=7)
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
    failed = records.StepResult("delay", "failed", None, 1.0, "Traceback\n  File a\nValueError: no rows")
    lines = wording.asset(failed, [], width=8, evidence={}, run=1)
    assert "✗ ValueError: no rows" in lines[0]
    assert wording.asset(records.StepResult("x", "skipped", None, 0.0), [], width=8, evidence={}, run=1)[0].split()[1] == "-"


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
