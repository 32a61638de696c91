"""The engine on a real store, a real ledger and real workers: what runs, what does not, and what becomes of what goes wrong."""

from pathlib import Path

import pytest

from ciranda.kernel import errors, events
from ciranda.pipeline import engine, records, reports, runs, tree, unchanged
from support import kernel
from support import pipeline as build

CHAIN = """
from ciranda import check, dataset, log, model

@dataset
def numbers(raw: str) -> list:
    print("reading")
    return [int(line) for line in raw.split()]

@check(numbers)
def positive(numbers):
    return all(number > 0 for number in numbers)

@model
def total(numbers, factor: int = 1) -> dict:
    log(size=len(numbers))
    return {"total": sum(numbers) * factor}

@check(total, at_least=3)
def enough(total):
    return total["total"]
"""
SOURCE = '[sources]\nraw = { files = "data/raw.txt" }\n'


def test_only_what_changed_runs(tmp_path: Path) -> None:
    with build.bench(tmp_path, CHAIN, toml=SOURCE, data__raw_txt="1 2 3") as bench:
        first = bench.run()
        assert build.states(first) == {"raw": "ran", "numbers": "ran", "total": "ran"}
        assert bench.value(first, "total") == b'{"total":6}'
        assert first.assets["total"].figures == {"size": 3}
        assert [(o.check, o.passed, o.value) for o in first.outcomes] == [
            ("positive", True, None),
            ("enough", True, 6.0),
        ]

        again = bench.run()
        assert set(build.states(again).values()) == {"unchanged"}
        assert all(outcome.cached for outcome in again.outcomes)
        assert not any(isinstance(report, reports.StepStarted) for report in bench.told)
        assert again.assets == first.assets

        set_ = bench.run(parameters={"total.factor": 2})
        assert build.states(set_) == {"raw": "unchanged", "numbers": "unchanged", "total": "ran"}
        assert bench.value(set_, "total") == b'{"total":12}'

        bench.write(data__raw_txt="1 2 3 4")
        assert set(build.states(bench.run()).values()) == {"ran"}
        bench.write(data__raw_txt="1 2 3")
        back = bench.run()
        assert build.states(back) == {"raw": "ran", "numbers": "unchanged", "total": "unchanged"}, "it was known"
        assert back.assets == first.assets


def test_equal_outputs_cut_off_what_follows(tmp_path: Path) -> None:
    with build.bench(tmp_path, CHAIN, toml=SOURCE, data__raw_txt="1 2 3") as bench:
        bench.run()
        bench.write(data__raw_txt="1   2   3\n")
        result = bench.run()
        assert build.states(result) == {"raw": "ran", "numbers": "ran", "total": "unchanged"}
        assert [outcome.cached for outcome in result.outcomes] == [True, True]


def test_runs_are_numbered_and_told_in_the_ledger(tmp_path: Path) -> None:
    with build.bench(tmp_path, CHAIN, toml=SOURCE, data__raw_txt="1 2 3") as bench:
        numbers = [bench.run().number for _ in range(3)]
        assert numbers == [1, 2, 3]
        history = runs.history(bench.database, "toy")
        assert [(run.name, run.state) for run in history] == [
            ("run-3", "finished"),
            ("run-2", "finished"),
            ("run-1", "finished"),
        ]
        assert [step.state for step in runs.steps(bench.database, history[0])] == ["unchanged"] * 3
        assert [step.state for step in runs.steps(bench.database, history[2])] == ["ran"] * 3
        assert runs.outcomes(bench.database, history[0]) == runs.outcomes(bench.database, history[2])
        assert history[0].steps_of == history[2].id, "what is the same is not written again"
        found = events.after(bench.database, 0, chain="toy")
        assert [(event.kind, event.subject) for event in found] == [("run.finished", f"run-{n}") for n in numbers]
        assert events.verify(bench.database, "toy") == 3


def test_nothing_is_left_in_the_runs_folder_but_the_log(tmp_path: Path) -> None:
    with build.bench(tmp_path, CHAIN, toml=SOURCE, data__raw_txt="1 2 3") as bench:
        result = bench.run()
        assert [str(path.relative_to(bench.parts.runs)) for path in bench.parts.runs.rglob("*") if path.is_file()] == [
            f"{result.run}/log.jsonl"
        ]
        assert (bench.parts.runs / result.run / "log.jsonl").read_text().count("reading") == 1
        bench.run()
        assert len(list(bench.parts.runs.iterdir())) == 1, "a run with nothing to do needs no folder"


FAILING = """
from ciranda import check, dataset, step

@dataset
def good() -> int:
    return 1

@dataset
def bad(good):
    raise ValueError("no luck")

@step
def later(bad):
    return 2

@step
def beside(good):
    return 3

@check(later)
def fine(later):
    return True

@check(beside)
def wrong(beside):
    return False
"""


def test_a_failed_step_takes_along_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    with build.bench(tmp_path, FAILING) as bench:
        result = bench.run()
        assert result.state == "failed"
        assert build.states(result) == {"good": "ran", "bad": "failed", "later": "skipped", "beside": "ran"}
        (error,) = [step.error for step in result.steps if step.step == "bad"]
        assert error is not None
        assert error.startswith("Traceback")
        assert error.endswith("ValueError: no luck")
        assert "ciranda" not in error, "the user's frames alone"
        assert {o.check: o.passed for o in result.outcomes} == {"fine": None, "wrong": False}
        again = bench.run()
        assert build.states(again) == {"good": "unchanged", "bad": "failed", "later": "skipped", "beside": "unchanged"}
        assert [o.cached for o in again.outcomes] == [False, False], "failures are found again each time"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("None", "None"),
        ("(n for n in [1])", "generator"),
        ("lambda: 1", "cannot be pickled"),
        ("open('/dev/null')", "cannot be pickled"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(tmp_path: Path, value: str, told: str) -> None:
    with build.bench(tmp_path, f"from ciranda import step\n@step\ndef thing():\n    return {value}\n") as bench:
        (step,) = bench.run().steps
        assert step.state == "failed"
        assert step.error is not None
        assert "thing" in step.error
        assert told in step.error


@pytest.mark.parametrize(("files", "kind"), [("data/*.txt", "folder"), ("data/raw.txt", "file")])
def test_a_pattern_is_a_folder_of_files_also_while_one_file_matches(tmp_path: Path, files: str, kind: str) -> None:
    pipeline = """
from pathlib import Path
from ciranda import step

@step
def kind(raw: Path) -> str:
    return "folder" if raw.is_dir() else "file"
"""
    declared = f'[sources]\nraw = {{ files = "{files}" }}\n'
    with build.bench(tmp_path, pipeline, toml=declared, **{"data/raw.txt": "1"}) as bench:
        version = bench.run().assets["kind"]
        assert bench.parts.store.get(version.digest).decode() == kind


def test_a_step_is_tried_again_as_often_as_it_says(tmp_path: Path) -> None:
    pipeline = f"""
from pathlib import Path
from ciranda import step

@step(retries=2)
def lucky():
    tries = Path({str(tmp_path / "tries")!r})
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    if len(tries.read_text()) < 3:
        raise ValueError("not yet")
    return len(tries.read_text())

@step(retries=1)
def unlucky():
    raise ValueError("never")
"""
    with build.bench(tmp_path, pipeline) as bench:
        result = bench.run()
        assert build.states(result) == {"lucky": "ran", "unlucky": "failed"}
        assert bench.value(result, "lucky") == b"3"
        again = [r.result.step for r in bench.told if isinstance(r, reports.StepDone) and r.again]
        assert sorted(again) == ["lucky", "lucky", "unlucky"]


def test_a_step_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pipeline = f"""
import subprocess, time
from ciranda import check, step

@step(timeout=0.5)
def slow():
    child = subprocess.Popen(["sleep", "60"])
    open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
    time.sleep(60)

@step
def quick():
    return 1

@check(quick, timeout=0.5)
def endless(quick):
    time.sleep(60)
"""
    with build.bench(tmp_path, pipeline) as bench:
        result = bench.run()
        assert build.states(result) == {"slow": "failed", "quick": "ran"}
        assert result.steps[0].error == "slow took longer than 0.5 s"
        assert (result.outcomes[0].passed, result.outcomes[0].message) == (None, "endless took longer than 0.5 s")
        assert result.seconds < 10
        assert not Path(f"/proc/{(tmp_path / 'child').read_text()}").exists() or "Z" in _state(tmp_path)


def _state(tmp_path: Path) -> str:
    return Path(f"/proc/{(tmp_path / 'child').read_text()}/stat").read_text().rpartition(")")[2]


def test_a_worker_that_dies_costs_one_more_try(tmp_path: Path) -> None:
    pipeline = f"""
import os, signal
from pathlib import Path
from ciranda import step

@step
def once():
    mark = Path({str(tmp_path / "mark")!r})
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 1

@step
def twice():
    os.kill(os.getpid(), signal.SIGKILL)
"""
    with build.bench(tmp_path, pipeline) as bench:
        result = bench.run()
        assert build.states(result) == {"once": "ran", "twice": "failed"}
        assert result.steps[1].error is not None
        assert result.steps[1].error.startswith("the process that ran twice died twice: killed by SIGKILL")
        assert sorted(bench.notes()) == [
            f"the process that ran {name} died (killed by SIGKILL): once more" for name in ("once", "twice")
        ]


def test_evidence_is_a_count_and_ten_rows_and_private_columns_are_digests(tmp_path: Path) -> None:
    pipeline = """
import polars as pl
from ciranda import check, dataset

@dataset
def people() -> pl.DataFrame:
    return pl.DataFrame({"id": range(100), "name": [f"P{n}" for n in range(100)]})

@check(people, severity="warn")
def early(people: pl.DataFrame):
    return people.filter(pl.col("id") >= 50)
"""
    with build.bench(tmp_path, pipeline, toml='[data]\nprivate = ["name"]\n') as bench:
        (outcome,) = bench.run().outcomes
        assert (outcome.passed, outcome.severity, outcome.count, outcome.of) == (False, "warn", 50, 100)
        assert outcome.evidence is not None
        kept = records_of(bench, outcome.evidence)
        assert (kept["count"], kept["of"], kept["columns"], len(kept["rows"])) == (50, 100, ["id", "name"], 10)
        assert all(row[1].startswith("b3:") for row in kept["rows"])
        assert len({row[1] for row in kept["rows"]}) == 10


def records_of(bench: build.Bench, digest: str) -> dict:
    import json

    return json.loads(bench.store.get(digest))


def test_large_values_folders_and_files_travel_as_files(tmp_path: Path) -> None:
    pipeline = """
from pathlib import Path
from ciranda import step, run

@step
def large() -> bytes:
    return b"x" * 1_000_000

@step
def folder(facts=run()) -> Path:
    made = facts.folder / "made"
    (made / "inner").mkdir(parents=True)
    (made / "inner" / "a.txt").write_text("a")
    (made / "b.txt").write_text("b")
    return made

@step
def size(large: bytes, folder: Path) -> dict:
    return {"large": len(large), "files": sorted(p.name for p in folder.rglob("*.txt"))}
"""
    with build.bench(tmp_path, pipeline) as bench:
        result = bench.run(jobs=1)
        assert bench.value(result, "size") == b'{"large":1000000,"files":["a.txt","b.txt"]}', result.steps
        assert result.assets["large"].size == 1_000_000
        assert [path for path, _, _ in bench.store.listing(result.assets["folder"].digest)] == ["b.txt", "inner/a.txt"]


LIVE = """
from ciranda import check, live, model

@model
def guess() -> float:
    return 2.0

@check(guess, at_least=0.0)
def no_worse(guess, now=live("guess")):
    return guess - (now or 0.0)
"""


def test_what_is_live_is_an_input_of_a_check(tmp_path: Path) -> None:
    with build.bench(tmp_path, LIVE) as bench:
        first = bench.run()
        assert first.outcomes[0].value == 2.0
        better = records.Version("guess", bench.store.put(b"3.5"), "k", "json", 3, "model")
        against = bench.run(live={"guess": better})
        assert (against.outcomes[0].passed, against.outcomes[0].value) == (False, -1.5)
        assert build.states(against) == {"guess": "unchanged"}


def test_checks_alone_run_on_assets_made_elsewhere(tmp_path: Path) -> None:
    with build.bench(tmp_path / "base", CHAIN, toml=SOURCE, data__raw_txt="1 2 3") as base:
        request = base.request()
        interpreter = engine.interpreters.ensure(None, base.parts.interpreters, print)
        made = {
            "numbers": records.Version("numbers", base.store.put(b"[1,-2]"), "k", "json", 6, "dataset"),
            "total": records.Version("total", base.store.put(b'{"total":9}'), "k", "json", 11, "model"),
        }
        found = engine.check(
            request, base.parts, names=["positive", "enough", "gone"], assets=made, interpreter=interpreter
        )
        assert [(o.check, o.passed, o.value) for o in found] == [("positive", False, None), ("enough", True, 9.0)]
        (unable,) = engine.check(request, base.parts, names=["positive"], assets={}, interpreter=interpreter)
        assert unable.passed is None
        assert runs.history(base.database, "toy") == []


def test_a_pipeline_is_described_with_the_code_of_each_step(tmp_path: Path) -> None:
    with build.bench(tmp_path, CHAIN, toml=SOURCE, data__raw_txt="1") as bench:
        before = engine.describe(bench.request(), bench.parts, print)
        assert sorted(before.checks) == ["enough", "positive"]
        (bench.folder / "pipeline.py").write_text(CHAIN.replace("number > 0", "number >= 0"))
        after = engine.describe(bench.request(), bench.parts, print)
        assert before.checks["positive"].function != after.checks["positive"].function
        assert before.checks["enough"] == after.checks["enough"]
        assert before.steps == after.steps


@pytest.mark.parametrize(
    ("pipeline", "told"),
    [
        (
            "import nothing_like_this\n",
            ["ModuleNotFoundError: No module named 'nothing_like_this'", 'File "pipeline.py", line 1'],
        ),
        ("def f(:\n", ["SyntaxError"]),
        ("import sys\nsys.exit(3)\n", ["SystemExit: 3"]),
        ("import os\nos._exit(3)\n", ["died: exit status 3"]),
        (
            "from ciranda import step\n@step\ndef a(b): pass\n@step\ndef b(a): pass\n",
            ["in a circle: a ← b ← a", "pipeline.py:2"],
        ),
        ("from ciranda import step\n@step\ndef a(): pass\n@step\ndef a(): pass\n", ["two steps make the asset a"]),
        (
            "from ciranda import step\n@step\ndef a(flihgts): pass\n",
            ['a takes "flihgts", which no step or source makes'],
        ),
    ],
)
def test_a_pipeline_without_a_graph_is_told_and_recorded(tmp_path: Path, pipeline: str, told: list[str]) -> None:
    with build.bench(tmp_path, pipeline) as bench:
        result = bench.run()
        assert result.state == "failed"
        assert result.problem is not None
        assert all(text in result.problem for text in told), result.problem
        assert "worker.py" not in result.problem
        assert runs.history(bench.database, "toy")[0].summary["problem"] == result.problem


def test_what_the_declaration_names_and_nothing_makes_is_told_with_its_line(tmp_path: Path) -> None:
    toml = SOURCE + '[services.web]\ncommand = "x"\nuses = ["totl"]\n'
    with build.bench(tmp_path, CHAIN, toml=toml, data__raw_txt="1") as bench:
        problem = bench.run().problem
        assert problem is not None
        assert 'ciranda.toml:8  services.web.uses names "totl"' in problem
        assert 'did you mean "total"?' in problem
        (bench.folder / "data/raw.txt").unlink()
        problem = bench.run().problem
        assert problem is not None
        assert 'sources.raw.files names "data/raw.txt", which no file of the project matches' in problem


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("total.fctor", 2, 'no parameter "fctor"'),
        ("totl.factor", 2, 'no step is called "totl"'),
        ("total.factor", "x", "int, not str"),
    ],
)
def test_a_parameter_that_does_not_exist_is_refused(tmp_path: Path, name: str, value: object, told: str) -> None:
    with build.bench(tmp_path, CHAIN, toml=SOURCE, data__raw_txt="1") as bench:
        with pytest.raises(errors.Invalid, match=told):
            bench.run(parameters={name: value})


def test_steps_run_beside_each_other(tmp_path: Path) -> None:
    pipeline = "import time\nfrom ciranda import step\n" + "".join(
        f"""
@step
def s{n}():
    open({str(tmp_path / f"here{n}")!r}, "w").close()
    until = time.monotonic() + 20
    while not __import__("os").path.exists({str(tmp_path / f"here{1 - n}")!r}):
        if time.monotonic() > until:
            raise TimeoutError("alone")
        time.sleep(0.01)
    return {n}
"""
        for n in range(2)
    )
    with build.bench(tmp_path, pipeline) as bench:
        assert build.states(bench.run(jobs=2)) == {"s0": "ran", "s1": "ran"}


def test_a_project_without_a_pipeline_has_its_sources(tmp_path: Path) -> None:
    with build.bench(tmp_path, "", toml=SOURCE, data__raw_txt="1") as bench:
        (bench.folder / "ciranda.toml").write_text(f'[project]\nname = "toy"\n{SOURCE}')
        assert build.states(bench.run()) == {"raw": "ran"}
        assert build.states(bench.run()) == {"raw": "unchanged"}


def test_a_run_on_postgresql(tmp_path: Path, postgres_server: kernel.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "RACY", -10_000_000_000)
    with build.bench(tmp_path, CHAIN, toml=SOURCE, ledger=postgres_server.fresh(), data__raw_txt="1 2 3") as bench:
        first = bench.run()
        assert build.states(first) == {"raw": "ran", "numbers": "ran", "total": "ran"}
        again = bench.run()
        assert set(build.states(again).values()) == {"unchanged"}
        assert again.assets == first.assets
        history = runs.history(bench.database, "toy")
        assert [(run.number, run.state, run.steps_of) for run in history] == [
            (2, "finished", first.run),
            (1, "finished", None),
        ]
        found = unchanged.check(bench.database, bench.store, bench.folder, "ada")
        assert found is not None
        assert found.number == 3
        assert events.verify(bench.database, "toy") == 3
