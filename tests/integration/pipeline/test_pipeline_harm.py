"""What a run survives: corrupt and missing objects, kills at any moment, a full disk, a tree that changes, a step that pries."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ciranda.kernel import confine, errors
from ciranda.pipeline import runs, snapshot
from support import pipeline as build

CHAIN = """
from ciranda import check, step

@step
def first() -> bytes:
    return b"1" * 200_000

@step
def second(first: bytes) -> str:
    return str(len(first))

@step
def third(second: str, factor: int = 1) -> str:
    return second * factor

@check(first)
def long(first: bytes):
    return len(first) > 10
"""


def object_file(root: Path, digest: str) -> Path:
    return root / "home" / "store" / "objects" / digest[3:5] / digest[5:]


@pytest.mark.parametrize("harm", ["corrupt", "missing"])
def test_an_object_that_is_harmed_is_made_anew_when_it_is_needed(tmp_path: Path, harm: str) -> None:
    with build.bench(tmp_path, CHAIN) as bench:
        made = bench.run().assets["first"]
    path = object_file(tmp_path, made.digest)
    path.chmod(0o644)
    path.write_bytes(b"2" * 200_000) if harm == "corrupt" else path.unlink()
    shutil.move(tmp_path / "project", tmp_path / "kept")
    with build.bench(tmp_path, CHAIN.replace("str(len(first))", "str(len(first) + len(set(first)))")) as bench:
        result = bench.run()
        assert result.state == "finished"
        assert result.assets["first"].digest == made.digest
        assert bench.store.get(made.digest) == b"1" * 200_000
        assert bench.value(result, "second") == b"200001"
        assert any(
            note.startswith(("first: ", "first is not in the store")) and "made anew" in note for note in bench.notes()
        )
        assert {step.step: step.state for step in result.steps}["first"] == "ran"


def test_a_harmed_source_is_put_there_again(tmp_path: Path) -> None:
    pipeline = "from ciranda import step\n@step\ndef size(raw: bytes):\n    return len(raw)\n"
    toml = '[sources]\nraw = { files = "raw.bin" }\n'
    with build.bench(tmp_path, pipeline, toml=toml, raw_bin="x" * 100_000) as bench:
        result = bench.run()
        (_, inner, _), *_ = bench.store.listing(result.assets["raw"].digest)
    path = object_file(tmp_path, inner)
    path.chmod(0o644)
    path.write_bytes(b"y" * 100_000)
    shutil.move(tmp_path / "project", tmp_path / "kept")
    with build.bench(
        tmp_path, pipeline.replace("len(raw)", "raw.count(b'x')"), toml=toml, raw_bin="x" * 100_000
    ) as bench:
        result = bench.run()
        assert bench.value(result, "size") == b"100000", result
        assert any("made anew" in note for note in bench.notes())


def test_a_file_that_changes_while_it_is_copied_starts_the_look_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with build.bench(tmp_path, CHAIN, conf_txt="a") as bench:
        make = snapshot.make
        calls = []

        def meddle(survey, left_out, target) -> None:
            calls.append(target)
            if len(calls) == 1:
                bench.write(conf_txt="another text")
            make(survey, left_out, target)

        monkeypatch.setattr(snapshot, "make", meddle)
        assert bench.run().state == "finished"
        assert len(calls) == 2
        assert not calls[0].parent.exists(), "what was begun is gone"

        def always(survey, left_out, target) -> None:
            raise snapshot.Moved("conf.txt")

        bench.write(conf_txt="again")
        monkeypatch.setattr(snapshot, "make", always)
        with pytest.raises(errors.Stale, match="keep changing"):
            bench.run()
        assert list(bench.parts.runs.glob("*/tree")) == []


RUN = """
import sys
from pathlib import Path
from ciranda.app import home as homes
from ciranda.pipeline import engine, tree
from ciranda.project import read

root = Path(sys.argv[1])
home = homes.Home(root / "home")
with homes.opened(home) as (database, store):
    parts = engine.Parts(store, database, home.interpreters, home.runs)
    request = engine.Request(read.read(root / "project"), tree.working(root / "project"), "x", "x", confine=False, jobs=2)
    result = engine.run(request, parts, lambda report: print(type(report).__name__, flush=True))
    print(result.state, [step.state for step in result.steps], flush=True)
"""
POINTS = [
    "ledger.locked", "ledger.worked", "ledger.committed", "ledger.acknowledged:2", "store.pack.created", "store.pack.appended",
    "store.pack.synced", "store.object.written", "store.object.synced", "store.object.renamed", "store.export.filled",
    "store.export.renamed", "ledger.committed:2", "ledger.committed:3",
]  # fmt: skip


def leftovers(root: Path) -> list[str]:
    runs_folder = root / "home" / "runs"
    return [str(path) for name in ("in", "out", "tree", "process") for path in runs_folder.glob(f"*/{name}")]


def go(root: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", RUN, str(root)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_anywhere_loses_nothing_that_was_recorded(tmp_path: Path, point: str) -> None:
    with build.bench(tmp_path, CHAIN) as bench:
        pass
    killed = go(tmp_path, CIRANDA_FAILPOINT=point)
    assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
    if killed.returncode == 0:
        pytest.skip("this point is not passed by a run")
    with build.bench_again(tmp_path) as bench:
        known = bench.database.query("SELECT asset, version FROM result")
        result = bench.run()
        assert result.state == "finished"
        for row in known:
            assert {step.step: step.state for step in result.steps}[row["asset"]] == "unchanged", (
                "recorded, so not done again"
            )
        assert bench.value(result, "third") == b"200000"
        states = {run.state for run in runs.history(bench.database, "toy")}
        assert states <= {"finished", "interrupted"}
        if any(step.state == "ran" for step in result.steps):
            assert leftovers(tmp_path) == []


def test_a_killed_run_leaves_no_process(tmp_path: Path) -> None:
    pipeline = f"""
import os, time
from ciranda import step
@step
def slow():
    open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
    os.rename({str(tmp_path / "pid")!r}, {str(tmp_path / "there")!r})
    time.sleep(60)
"""
    with build.bench(tmp_path, pipeline):
        pass
    with subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        build.until((tmp_path / "there").exists)
        worker = int((tmp_path / "there").read_text())
        process.kill()
    build.until(lambda: not build.lives(worker))


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
@pytest.mark.parametrize("size", ["300k", "500k", "700k", "1m"])
def test_a_full_disk_is_said_and_costs_nothing_that_was_recorded(tmp_path: Path, size: str) -> None:
    pipeline = "import os\nfrom ciranda import step\n" + "".join(
        f"@step\ndef s{n}() -> bytes:\n    return os.urandom(100_000)\n" for n in range(12)
    )
    with small_disk(tmp_path / "disk", size):
        (tmp_path / "disk" / "filler").write_bytes(b"")
        try:
            with build.bench(tmp_path / "disk", pipeline) as bench:
                with pytest.raises(errors.StorageFull):
                    bench.run(jobs=2)
        except errors.StorageFull:
            return  # not even a home fits
        subprocess.run(["mount", "-o", "remount,size=64m", tmp_path / "disk"], check=True)
        with build.bench_again(tmp_path / "disk") as bench:
            known = {row["asset"] for row in bench.database.query("SELECT asset FROM result")}
            result = bench.run()
            assert result.state == "finished"
            assert {step.step for step in result.steps if step.state == "unchanged"} == known


PRYING = """
import os
from pathlib import Path
from ciranda import step

@step
def home() -> list:
    return sorted(os.listdir({home!r}))

@step
def source() -> str:
    return Path({raw!r}).read_text()

@step
def beside() -> bool:
    return Path("raw.txt").exists()

@step
def tree() -> str:
    Path("left.txt").write_text("here I was")
    return "written"

@step
def good(raw: str) -> str:
    return raw
"""


def prying(tmp_path: Path, *, confined: bool) -> dict[str, str]:
    toml = '[sources]\nraw = { files = "raw.txt" }\n'
    pipeline = PRYING.format(home=str(tmp_path / "home"), raw=str(tmp_path / "project" / "raw.txt"))
    with build.bench(tmp_path, pipeline, toml=toml, raw_txt="secret") as bench:
        result = bench.run(confine=confined)
        assert bench.value(result, "good") == b"secret"
        assert bench.value(result, "beside") == b"false", "declared sources are absent from a worker's tree"
        assert runs.history(bench.database, "toy")[0].confined is confined
        found = build.states(result)
        if found["home"] == "ran" and bench.value(result, "home") == b'["runs"]':
            found["home"] = "empty"
        return found


@pytest.mark.skipif(not confine.available(), reason="bubblewrap does not work here")
def test_a_confined_step_sees_neither_home_nor_sources_nor_writes_its_tree(tmp_path: Path) -> None:
    states = prying(tmp_path, confined=True)
    assert states["home"] in ("failed", "empty")
    assert (states["source"], states["tree"]) == ("failed", "failed")


def test_an_unconfined_step_is_recorded_as_such(tmp_path: Path) -> None:
    states = prying(tmp_path, confined=False)
    assert states["home"] == states["source"] == "ran"


def test_two_runs_at_a_time_share_what_they_make(tmp_path: Path) -> None:
    with build.bench(tmp_path, CHAIN):
        pass
    both = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert all("finished" in text for text in said), said
    with build.bench_again(tmp_path) as bench:
        assert set(build.states(bench.run()).values()) == {"unchanged"}
        assert sorted(run.number for run in runs.history(bench.database, "toy")) == [1, 2, 3]
