"""Interpreters built by a real uv from real locks."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ciranda.kernel import errors
from ciranda.pipeline import interpreters, needs
from support.runtime import WAIT, worker, write_tree

SIX = "six==1.17.0\n"
SERVERS = {**needs.PREDICT, **needs.APP}


def built(tree: Path, folder: Path) -> interpreters.Interpreter:
    return interpreters.ensure(interpreters.resolve(tree), folder, lambda text: None)


def test_a_project_without_a_lock_runs_on_our_own_interpreter(tmp_path: Path) -> None:
    assert interpreters.resolve(tmp_path) is None
    own = built(tmp_path, tmp_path / "interpreters")
    assert (own.python, own.locked, own.lock, own.predict) == (Path(sys.executable), False, None, None)
    assert "polars" in own.distributions
    assert [path.suffix for path in (tmp_path / "interpreters").iterdir()] == [".own"]
    assert interpreters.find(own.digest, tmp_path / "interpreters") == own.python
    assert interpreters.find("b3:" + "0" * 64, tmp_path / "interpreters") is None


def test_requirements_are_installed_beside_the_runtime_and_kept(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"requirements.txt": SIX})
    said: list[str] = []
    first = interpreters.ensure(interpreters.resolve(tree), tmp_path / "i", said.append)
    assert said == ["building the interpreter from requirements.txt (Python 3.11)"]
    assert (first.locked, first.lock, first.predict) == (True, "requirements.txt", None)
    assert first.distributions == {"six": "1.17.0", **SERVERS}
    assert interpreters.ensure(interpreters.resolve(tree), tmp_path / "i", said.append) == first
    assert interpreters.find(first.digest, tmp_path / "i") == first.python
    assert len(said) == 1
    program = "import ciranda, ciranda.runtime.worker, six; print(ciranda.__file__)"
    told = subprocess.run([first.python, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.startswith(str(first.python.parent.parent))


def test_requirements_that_are_not_all_pinned_are_not_locked(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"requirements.txt": "-r more.txt\n", "more.txt": "six>=1.16\n"})
    lock = interpreters.resolve(tree)
    found = built(tree, tmp_path / "i")
    assert (found.locked, "six" in found.distributions) == (False, True)
    write_tree(tree, {"more.txt": "six>=1.17\n"})
    changed = interpreters.resolve(tree)
    assert lock is not None
    assert changed is not None
    assert lock.digest != changed.digest


def test_a_uv_lock_is_exported_and_its_dev_group_comes_along(tmp_path: Path) -> None:
    tree = write_tree(
        tmp_path / "tree",
        {
            "pyproject.toml": """
                [project]
                name = "toy"
                version = "0"
                requires-python = ">=3.11"
                dependencies = ["six==1.17.0"]
                [dependency-groups]
                dev = ["iniconfig==2.1.0"]
            """
        },
    )
    unlocked = built(tree, tmp_path / "i")
    assert (unlocked.locked, unlocked.lock) == (False, "pyproject.toml")
    subprocess.run([_uv(), "lock", "--quiet"], cwd=tree, check=True)
    locked = built(tree, tmp_path / "i")
    assert (locked.locked, locked.lock) == (True, "uv.lock")
    assert locked.distributions == unlocked.distributions == {"six": "1.17.0", "iniconfig": "2.1.0", **SERVERS}


def test_the_python_that_the_project_asks_for(tmp_path: Path) -> None:
    other = next((version for version in ("3.12", "3.10") if _has_python(version)), None)
    if other is None:
        pytest.skip("no other Python on this machine")
    tree = write_tree(tmp_path / "tree", {"requirements.txt": SIX, ".python-version": f"{other}\n"})
    found = built(tree, tmp_path / "i")
    assert found.version.startswith(f"{other}.")
    write_tree(tree, {".python-version": "3.47\n"})
    with pytest.raises(errors.Refused, match=r"asks for Python 3\.47, and no such Python is on this machine"):
        built(tree, tmp_path / "i")
    write_tree(tree, {"pyproject.toml": "[project]\nname='x'\nversion='0'\nrequires-python='<3.2'\n"})
    (tree / ".python-version").unlink()
    with pytest.raises(errors.Refused, match=r"asks for Python <3\.2"):
        built(tree, tmp_path / "i")


@pytest.mark.parametrize(
    ("requirements", "says"),
    [
        ("six==99.0\n", "six==99.0"),
        ("six==1.17.0 --hash=sha256:" + "0" * 64 + "\n", "[Hh]ash"),
        ("this is no requirement\n", "requirements.txt"),
    ],
)
def test_what_uv_refuses_is_refused_with_its_reason(tmp_path: Path, requirements: str, says: str) -> None:
    tree = write_tree(tmp_path / "tree", {"requirements.txt": requirements})
    with pytest.raises(errors.Refused, match=says) as raised:
        built(tree, tmp_path / "i")
    assert raised.value.where == str(tree / "requirements.txt")
    assert not list((tmp_path / "i").glob("*/complete"))


def test_requirements_in_folders_are_refused_by_line(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"requirements.txt": "six\n-e .\n"})
    with pytest.raises(errors.Invalid, match=r"requirements.txt:2 installs from a folder \(-e \.\)"):
        interpreters.resolve(tree)


def test_a_builder_that_is_killed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"requirements.txt": SIX})
    program = f"""
from pathlib import Path
from ciranda.pipeline import interpreters, needs
tree = Path({str(tree)!r})
interpreters.ensure(interpreters.resolve(tree), Path({str(tmp_path / "i")!r}), print)
"""
    for point in ("interpreters.created", "interpreters.installed", "files.written"):
        variables = {**os.environ, "CIRANDA_FAILPOINT": point}
        died = subprocess.run([sys.executable, "-c", program], env=variables, check=False, capture_output=True)
        assert died.returncode == -signal.SIGKILL
        assert not list((tmp_path / "i").glob("*/complete"))
    assert built(tree, tmp_path / "i").distributions["six"] == "1.17.0"


def test_concurrent_builders_build_once(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"requirements.txt": SIX})
    said: list[str] = []
    lock = interpreters.resolve(tree)
    threads = [threading.Thread(target=interpreters.ensure, args=(lock, tmp_path / "i", said.append)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert sum(text.startswith("building") for text in said) == 1


def test_an_interpreter_whose_python_is_gone_is_built_again(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"requirements.txt": SIX})
    found = built(tree, tmp_path / "i")
    found.python.unlink()
    again = built(tree, tmp_path / "i")
    assert os.access(again.python, os.X_OK)


def test_the_runtime_runs_on_the_oldest_python(tmp_path: Path) -> None:
    if not _has_python("3.9"):
        pytest.skip("no Python 3.9 on this machine")
    tree = write_tree(
        tmp_path / "tree",
        {
            "requirements.txt": SIX,
            ".python-version": "3.9",
            "pipeline.py": """
                import six
                from ciranda import check, log, step

                @step
                def numbers(count: int = 3):
                    log(count=count)
                    return list(range(count))

                @check(numbers, at_least=1)
                def some(numbers):
                    return len(numbers)
            """,
        },
    )
    found = built(tree, tmp_path / "i")
    assert (found.version[:4], found.predict) == ("3.9.", None)
    with worker(tree, tmp_path / "run", python=str(found.python)) as engine:
        said, _ = engine.ask(type="describe")
        assert (said["python"], said["distributions"], said["imports"]) == (
            "3.9",
            {"six": "1.17.0"},
            {"pipeline.py": ["six"]},
        )
        result, payload = engine.step("numbers")
        assert (result["figures"], json.loads(payload)) == ({"count": 3}, [0, 1, 2])
        outcome = engine.check("pipeline:some", "numbers", {"numbers": result["output"]}, payload, at_least=1)
        assert outcome["passed"] is True


def _uv() -> str:
    from uv import find_uv_bin

    return find_uv_bin()


def _has_python(version: str) -> bool:
    lock = interpreters.Lock(Path.cwd(), "requirements.txt", "", version)
    try:
        return bool(interpreters.find_base(lock))
    except errors.Refused:
        return False


def test_what_the_cache_has_is_installed_without_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = write_tree(tmp_path / "tree", {"requirements.txt": SIX})
    built(tree, tmp_path / "first")
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert built(tree, tmp_path / "second").distributions["six"] == "1.17.0"
    write_tree(tree, {"requirements.txt": "six==99.0\n"})
    with pytest.raises(errors.Refused, match=r"six==99\.0"):
        built(tree, tmp_path / "second")


def test_a_lock_that_pins_too_old_a_msgspec_refuses_predict_alone(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"requirements.txt": "msgspec==0.17.0\n"})
    found = built(tree, tmp_path / "i")
    assert found.predict == "requirements.txt pins msgspec 0.17.0, and the model server needs 0.18 or newer"
    assert found.distributions["msgspec"] == "0.17.0"


def test_a_lock_that_pins_too_old_a_uvicorn_refuses_apps_alone(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree", {"requirements.txt": "uvicorn==0.20.0\nclick==8.1.7\nh11==0.14.0\n"})
    found = built(tree, tmp_path / "i")
    assert found.app == "requirements.txt pins uvicorn 0.20.0, and the server of an app needs 0.23 or newer"
    assert found.predict is None
    assert "websockets" not in found.distributions
