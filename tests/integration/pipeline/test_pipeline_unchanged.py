"""The shortest run: it happens when nothing was touched, and whatever was touched ends it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ciranda.kernel import events
from ciranda.pipeline import runs, tree, unchanged
from support import pipeline as build

PIPELINE = """
from ciranda import check, step

@step
def large() -> bytes:
    return b"x" * 100_000

@check(large)
def long(large: bytes):
    return len(large) > 10
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[build.Bench]:
    with build.bench(tmp_path, PIPELINE, conf_txt="ab", tests__x_txt="1") as made:
        git(made.folder, "init", "-q")
        git(made.folder, "add", "-A")
        git(made.folder, "commit", "-qm", "x")
        yield made


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", folder, *arguments], check=True)


@pytest.fixture(autouse=True)
def aged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "RACY", -10_000_000_000)


def quick(bench: build.Bench) -> unchanged.Unchanged | None:
    return unchanged.check(bench.database, bench.store, bench.folder, "ada")


def test_nothing_to_do_is_recorded_as_a_run(bench: build.Bench) -> None:
    assert quick(bench) is None, "nothing has run yet"
    first = bench.run()
    found = quick(bench)
    assert found is not None
    assert (found.number, found.steps) == (2, 1)
    last = runs.history(bench.database, "toy")[0]
    assert (last.id, last.state, last.steps_of, last.actor) == (found.run, "finished", first.run, "ada")
    assert last.summary["checks"] == {"passed": 1}
    assert [step.version for step in runs.steps(bench.database, last)] == [step.version for step in first.steps]
    assert [event.subject for event in events.after(bench.database, 0, chain="toy")] == ["run-1", "run-2"]
    assert bench.run().number == 3


def test_a_project_whose_data_lie_elsewhere_is_looked_at_each_time(tmp_path: Path) -> None:
    data = tmp_path / "elsewhere.txt"
    data.write_text("1")
    reads = "from ciranda import step\n@step\ndef text(raw: str) -> str:\n    return raw\n"
    with build.bench(tmp_path / "home", reads, toml=f'[sources.raw]\nfiles = "{data}"\n') as made:
        git(made.folder, "init", "-q")
        git(made.folder, "add", "-A")
        git(made.folder, "commit", "-qm", "x")
        made.run()
        assert quick(made) is None
        data.write_text("2")
        assert made.value(made.run(), "text") == b"2"


TOUCHES: dict[str, Callable[[build.Bench], object]] = {
    "a file of the same size": lambda bench: bench.write(conf_txt="ba"),
    "a new file": lambda bench: bench.write(more_txt="x"),
    "a file that is gone": lambda bench: (bench.folder / "conf.txt").unlink(),
    "a mode": lambda bench: (bench.folder / "conf.txt").chmod(0o755),
    "the pipeline": lambda bench: (bench.folder / "pipeline.py").write_text(PIPELINE + "\n"),
    "the declaration": lambda bench: (bench.folder / "ciranda.toml").write_text('[project]\nname = "other"\n'),
    "a commit": lambda bench: git(bench.folder, "commit", "-q", "--allow-empty", "-m", "y"),
    "a lock that Git ignores": lambda bench: (
        (bench.folder / ".git/info/exclude").write_text("uv.lock\n"),
        (bench.folder / "uv.lock").write_text("x"),
    ),
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_whatever_is_touched_is_for_the_engine(bench: build.Bench, touch: Callable[[build.Bench], object]) -> None:
    bench.run()
    assert quick(bench) is not None
    touch(bench)
    assert quick(bench) is None


def test_times_that_were_set_back_do_not_help(bench: build.Bench) -> None:
    bench.run()
    path = bench.folder / "conf.txt"
    was = path.stat()
    path.write_text("ba")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert quick(bench) is None


def test_an_object_that_is_gone_is_for_the_engine(bench: build.Bench) -> None:
    made = bench.run().assets["large"].digest
    (bench.folder.parent / "home/store/objects" / made[3:5] / made[5:]).unlink()
    assert quick(bench) is None
    assert build.states(bench.run()) == {"large": "ran"}
    assert quick(bench) is not None


def test_files_touched_just_now_might_be_touched_again(bench: build.Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "RACY", 3_600_000_000_000)
    bench.run()
    assert quick(bench) is None


def test_a_run_with_other_parameters_or_without_everything_is_not_remembered(bench: build.Bench) -> None:
    (bench.folder / "pipeline.py").write_text(PIPELINE.replace("> 10", "> 1_000_000"))
    bench.run()
    assert quick(bench) is None, "a check failed"


def test_digests_of_untouched_files_are_remembered(bench: build.Bench) -> None:
    bench.run()
    survey = tree.survey(tree.working(bench.folder), bench.database)
    path = bench.folder / "conf.txt"
    expected = survey.digest("conf.txt")
    path.chmod(0)
    assert tree.survey(tree.working(bench.folder), bench.database).marks["conf.txt"] != survey.marks["conf.txt"]
    path.chmod(0o644)
    assert survey.digest("conf.txt") == expected
