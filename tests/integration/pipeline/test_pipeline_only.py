"""A run that is asked for some assets only: what they need runs and is checked, the rest does not."""

from pathlib import Path

from ciranda.pipeline import unchanged
from support import pipeline as build

TWO = """
from ciranda import check, dataset

@dataset
def numbers(raw: str) -> list:
    return [int(line) for line in raw.split()]

@dataset
def scores(numbers: list) -> list:
    return [2 * number for number in numbers]

@check(scores)
def plain(scores):
    return all(score < 100 for score in scores)

@dataset
def broken(other: str) -> list:
    raise ValueError("this is not asked for")

@check(broken)
def never(broken):
    return True
"""
SOURCES = '[sources]\nraw = { files = "data/raw.txt" }\nother = { files = "data/other.txt" }\n'


def test_only_what_is_asked_for_runs(tmp_path: Path) -> None:
    with build.bench(tmp_path, TWO, toml=SOURCES, data__raw_txt="1 2 3", data__other_txt="x") as bench:
        first = bench.run(only=("scores",))
        assert build.states(first) == {"raw": "ran", "numbers": "ran", "scores": "ran"}
        assert [outcome.check for outcome in first.outcomes] == ["plain"]
        assert first.state == "finished"
        again = bench.run(only=("scores",))
        assert set(build.states(again).values()) == {"unchanged"}
        assert bench.run().state == "failed", "a part that is whole does not make the whole so"
        assert unchanged.check(bench.database, bench.store, bench.folder, "ada") is None


def test_a_reference_that_is_not_needed_may_be_away(tmp_path: Path) -> None:
    away = tmp_path / "away" / "other.txt"
    away.parent.mkdir()
    away.write_text("x")
    toml = f'[sources]\nraw = {{ files = "data/raw.txt" }}\nother = {{ files = "{away}" }}\n'
    with build.bench(tmp_path, TWO, toml=toml, data__raw_txt="1 2 3") as bench:
        assert bench.run().state == "failed"  # as the change was judged: its pipeline is known from then on
        away.unlink()
        only = bench.run(only=("scores",))
        assert only.state == "finished"
        assert set(build.states(only)) == {"raw", "numbers", "scores"}
        assert "other cannot be had" in (bench.run().problem or "")


def test_an_asset_that_nothing_makes_is_a_problem_of_the_run(tmp_path: Path) -> None:
    with build.bench(tmp_path, TWO, toml=SOURCES, data__raw_txt="1", data__other_txt="x") as bench:
        result = bench.run(only=("score",))
        assert result.state == "failed"
        assert 'asked for "score"' in (result.problem or "")
