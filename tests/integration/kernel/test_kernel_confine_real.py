"""What a confined process really sees."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ciranda.kernel import confine

pytestmark = pytest.mark.skipif(not confine.available({}), reason="bubblewrap does not work here")

PYTHON = Path(sys.executable).resolve()


def confined(code: str, folder: Path, **paths: list[Path]) -> subprocess.CompletedProcess[str]:
    command = confine.wrap(
        [str(PYTHON), "-I", "-c", code, str(folder)],
        directory=folder / "tree",
        die_with_parent=True,
        readable=[PYTHON.parents[1], *paths.get("readable", [])],
        writable=paths.get("writable", []),
        hidden=paths.get("hidden", []),
    )
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tree", "home/store", "home/runs/out"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tree/file").write_text("tree")
    (tmp_path / "home/token").write_text("secret")
    (tmp_path / "home/store/object").write_text("object")
    return tmp_path


def test_the_home_is_hidden_and_what_is_named_in_it_is_seen(folder: Path) -> None:
    code = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
names = sorted(p.name for p in (folder / "home").iterdir())
print(names, (folder / "home/store/object").read_text(), pathlib.Path("file").read_text())
(folder / "home/runs/out/made").write_text("made")
for path in ("home/store/new", "tree/new", "home/new"):
    try: (folder / path).write_text("x")
    except OSError as error: print(path, type(error).__name__)
"""
    home = folder / "home"
    done = confined(code, folder, hidden=[home], readable=[home / "store"], writable=[home / "runs/out"])
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "['runs', 'store'] object tree"
    assert [line.split()[0] for line in lines[1:]] == ["home/store/new", "tree/new"]
    assert (home / "runs/out/made").read_text() == "made"
    assert not (home / "new").exists()  # what it wrote beside went into its private temporary folder


def test_other_processes_and_capabilities_are_gone_and_the_network_is_there(folder: Path) -> None:
    code = """
import os, pathlib, socket
print([p.name for p in pathlib.Path("/proc").iterdir() if p.name.isdigit() and len(p.name) > 3])
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")])
print(sorted(os.listdir("/run")) == [] or "resolv" in str(pathlib.Path("/etc/resolv.conf").resolve()))
with socket.create_server(("127.0.0.1", 0)): print("listens")
"""
    done = confined(code, folder)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[]", "['0000000000000000']", "True", "listens"]


def test_the_exit_status_comes_through_and_the_first_process_is_named(folder: Path) -> None:
    read, write = os.pipe()
    with os.fdopen(read) as reader:
        command = confine.wrap(["sh", "-c", "exit 3"], directory=folder / "tree", die_with_parent=True, info_fd=write)
        with subprocess.Popen(command, pass_fds=[write]) as process:
            os.close(write)
            assert json.loads(reader.read())["child-pid"] > 0
    assert process.returncode == 3
