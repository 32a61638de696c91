"""Numbers, sizes and outcomes as people read them."""

import io

import pytest

from ciranda.cli import progress, tables, words
from ciranda.pipeline import reports
from ciranda.pipeline.records import Outcome, StepResult, Version


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (31_400_000, "31 MB"),
        (4.2e9, "4.2 GB"),
        (7e15, "7000 TB"),
    ],
)
def test_sizes(size: float, told: str) -> None:
    assert words.size(int(size)) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.004, "0.00 s"), (0.09, "0.09 s"), (0.14, "0.1 s"), (7.44, "7.4 s"), (125, "2 min 5 s"), (3840, "1 h 4 min")],
)
def test_seconds(seconds: float, told: str) -> None:
    assert words.seconds(seconds) == told


def outcome(**more: object) -> Outcome:
    given: dict = {
        "check": "c",
        "asset": "a",
        "passed": True,
        "severity": "fail",
        "cached": False,
        "seconds": 0.0,
    } | more
    return Outcome(**given)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (outcome(), ""),
        (outcome(value=0.7421234), "0.7421"),
        (outcome(passed=False, count=54008, of=363780), "54,008 of 363,780 rows"),
        (outcome(passed=False, count=1), "1 row"),
        (outcome(passed=False, value=-0.5, message="-0.5 is below 0"), "-0.5 is below 0"),
        (outcome(passed=None, message="took too long"), "took too long"),
    ],
)
def test_what_a_check_found(found: Outcome, told: str) -> None:
    assert words.finding(found) == told


def version(name: str, **more: object) -> Version:
    given: dict = {
        "asset": name,
        "digest": "b3:1",
        "key": "k",
        "codec": "parquet",
        "size": 2000,
        "kind": "dataset",
    } | more
    return Version(**given)


def test_what_a_version_holds() -> None:
    assert words.contents(version("a", rows=336776, columns=24)) == "336,776 rows × 24"
    assert words.contents(version("a", figures={"auc": 0.742, "note": "x"}, codec="pickle")) == "auc 0.742"
    assert words.contents(version("a", codec="files", size=31_000_000), 12) == "12 files, 31 MB"
    assert words.contents(version("a", codec="pickle")) == "2.0 kB"


def test_control_characters_of_users_stay_out_of_the_terminal() -> None:
    assert words.clip("a\033[2Jb\r\n", 10) == "a [2Jb"
    assert words.clip("a" * 20, 10) == "a" * 9 + "…"
    assert tables.lay(["x"], [["\033[31m"], [None]]) == ["x", " [31m", ""]


def test_a_wide_table_is_cut_and_says_so() -> None:
    lines = tables.lay([f"column{n}" for n in range(30)], [["x" * 30] * 30])
    assert lines[0].endswith("columns)")
    assert all(len(line) < 130 for line in lines)


def told(*given: reports.Report) -> list[str]:
    stream = io.StringIO()
    shown = progress.Progress("toy · 1234567", lambda _: ["row"], stream)
    for report in given:
        shown(report)
    shown.end()
    return stream.getvalue().splitlines()


def done(name: str, state: str = "ran", **more: object) -> reports.StepDone:
    result: dict = {"step": name, "state": state, "version": version(name, rows=3, columns=2), "seconds": 1.23} | more
    return reports.StepDone(StepResult(**result), "dataset")


STARTED = reports.Started("id", 2, {"a": ("c", "d")}, True)


def test_a_step_is_told_with_its_checks_once_they_are_decided() -> None:
    failed = outcome(check="d", passed=False, count=2, of=3)
    assert told(STARTED, done("a"), done("b"), reports.CheckDone(outcome()), reports.CheckDone(failed)) == [
        "toy · 1234567",
        "  ✓ b            3 rows × 2                               1.2 s",
        "  ✓ a            3 rows × 2                               1.2 s",
        "      ✓ c",
        "      ✗ d: 2 of 3 rows",
        "        row",
    ]


def test_nothing_is_told_of_what_is_unchanged_unless_something_is_not() -> None:
    same = [
        done("a", "unchanged"),
        reports.CheckDone(outcome(cached=True)),
        reports.CheckDone(outcome(check="d", cached=True)),
    ]
    assert told(STARTED, *same, done("b", "unchanged")) == []
    lines = told(STARTED, *same, done("b"))
    assert [line.split()[1] for line in lines[1:]] == ["a", "c", "b"]
    many = reports.Started("id", 1000, {}, True)
    assert len(told(many, *[done(f"s{n}", "unchanged") for n in range(999)], done("b"))) == 2


def test_what_failed_and_what_was_not_run_is_told_with_why() -> None:
    lines = told(
        STARTED,
        done("a", "failed", version=None, error="Traceback\n  frame\nValueError: no"),
        done("b", "skipped", version=None, error="a failed"),
    )
    assert lines[1].startswith("  ✗ a            failed")
    assert lines[2:] == [
        "      Traceback",
        "        frame",
        "      ValueError: no",
        "  – b            not run: a failed",
    ]


def test_a_run_that_stops_still_tells_what_it_had() -> None:
    assert len(told(STARTED, done("a"), reports.CheckDone(outcome()))) == 3


def test_the_summary() -> None:
    steps = (StepResult("a", "unchanged", version("a"), 0), StepResult("b", "ran", version("b"), 1))
    assert progress.summary(steps, (outcome(), outcome(passed=False, severity="warn")), 7.4) == (
        "2 steps: 1 unchanged, 1 ran, 1 check passed, 1 warned     7.4 s"
    )
    assert progress.summary(steps[:1], (outcome(cached=True),), 0.09) == "1 step unchanged     0.09 s"
    assert "1 could not be judged" in progress.summary(steps, (outcome(), outcome(passed=None)), 1)
