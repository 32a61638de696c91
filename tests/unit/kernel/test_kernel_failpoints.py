"""Failpoints: every name is registered and used, and an armed point kills the right process at the right time."""

import ast
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import ciranda
from ciranda.kernel import failpoints

SOURCES = Path(ciranda.__file__).parent


def used() -> set[str]:
    """The names with which points are called, all over the program."""
    found = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "failpoint":
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: a point's name is written out"
                found.add(str(node.args[0].value))
    return found


def test_every_point_is_registered_and_every_name_is_used() -> None:
    assert used() == failpoints.NAMES


def test_no_variable_no_effect() -> None:
    failpoints.arm({})("files.written")
    failpoints.arm({"CIRANDA_FAILPOINT": ""})("files.written")


def test_a_name_that_is_no_point_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no\.such"):
        failpoints.arm({"CIRANDA_FAILPOINT": "no.such"})


def passes(**environment: str) -> tuple[int, list[str]]:
    """What a process said that passes two points thrice, and how it ended."""
    program = textwrap.dedent("""
        from ciranda.kernel.failpoints import failpoint
        for number in range(3):
            for name in ("files.written", "files.renamed"):
                print(name, number, flush=True)
                failpoint(name)
    """)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def test_the_first_time() -> None:
    assert passes(CIRANDA_FAILPOINT="files.renamed") == (-signal.SIGKILL, ["files.written 0", "files.renamed 0"])


def test_the_nth_time() -> None:
    code, said = passes(CIRANDA_FAILPOINT="files.written:3")
    assert (code, said[-1]) == (-signal.SIGKILL, "files.written 2")


def test_a_file_that_only_one_process_can_remove(tmp_path: Path) -> None:
    token = tmp_path / "once"
    wanted = {"CIRANDA_FAILPOINT": "files.written", "CIRANDA_FAILPOINT_FILE": str(token)}
    assert passes(**wanted)[0] == 0
    token.touch()
    assert passes(**wanted)[0] == -signal.SIGKILL
    assert not token.exists()
    assert passes(**wanted)[0] == 0


def test_a_file_that_chooses_the_point(tmp_path: Path) -> None:
    chosen = tmp_path / "next"
    wanted = {"CIRANDA_FAILPOINT": f"@{chosen}"}
    assert passes(**wanted)[0] == 0
    chosen.write_text("files.renamed")
    assert passes(**wanted) == (-signal.SIGKILL, ["files.written 0", "files.renamed 0"])
    [taken] = tmp_path.iterdir()
    assert taken.name.partition(".")[0] == "next"
    assert taken.read_text().split("\0")[:2] == [sys.executable, "-c"]
    assert passes(**wanted)[0] == 0


def test_a_file_that_chooses_the_point_of_one_process(tmp_path: Path) -> None:
    chosen = tmp_path / "next"
    chosen.write_text("files.renamed 1")
    assert passes(CIRANDA_FAILPOINT=f"@{chosen}")[0] == 0
    assert chosen.exists()
