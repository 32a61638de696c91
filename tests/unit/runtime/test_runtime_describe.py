"""What a project's files import, what it declares, and which distributions it needs."""

import ast
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ciranda
from ciranda.pipeline import locks, wheel
from ciranda.runtime import describe, imports, requirements, traces
from support.runtime import write_tree

TREE = {
    "pipeline.py": "import features.hours as h\nfrom features import rain\nimport polars as pl\nimport os\n",
    "features/__init__.py": "from . import shared\n",
    "features/hours.py": "from .shared import one\nfrom ..nothing import x\n",
    "features/rain.py": "def late():\n    import lazy\n    import numpy.linalg\n",
    "features/shared.py": "import json\none = 1\n",
    "lazy.py": "import features.hours\n",
    "plugin.py": "import pandas\n",
    "unused.py": "import sklearn\n",
    "src/deep/__init__.py": "",
    "src/deep/inner.py": "from deep import *\n",
}


def test_the_import_graph_of_project_files(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, TREE)
    graph = imports.graph(tree / "pipeline.py", describe.roots(tree, "pipeline.py"), [])
    assert graph.modules == {
        "pipeline.py": ("features/__init__.py", "features/hours.py", "features/rain.py"),
        "features/__init__.py": ("features/shared.py",),
        "features/hours.py": ("features/__init__.py", "features/shared.py"),
        "features/rain.py": ("lazy.py",),
        "features/shared.py": (),
        "lazy.py": ("features/__init__.py", "features/hours.py"),
    }
    assert graph.imports == {
        "pipeline.py": ("polars",),
        "features/__init__.py": (),
        "features/hours.py": (),
        "features/rain.py": ("numpy",),
        "features/shared.py": (),
        "lazy.py": (),
    }


def test_a_module_that_was_loaded_by_other_means_counts_everywhere(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, TREE)
    graph = imports.graph(tree / "pipeline.py", describe.roots(tree, "pipeline.py"), [tree / "plugin.py"])
    assert all("plugin.py" in targets for file, targets in graph.modules.items() if file != "plugin.py")
    assert graph.imports["plugin.py"] == ("pandas",)
    assert "unused.py" not in graph.modules


def test_names_of_pipeline_files(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, {**TREE, "ml/pipeline.py": "", "src/deep/pipeline.py": ""})
    roots = describe.roots(tree, "src/deep/pipeline.py")
    assert roots.folders == (tree / "src", tree)
    assert roots.name(tree / "src" / "deep" / "inner.py") == "deep.inner"
    other = describe.roots(tree, "ml/pipeline.py")
    assert (other.folders, other.beside) == ((tree / "src", tree), (tree / "ml",))
    assert other.name(tree / "ml" / "pipeline.py") == "ml.pipeline"
    assert [file.name for file in roots.files("deep.inner.name")] == ["__init__.py", "inner.py"]
    assert roots.files("os.path") == []


def test_distributions_and_what_they_require() -> None:
    found = imports.distributions(["scikit-learn", "polars"])
    assert {"scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl", "polars", "polars-runtime-32"} <= set(found)
    assert "pytest" not in found
    assert imports.distributions(["nothing-of-that-name", "ciranda"]) == {}
    assert imports.owners_of(["os.path", "sklearn.linear_model", "yaml", "ciranda", "_pytest"]) == {
        "sklearn.linear_model": ("scikit-learn",),
        "yaml": ("pyyaml",),
        "_pytest": ("pytest",),
    }


VALUES = {
    **requirements.environment(),
    "python_version": "3.11",
    "python_full_version": "3.11.7",
    "sys_platform": "linux",
    "platform_machine": "x86_64",
}


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ('python_version >= "3.9"', True),
        ('python_version < "3.9"', False),
        ('python_version < "3.10"', False),
        ("python_full_version == '3.11.*'", True),
        ('sys_platform == "win32" or (python_version >= "3.8" and platform_machine != "arm64")', True),
        ('sys_platform == "win32" and python_version >= "3.8"', False),
        ('"linux" in sys_platform', True),
        ('platform_machine not in "arm64 aarch64"', True),
        ('extra == "all"', False),
        ('python_version >= "3.8" and extra == "all"', False),
        ("this is no marker", True),
        ('unknown_variable == "x"', True),
    ],
)
def test_markers(marker: str, holds: bool) -> None:
    assert requirements.holds(marker, {**VALUES, "extra": ""}) is holds


def test_markers_of_extras() -> None:
    assert requirements.holds('extra == "Some_Extra"', {**VALUES, "extra": "some-extra"})
    parsed = requirements.parse("Some.Name[a, B_c] (>=1.0,<2) ; python_version < '4'")
    assert parsed == requirements.Requirement("some-name", ("a", "b-c"), "python_version < '4'")
    assert requirements.parse("???") is None


@pytest.mark.parametrize(
    ("version", "specifier", "holds"),
    [
        ("3.11.7", ">=3.9", True),
        ("3.11.7", ">=3.9,<3.11", False),
        ("3.11.7", "==3.11.*", True),
        ("3.11.7", "!=3.11.*", False),
        ("3.11.7", "~=3.10", True),
        ("3.11.7", "~=3.10.1", False),
        ("3.11", "==3.11.0", True),
        ("1.0rc1", "<1.0", True),
        ("1.0.dev1", "<1.0a1", True),
        ("1.0.post1", ">1.0", True),
        ("1!1.0", ">2.0", True),
        ("2.0+local", "===2.0+local", True),
        ("3.11.7", "", True),
    ],
)
def test_versions(version: str, specifier: str, holds: bool) -> None:
    assert requirements.satisfies(version, specifier) is holds


@given(st.lists(st.integers(0, 30), min_size=1, max_size=4), st.lists(st.integers(0, 30), min_size=1, max_size=4))
def test_versions_are_ordered_as_numbers_are(left: list[int], right: list[int]) -> None:
    a, b = (".".join(map(str, parts)) for parts in (left, right))
    padded = [parts + [0] * (4 - len(parts)) for parts in (left, right)]
    assert requirements.satisfies(a, f"<{b}") == (padded[0] < padded[1])
    assert requirements.satisfies(a, f"=={b}") == (padded[0] == padded[1])


def test_tracebacks_show_the_users_frames_alone(tmp_path: Path) -> None:
    users = """
        def outer(function):
            try:
                function()
            except KeyError as error:
                raise ValueError('two\\nlines') from error
    """
    write_tree(tmp_path, {"users.py": users})
    program = compile((tmp_path / "users.py").read_text(), str(tmp_path / "users.py"), "exec")
    names: dict[str, object] = {}
    exec(program, names)
    from ciranda.runtime import figures

    with pytest.raises(ValueError, match="finite") as raised:
        figures.log(auc=float("inf"))
    assert "runtime" not in traces.shown(raised.value).replace("test_runtime_describe", "").replace("unit/runtime", "")
    with pytest.raises(ValueError, match="lines") as chained:
        names["outer"](lambda: {}["x"])  # type: ignore[operator]
    shown = traces.shown(chained.value, str(tmp_path))
    assert 'File "users.py", line 5, in outer' in shown
    assert "KeyError: 'x'" in shown
    assert traces.summary(chained.value) == "ValueError: two"


def test_the_runtime_is_written_for_the_oldest_python() -> None:
    root = Path(ciranda.__file__).parent
    for file in [root / "__init__.py", root / "version.py", *(root / "runtime").rglob("*.py")]:
        ast.parse(file.read_text(), filename=str(file), feature_version=(3, 9))


def test_the_runtime_imports_nothing_but_itself_and_the_standard_library() -> None:
    """The model server alone has three distributions more."""
    root = Path(ciranda.__file__).parent
    outside: dict[str, set[str]] = {}
    for file in (root / "runtime").rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in names:
                top = name.split(".")[0]
                if top not in sys.stdlib_module_names and top != "ciranda":
                    outside.setdefault(top, set()).add(file.stem)
    assert outside == {
        "msgspec": {"predict", "spool"},
        "uvloop": {"server"},
        "httptools": {"http"},
        "uvicorn": {"asgi"},
    }


def test_the_wheel_is_the_same_whenever_it_is_assembled() -> None:
    made = wheel.runtime()
    assert made.data() == wheel.runtime().data()
    with zipfile.ZipFile(BytesIO(made.data())) as archive:
        names = archive.namelist()
        record = archive.read(f"ciranda_runtime-{made.version}.dist-info/RECORD").decode()
        assert archive.testzip() is None
    assert "ciranda/runtime/worker.py" in names
    assert not any("kernel" in name for name in names)
    assert {line.split(",")[0] for line in record.splitlines()} == set(names)
    changed = wheel.Wheel("0+x", {**made.files, "ciranda/runtime/worker.py": b""})
    assert changed.filename == "ciranda_runtime-0+x-py3-none-any.whl"


def test_locks_are_found_in_order_and_their_digest_is_of_what_decides(tmp_path: Path) -> None:
    assert locks.resolve(tmp_path) is None
    write_tree(tmp_path, {"pyproject.toml": "[tool.ruff]\nline-length = 1\n"})
    assert locks.resolve(tmp_path) is None
    project = "[project]\nname = 'x'\nrequires-python = '>=3.10'\ndependencies = ['six']\n"
    write_tree(tmp_path, {"pyproject.toml": project})
    declared = locks.resolve(tmp_path)
    assert declared is not None
    assert (declared.name, declared.python) == ("pyproject.toml", ">=3.10")
    write_tree(tmp_path, {"pyproject.toml": project + "[tool.ruff]\nline-length = 1\n"})
    assert locks.resolve(tmp_path) == declared
    write_tree(
        tmp_path,
        {"requirements.txt": "# all\nsix==1.17.0 \\\n    --hash=sha256:00\n-c bounds.txt\n", "bounds.txt": "a<2\n"},
    )
    pinned = locks.resolve(tmp_path)
    assert pinned is not None
    assert (pinned.name, pinned.hashed, pinned.pinned) == ("requirements.txt", True, frozenset({"six"}))
    write_tree(tmp_path, {"bounds.txt": "a<3\n"})
    assert locks.resolve(tmp_path) != pinned
    write_tree(tmp_path, {"uv.lock": "version = 1\n", ".python-version": "# comment\n3.11\n"})
    locked = locks.resolve(tmp_path)
    assert locked is not None
    assert (locked.name, locked.python) == ("uv.lock", "3.11")
