"""A real worker process: steps, checks, logs, failures, and its end."""

import json
import os
from pathlib import Path

import polars as pl
import pytest

from support.runtime import WAIT, worker, write_tree

PIPELINE = """
    import subprocess
    import polars as pl
    from ciranda import check, dataset, live, log, model, run, step

    @dataset
    def flights(raw: pl.LazyFrame) -> pl.DataFrame:
        return raw.filter(pl.col("id") > 0).collect()

    @check(flights)
    def flown_once(flights):
        return flights.filter(flights["id"].is_duplicated())

    @model(timeout=60, retries=1)
    def delay(flights: pl.DataFrame, depth: int = 6, hidden=(3, 4)):
        log(auc=0.742, depth=depth)
        return {"depth": depth, "rows": flights.height, "hidden": hidden}

    @check(delay, at_least=0.5)
    def not_worse(delay, now=live("delay")):
        return 1.0 if now is None else 0.1

    @step
    def facts(me=run()):
        (me.folder / "note.txt").write_text("hi")
        return {"id": me.id, "commit": me.commit, "dirty": me.dirty}

    @step
    def loud():
        print("from print")
        subprocess.run(["sh", "-c", "echo from a child; echo to stderr >&2"], check=True)
        import ctypes
        ctypes.CDLL(None).printf(b"from C\\n")
        return 1

    @step
    def silent():
        return None

    @step
    def lock():
        import threading
        return {"lock": threading.Lock()}

    @step
    def broken():
        return helper()

    def helper():
        raise ValueError("no such luck")

    @step
    def leaves():
        raise SystemExit(3)
"""


NAMES = "from ciranda import live, step\n"
STEP = NAMES + "@step\ndef "


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "tree", {"pipeline.py": PIPELINE})


def test_a_pipeline_is_described_and_run(tree: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with worker(tree, folder) as engine:
        said, _ = engine.ask(type="describe")
        assert [step["name"] for step in said["steps"]][:2] == ["flights", "delay"]
        delay = said["steps"][1]
        assert (delay["kind"], delay["parameters"], delay["timeout"], delay["retries"]) == (
            "model",
            {"depth": 6, "hidden": [3, 4]},
            60.0,
            1,
        )
        assert delay["inputs"] == [
            {"parameter": "flights", "asset": "flights", "marker": None, "type": "polars.DataFrame"}
        ]
        assert said["modules"] == {"pipeline.py": []}
        assert said["imports"] == {"pipeline.py": ["polars"]}
        assert {"polars", "polars-runtime-32"} <= set(said["distributions"])

        (folder / "in" / "raw").mkdir()
        pl.DataFrame({"id": [1, 2, -1]}).write_csv(folder / "in" / "raw" / "a.csv")
        pl.DataFrame({"id": [2, 4]}).write_csv(folder / "in" / "raw" / "b.csv")
        result, payload = engine.step("flights", {"raw": {"codec": "files", "path": "in/raw", "name": "raw"}})
        assert result["output"] == {
            "codec": "parquet",
            "name": "flights",
            "rows": 4,
            "columns": 1,
            "held": True,
            "inline": True,
            "size": len(payload),
        }
        handover = result["output"]
        result, answer = engine.step("delay", {"flights": handover}, payload, parameters={"depth": 8})
        assert result["type"] == "result", result
        assert result["figures"] == {"auc": 0.742, "depth": 8}
        assert (result["output"]["codec"], result["output"]["inline"]) == ("pickle", True)

        outcome = engine.check("pipeline:flown_once", "flights", {"flights": handover}, payload)
        assert (outcome["passed"], outcome["count"], outcome["of"]) == (False, 2, 4)
        assert (outcome["columns"], outcome["rows"]) == (["id"], [[2], [2]])
        given = {"delay": {"codec": "pickle", "inline": True, "name": "delay"}}
        outcome = engine.check("pipeline:not_worse", "delay", given, answer, at_least=0.5)
        assert (outcome["passed"], outcome["value"]) == (True, 1.0)
        both = {
            "delay": {"codec": "pickle", "inline": True, "size": len(answer)},
            "now": {"codec": "pickle", "inline": True, "size": len(answer)},
        }
        outcome = engine.check("pipeline:not_worse", "delay", both, answer + answer, at_least=0.5)
        assert (outcome["passed"], outcome["message"]) == (False, "0.1 is less than 0.5")


def test_output_of_python_children_and_c_is_captured(tree: Path, tmp_path: Path) -> None:
    with worker(tree, tmp_path / "run") as engine:
        result, payload = engine.step("loud")
        assert (result["type"], json.loads(payload)) == ("result", 1)
        assert sorted(engine.printed().splitlines()) == ["from C", "from a child", "from print"]
        assert engine.printed("stderr") == "to stderr\n"
        assert {log["id"] for log in engine.logs} == {"loud"}


def test_the_facts_of_the_run_and_a_scratch_folder_that_goes(tree: Path, tmp_path: Path) -> None:
    with worker(tree, tmp_path / "run") as engine:
        _, payload = engine.step("facts")
        assert json.loads(payload) == {"id": "run-1", "commit": "c0ffee", "dirty": 0}
    assert list((tmp_path / "run" / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        ("silent", "unstorable", "step silent returned None, which leaves nothing to keep; return what it makes"),
        (
            "lock",
            "unstorable",
            "step lock returned a dict, which cannot be pickled: cannot pickle '_thread.lock' object",
        ),
        ("broken", "raised", "ValueError: no such luck"),
        ("leaves", "raised", "SystemExit: 3"),
        ("missing", "import", "pipeline.py has no step missing"),
    ],
)
def test_failures_name_the_step(tree: Path, tmp_path: Path, step: str, kind: str, says: str) -> None:
    with worker(tree, tmp_path / "run") as engine:
        failed, _ = engine.step(step)
        place, _, message = failed["message"].rpartition("  ")
        assert (failed["type"], failed["kind"], message, failed["id"]) == ("failed", kind, says, step)
        assert place.startswith("pipeline.py:") == (kind == "unstorable")
        if step == "broken":
            frames = [line.split(",")[0].strip() for line in failed["traceback"].splitlines() if "File" in line]
            assert frames == ['File "pipeline.py"', 'File "pipeline.py"']
        assert engine.step("loud")[0]["type"] == "result"


def test_a_worker_leaves_when_its_engine_dies(tree: Path, tmp_path: Path) -> None:
    write_tree(
        tree,
        {
            "pipeline.py": "import time\nfrom ciranda import step\n\n@step\ndef long():\n    print('on', flush=True)\n    time.sleep(600)\n"
        },
    )
    with worker(tree, tmp_path / "run") as engine:
        engine.send(type="step", id="1", step="long", inputs={}, parameters={}, out="out/1")
        devnull = os.open(os.devnull, os.O_RDWR)
        os.dup2(devnull, engine.read)
        os.close(devnull)
        assert engine.process.wait(WAIT) == 1


def test_what_is_no_frame_ends_the_worker(tree: Path, tmp_path: Path) -> None:
    with worker(tree, tmp_path / "run") as engine:
        os.write(engine.write, b"\xff" * 64)
        failed, _ = engine.answer()
        assert (failed["type"], failed["kind"]) == ("failed", "protocol")
        assert engine.process.wait(WAIT) == 0


def test_a_flood_of_output_arrives_whole_and_in_pieces(tree: Path, tmp_path: Path) -> None:
    flood = "from ciranda import step\n\n@step\ndef flood():\n    for _ in range(400):\n        print('é' * 50_000)\n    return 1\n"
    write_tree(tree, {"pipeline.py": flood})
    with worker(tree, tmp_path / "run") as engine:
        assert engine.step("flood")[0]["type"] == "result"
        assert engine.printed() == ("é" * 50_000 + "\n") * 400
        assert max(len(log["text"]) for log in engine.logs) <= 1 << 16


def test_a_fork_that_comes_back_says_nothing(tree: Path, tmp_path: Path) -> None:
    forked = """
        import os
        from ciranda import step

        @step
        def fork():
            pid = os.fork()
            return os.waitpid(pid, 0)[1] if pid else 7
    """
    write_tree(tree, {"pipeline.py": forked})
    with worker(tree, tmp_path / "run") as engine:
        result, payload = engine.step("fork")
        assert (result["type"], payload) == ("result", b"256")
        assert engine.step("fork")[0]["type"] == "result"


@pytest.mark.parametrize(
    ("pipeline", "says", "trace"),
    [
        ("import nowhere\n", "ModuleNotFoundError: No module named 'nowhere'", 'File "pipeline.py", line 1'),
        ("def f(:\n", "SyntaxError: invalid syntax", 'File "pipeline.py", line 1'),
        ("raise SystemExit('no')\n", "SystemExit: no", 'File "pipeline.py", line 1'),
        (
            STEP + "A(): ...\n",
            "ValueError: 'A' is no name for a step",
            'File "pipeline.py", line 2',
        ),
        (STEP + "a(*b): ...\n", "pipeline.py:2  step a: it takes *b", ""),
        (
            STEP + "a(): ...\n\n@step\ndef a(): ...\n",
            "two steps make the asset a: pipeline.py:2 and pipeline.py:5",
            "",
        ),
        (STEP + "a(b=live('b')): ...\n", "pipeline.py:2  step a: b=live('b')", ""),
        (
            "from ciranda import step\ndef make():\n    @step\n    def a(): ...\nmake()\n",
            "a step is a function at the top level of its module",
            "",
        ),
    ],
)
def test_a_pipeline_that_cannot_be_described(tmp_path: Path, pipeline: str, says: str, trace: str) -> None:
    tree = write_tree(tmp_path / "tree", {"pipeline.py": pipeline})
    with worker(tree, tmp_path / "run") as engine:
        failed, _ = engine.ask(type="describe")
        assert (failed["type"], failed["kind"]) == ("failed", "import")
        assert says in failed["message"]
        assert trace in failed["traceback"]
        assert "ciranda/runtime" not in failed["traceback"]
        assert "importlib" not in failed["traceback"]


def test_steps_of_several_modules_and_a_src_folder(tmp_path: Path) -> None:
    step = "from ciranda import step\n@step\ndef {0}({1}): return '{0}'\n"
    files = {
        "src/flights/__init__.py": "",
        "src/flights/pipeline.py": "from flights import clean\nfrom .train import delay\n",
        "src/flights/clean.py": step.format("flights", ""),
        "src/flights/train.py": step.format("delay", "flights"),
    }
    tree = write_tree(tmp_path / "tree", files)
    with worker(tree, tmp_path / "run", "src/flights/pipeline.py") as engine:
        said, _ = engine.ask(type="describe")
        assert [(step["name"], step["function"], step["file"]) for step in said["steps"]] == [
            ("flights", "flights.clean:flights", "src/flights/clean.py"),
            ("delay", "flights.train:delay", "src/flights/train.py"),
        ]
        assert engine.step("flights", function="flights.clean:flights")[1] == b"flights"


def test_an_input_that_cannot_be_loaded_is_named(tree: Path, tmp_path: Path) -> None:
    with worker(tree, tmp_path / "run") as engine:
        failed, _ = engine.step(
            "delay", {"flights": {"codec": "parquet", "inline": True, "name": "flights"}}, b"garbage"
        )
        assert (failed["kind"], failed["id"]) == ("unloadable", "delay")
        assert failed["message"].startswith("step delay: flights (parquet) cannot be loaded: ")
        failed, _ = engine.step("delay", {})
        assert (failed["kind"], failed["message"]) == (
            "protocol",
            "step delay: no input was handed over for the parameter flights",
        )
        failed, _ = engine.ask(type="dance", id="1")
        assert (failed["kind"], failed["message"]) == ("protocol", "a worker knows no message 'dance'")
