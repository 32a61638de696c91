"""A project whose lock pins other versions than Ciranda's own: trained by a worker and served, all in its interpreter."""

import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from ciranda.pipeline import interpreters
from support.runtime import server, worker, write_tree

PINS = {"numpy": "1.26.4", "polars": "1.9.0", "msgspec": "0.19.0", "scikit-learn": "1.5.2"}

PIPELINE = """
    import polars as pl
    from sklearn.linear_model import LogisticRegression

    from ciranda import check, dataset, log, model

    @dataset
    def points(raw) -> pl.DataFrame:
        return raw.with_columns(y=(pl.col("a") + pl.col("b")) > 0)

    @model
    def side(points: pl.DataFrame, strength: float = 1.0):
        fitted = LogisticRegression(C=strength).fit(points.select("a", "b").to_numpy(), points["y"].to_numpy())
        log(accuracy=fitted.score(points.select("a", "b").to_numpy(), points["y"].to_numpy()))
        return fitted

    @check(side, at_least=0.9)
    def good_enough(side, points):
        return side.score(points.select("a", "b").to_numpy(), points["y"].to_numpy())
"""

SERVICE = """
    import msgspec
    import numpy
    import polars
    import sklearn

    class Point(msgspec.Struct):
        a: float
        b: float

    def predict(rows: list[Point], side) -> list[bool]:
        return side.predict(numpy.array([(row.a, row.b) for row in rows]))

    def versions(rows: list[dict]):
        named = {"numpy": numpy, "polars": polars, "msgspec": msgspec, "scikit-learn": sklearn}
        return [{name: module.__version__ for name, module in named.items()} for row in rows]
"""


@pytest.mark.timeout(600)
def test_a_lock_with_other_versions_is_built_run_and_served(tmp_path: Path) -> None:
    dependencies = ", ".join(f'"{name}=={version}"' for name, version in PINS.items())
    project = f'[project]\nname = "toy"\nversion = "0"\nrequires-python = "==3.11.*"\ndependencies = [{dependencies}]\n'
    tree = write_tree(tmp_path / "tree", {"pyproject.toml": project, "pipeline.py": PIPELINE, "service.py": SERVICE})
    subprocess.run([find_uv_bin(), "lock", "--quiet"], cwd=tree, check=True)
    found = interpreters.ensure(interpreters.resolve(tree), tmp_path / "interpreters", lambda text: None)
    assert (found.locked, found.predict) == (True, None)
    assert PINS.items() <= found.distributions.items()
    ours = interpreters.own().distributions
    assert all(ours[name] != version for name, version in PINS.items())

    folder = tmp_path / "run"
    (folder / "in").mkdir(parents=True)
    lines = [f"{a / 10},{b / 10}" for a in range(-20, 21) for b in range(-20, 21)]
    (folder / "in" / "raw.csv").write_text("a,b\n" + "\n".join(lines) + "\n")
    with worker(tree, folder, python=str(found.python)) as engine:
        described, _ = engine.ask(type="describe")
        assert described["imports"] == {"pipeline.py": ["polars", "scikit-learn"]}
        assert described["distributions"]["numpy"] == PINS["numpy"]
        assert "msgspec" not in described["distributions"]
        points, table = engine.step("points", {"raw": {"codec": "files", "path": "in/raw.csv", "name": "raw"}})
        assert points["output"]["rows"] == 41 * 41
        side, fitted = engine.step("side", {"points": points["output"]}, table)
        assert (side["output"]["codec"], side["figures"]["accuracy"] > 0.9) == ("pickle", True)
        both = {"side": side["output"], "points": points["output"]}
        outcome = engine.check("pipeline:good_enough", "side", both, fitted + table, at_least=0.9)
        assert outcome["passed"] is True
    asset = tmp_path / "side"
    asset.write_bytes(fitted)
    with server(tree, tmp_path / "s", {"side": (asset, "pickle")}, python=str(found.python)) as running:
        assert running.ask([{"a": 1, "b": 1}, {"a": -1, "b": -1}])[:2] == (200, [True, False])
        assert running.ask({"a": 1})[:2] == (
            422,
            {"error": "object missing required field `b`", "row": 0, "field": "b"},
        )
    with server(tree, tmp_path / "v", name="service:versions", python=str(found.python)) as running:
        assert running.ask({})[:2] == (200, PINS)
