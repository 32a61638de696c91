"""A project on a laptop, by the installed command line: begin it, run it, ask it, break it."""

import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from support import project

PIPELINE = """
from ciranda import check, dataset, log, model
import features

CONFINED_AND_NOT = True

@dataset
def numbers(raw: str) -> list:
    print("reading", flush=True)
    return [features.scaled(int(line)) for line in raw.split()]

@check(numbers)
def positive(numbers):
    return [number for number in numbers if number <= 0]

@check(numbers, severity="warn")
def few(numbers):
    return len(numbers) < 3

@model
def total(numbers: list, factor: int = 1) -> dict:
    log(size=len(numbers))
    return {"total": sum(numbers) * factor}
"""
FEATURES = "def scaled(number):\n    return number * 10\n"


def toy(tmp_path: Path, raw: str = "1 2\n", **more: str) -> project.Project:
    return project.make(
        tmp_path,
        PIPELINE,
        sources={"raw": "data/raw.txt"},
        files={"data/raw.txt": raw, "features.py": FEATURES},
        **more,
    )


@pytest.mark.parametrize("confine", ["on", "off"])
def test_begin_run_and_ask(tmp_path: Path, confine: str) -> None:
    variables = {"CIRANDA_CONFINE": "off"} if confine == "off" else {}
    houses = project.Project(tmp_path / "houses", tmp_path / "home", variables)
    houses.root.mkdir()
    begun = houses.ciranda("init").succeeds()
    assert "+ ciranda.toml" in begun.out
    assert "next: ciranda run" in begun.out

    first = houses.ciranda("run").succeeds()
    assert re.match(r"houses · no commit yet \+ \d+ changed files", first.out)
    assert ("unconfined (CIRANDA_CONFINE=off)" in first.out) is (confine == "off")
    assert "✓ sales        120 rows × 5" in first.out
    assert re.search(r"\n3 steps: 3 ran, 2 checks passed +\d+\.\d+ s +ciranda show price\n$", first.out)

    houses.commit()
    again = houses.ciranda("run").succeeds()
    assert re.fullmatch(r"3 steps unchanged +\d+\.\d+ s\n", again.out)
    assert re.fullmatch(r"3 steps unchanged +\d+\.\d+ s\n", houses.ciranda("run").succeeds().out)

    assert "price" in houses.ciranda("show").succeeds().out
    assert "per_metre" in houses.ciranda("show", "sales").succeeds().out
    assert houses.ciranda("show", "price@run-1", "--json").succeeds().json["version"]["codec"] == "json"
    assert "price is unchanged" in houses.ciranda("explain", "price").succeeds().out
    tested = houses.run(
        str(project.CIRANDA.with_name("python")), "-m", "unittest", "discover", "-s", "tests/unit", "-t", "."
    )
    assert "OK" in tested.err, "the tests that init writes pass"


def test_init_overwrites_nothing_and_says_where_the_token_lies(tmp_path: Path) -> None:
    old = project.Project(tmp_path / "My Work", tmp_path / "home")
    old.root.mkdir()
    old.write({"pipeline.py": "# mine\n", "README.md": "mine\n"})
    old.git("init", "--quiet").succeeds()
    assert old.ciranda("init", "--json").succeeds().json["written"] == ["ciranda.toml"]
    assert (old.root / "pipeline.py").read_text() == "# mine\n"
    assert "0 steps" in old.ciranda("run").succeeds().out
    text = (old.root / "ciranda.toml").read_text()
    again = old.ciranda("init").succeeds()
    assert "ciranda.toml was there and stays" in again.out
    assert (old.root / "ciranda.toml").read_text() == text
    assert old.git("remote", "get-url", "ciranda").out == "http://127.0.0.1:7700/git/my-work.git\n"
    (tmp_path / "home" / "token").write_text("secret\n")

    def asked(url: str) -> str:
        done = subprocess.run(
            ["git", "credential", "fill"], input=f"url={url}\n\n", cwd=old.root, env=old.environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout

    assert "password=secret" in asked("http://127.0.0.1:7700/git/my-work.git")
    assert "secret" not in asked("http://127.0.0.1:7700/git/other.git"), "for this address alone"
    assert "secret" not in asked("http://example.org/git/my-work.git")
    assert (
        old.ciranda("init", "--name", "Bad_Name", str(tmp_path / "x"))
        .fails()
        .err.startswith("the project cannot be called so")
    )


def test_what_a_run_says_and_what_explain_says(tmp_path: Path) -> None:
    here = toy(tmp_path)
    first = here.ciranda("run").succeeds()
    lines = first.out.splitlines()
    assert re.fullmatch(r"toy · [0-9a-f]{7}", lines[0])
    assert re.fullmatch(r"  ✓ raw +1 file, 4 bytes +read", lines[1])
    assert "      ✓ positive   ✓ few" in lines
    assert lines[-1].startswith("3 steps: 3 ran, 2 checks passed ")

    here.edit("features.py", "number * 10", "10 * number  # the same")
    told = here.ciranda("explain", "numbers").succeeds().out
    assert re.search(r"code +features.py:1 +scaled\(\) changed +\(pipeline.py → features.py\)", told), told
    assert "same      input raw b3:" in told
    assert "last made by run 1 (" in told
    waits = here.ciranda("explain", "total").succeeds().out
    assert re.search(r"input +numbers +runs again first: ciranda explain numbers", waits), waits
    second = here.ciranda("run").succeeds().out
    assert "toy · " in second
    assert "+ 1 changed file" in second
    assert "1 unchanged, 2 ran" in second

    assert (
        here.ciranda("run", "--set", "total.factor=3")
        .succeeds()
        .out.splitlines()[-1]
        .startswith("3 steps: 2 unchanged, 1 ran")
    )
    told = here.ciranda("explain", "total", "--set", "total.factor=4").succeeds().out
    assert "parameter factor  3 → 4" in told
    assert "does not run again: it was made before" in here.ciranda("explain", "total").succeeds().out

    here.write({"conf.yaml": "a: 1\n"})
    assert re.search(r"file +conf.yaml +is new", here.ciranda("explain", "total").succeeds().out)
    for harmless in ("README.md", "docs/more.txt", "tests/test_it.py"):
        here.write({harmless: "text = 1\n"})
    (here.root / "conf.yaml").unlink()
    assert "3 steps unchanged" in here.ciranda("run").succeeds().out


def test_a_check_that_fails_shows_rows_and_fails_the_run(tmp_path: Path) -> None:
    here = toy(tmp_path, "1 -2 -3 4\n")
    ran = here.ciranda("run").fails()
    assert "✗ positive: 2 of 4 rows" in ran.out
    assert "-20" in ran.out
    assert "! few: returned False (warns)" in ran.out
    assert "3 steps: 3 ran, 1 check warned, 1 failed" in ran.out
    assert ran.out.rstrip().endswith("ciranda show numbers@run-1 --check positive")
    shown = here.ciranda("show", "numbers@run-1", "--check", "positive").succeeds().out
    assert "-20" in shown
    assert "-30" in shown
    found = here.ciranda("run", "--json").fails().json
    assert (found["state"], found["passed"]) == ("finished", False)
    assert {check["check"]: check["passed"] for check in found["checks"]} == {"positive": False, "few": False}


def test_logs(tmp_path: Path) -> None:
    here = toy(tmp_path)
    here.ciranda("run").succeeds()
    assert re.fullmatch(r"\d\d:\d\d:\d\d  numbers       reading\n", here.ciranda("logs").succeeds().out)
    assert here.ciranda("logs", "run-1", "--step", "total").succeeds().out == ""
    (record,) = [json.loads(line) for line in here.ciranda("logs", "--json").succeeds().out.splitlines()]
    assert (record["step"], record["text"]) == ("numbers", "reading\n")
    assert "toy has no run-9" in here.ciranda("logs", "run-9").fails().err


def test_logs_are_followed_until_the_run_ends(tmp_path: Path) -> None:
    wait = f"import os, time\nuntil = time.monotonic() + 30\nwhile not os.path.exists({str(tmp_path / 'go')!r}):\n"
    wait += "    assert time.monotonic() < until\n    time.sleep(0.01)\n"
    body = "".join(f"    {line}\n" for line in wait.splitlines())
    here = project.make(
        tmp_path,
        f"from ciranda import step\n@step\ndef slow():\n    print('before', flush=True)\n{body}    print('after')\n    return 1\n",
        variables={"CIRANDA_CONFINE": "off"},  # a confined step would not see the file that it waits for
    )
    with here.start(str(project.CIRANDA), "run") as run:
        while not list((tmp_path / "home" / "runs").glob("*/log.jsonl")):
            assert run.poll() is None, run.communicate()
            time.sleep(0.02)
        with here.start(str(project.CIRANDA), "logs", "-f") as logs:
            assert logs.stdout is not None
            assert logs.stdout.readline().endswith("before\n")
            (tmp_path / "go").touch()
            assert logs.stdout.read().endswith("after\n")
        assert run.wait(30) == 0


def test_an_interrupt_keeps_what_was_made(tmp_path: Path) -> None:
    here = project.make(
        tmp_path,
        "import time\nfrom ciranda import step\n@step\ndef quick():\n    return 1\n\n@step\ndef slow(quick):\n"
        "    print('here', flush=True)\n    time.sleep(60)\n",
    )
    with here.start(str(project.CIRANDA), "run") as run:
        ledger = f"file:{tmp_path}/home/ledger.db?mode=ro"
        while not list((tmp_path / "home" / "runs").glob("*/log.jsonl")):
            assert run.poll() is None, run.communicate()
            time.sleep(0.02)
        with closing(sqlite3.connect(ledger, uri=True)) as opened:
            while opened.execute("SELECT count(*) FROM result WHERE asset = 'quick'").fetchone() == (0,):
                assert run.poll() is None, run.communicate()
                time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        out = run.communicate(timeout=30)[0]
        assert run.returncode == 130
    assert "✓ quick" in out
    assert "what was recorded is kept" in out
    assert "Traceback" not in out
    here.edit("pipeline.py", "    time.sleep(60)", "    return 2")
    assert "2 steps: 1 unchanged, 1 ran" in here.ciranda("run").succeeds().out
    assert "run-1    interrupted" in here.ciranda("show").succeeds().out


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'name = "toy"',
            'nme = "toy"',
            ["ciranda.toml:2  project.nme is not a key", 'did you mean "name"?', "project has no name"],
        ),
        (
            'raw = { files = "data/raw.txt" }',
            'raw = { files = "data/*.cvs" }',
            ['ciranda.toml:5  sources.raw.files names "data/*.cvs"'],
        ),
        ("[sources]", "[previews]\nx = 1\n[sources]", ["ciranda.toml:4  [previews] is designed, but not built yet"]),
        ('pipeline = "pipeline.py"', 'pipeline = "pipe.py"', ['ciranda.toml:3  project.pipeline names "pipe.py"']),
        ("[project]", "[project", ["ciranda.toml:1  this is not TOML"]),
    ],
)
def test_a_declaration_that_makes_no_sense(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    here = toy(tmp_path)
    here.edit("ciranda.toml", old, new)
    ran = here.ciranda("run").fails()
    assert all(text in ran.err for text in told), ran.err
    assert "Traceback" not in ran.err


def test_a_pipeline_that_does_not_import_gives_the_users_traceback_alone(tmp_path: Path) -> None:
    here = toy(tmp_path)
    here.edit("features.py", "def scaled", "import nothing_like_this\ndef scaled")
    ran = here.ciranda("run").fails()
    assert ran.err.startswith("Traceback (most recent call last):\n")
    assert ran.err.rstrip().endswith("ModuleNotFoundError: No module named 'nothing_like_this'")
    assert re.findall(r'File "([^"]+)"', ran.err) == ["pipeline.py", "features.py"]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["rn"], "did you mean: ciranda run"),
        (["run", "--jbos", "2"], "unrecognized arguments"),
        (["run", "--jobs", "0"], "'0' is not a number from 1 to 256"),
        (["run", "--set", "depth=1"], "is not STEP.PARAMETER=VALUE"),
        (["show", "--check", "x"], "--check needs an asset"),
    ],
)
def test_what_is_misunderstood_exits_64(tmp_path: Path, argv: list[str], told: str) -> None:
    here = toy(tmp_path)
    here.ciranda("run").succeeds()
    assert told in here.ciranda(*argv).fails(64).err


def test_what_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    here = toy(tmp_path)
    assert "there is no home here yet" in here.ciranda("show").fails().err
    here.ciranda("run").succeeds()
    assert 'did you mean "total"?' in here.ciranda("show", "totl").fails().err
    assert 'did you mean "total"?' in here.ciranda("explain", "totl").fails().err
    assert 'did you mean "positive"?' in here.ciranda("show", "numbers", "--check", "positiv").fails().err
    assert 'did you mean "factor"?' in here.ciranda("run", "--set", "total.fctor=1").fails().err
    elsewhere = project.Project(tmp_path, tmp_path / "home")
    assert "there is no ciranda.toml here or above" in elsewhere.ciranda("run").fails().err


@pytest.mark.parametrize(
    ("variables", "colour"),
    [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "xterm", "CI": "true"}, False)],
)
def test_a_terminal_sees_colour_unless_it_is_not_wanted(
    tmp_path: Path, variables: dict[str, str], colour: bool
) -> None:
    here = toy(tmp_path)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [str(project.CIRANDA), "run"],
        cwd=here.root,
        env={**here.environment, **variables},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as run:
        os.close(theirs)
        seen = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                seen += os.read(ours, 65536)
            except OSError:
                break
    os.close(ours)
    assert run.returncode == 0
    assert (b"\033[" in seen) is colour
    assert "3 steps: 3 ran" in seen.decode()


LIGHT = """
import sys
from ciranda.cli import main
code = main.main(sys.argv[1:])
names = {name.partition(".")[0] for name in sys.modules}
outside = sorted(name for name in names if name not in sys.stdlib_module_names and not name.startswith("__editable__"))
print("loaded:", outside, len(sys.modules))
sys.exit(code)
"""


@pytest.mark.parametrize("argv", [["--version"], ["run"], ["--help"]])
def test_a_command_with_nothing_to_do_loads_only_the_standard_library_and_blake3(
    tmp_path: Path, argv: list[str]
) -> None:
    here = toy(tmp_path)
    here.ciranda("run").succeeds()
    ran = here.run(str(project.CIRANDA.with_name("python")), "-c", LIGHT, *argv).succeeds()
    loaded = ran.out.rpartition("loaded: ")[2]
    names = set(re.findall(r"'([^']+)'", loaded)) - {"__main__", "_distutils_hack", "_virtualenv", "sitecustomize"}
    assert names <= {"blake3", "ciranda"}, loaded
    if argv == ["--version"]:
        assert int(loaded.split()[-1]) < 80
