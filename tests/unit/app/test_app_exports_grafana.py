"""Dashboards are what Grafana takes, and ask only for what there is."""

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ciranda.app.exports import exporting, grafana, yaml
from ciranda.app.views import metrics as views
from support.grafana import problems
from support.prometheus import needed

DASHBOARDS = grafana.dashboards()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafana_takes_each(name: str) -> None:
    assert problems(DASHBOARDS[name]) == []


def _wrong(change: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(DASHBOARDS["ciranda-loop.json"])
    made["panels"][4] |= change
    return made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"titel": "x"}, "titel is not known"),
        ({"title": 5}, "title is 5, no str"),
        ({"gridPos": {"h": "8", "w": 12, "x": 0, "y": 0}}, "h is '8', no int"),
        ({"options": {"legend": {"displayMode": "lots"}}}, "is 'lots', none of"),
        ({"targets": [{"refId": "A", "expr": 5}]}, "expr is 5, no str"),
        ({"targets": [{"refId": "A", "query": "up"}]}, "query is not known"),
        ({"fieldConfig": {"defaults": {"min": "0"}, "overrides": []}}, "min_val is '0', no number"),
        ({"fieldConfig": {"defaults": {"custom": {"drawStyle": "crayon"}}, "overrides": []}}, "'crayon', none of"),
    ],
)
def test_what_grafana_would_not_take_is_found(change: dict[str, Any], said: str) -> None:
    """Else the check above would say nothing."""
    assert any(said in one for one in problems(_wrong(change)))


def _expressions() -> list[str]:
    found = [target["expr"] for one in DASHBOARDS.values() for panel in one["panels"] for target in panel["targets"]]
    return found + [note["expr"] for one in DASHBOARDS.values() for note in one["annotations"]["list"]]


def test_they_ask_for_metrics_that_there_are() -> None:
    told = set(re.findall(r'"(ciranda_\w+)"', Path(views.__file__).read_text()))
    told |= {f"ciranda_request_duration_seconds_{suffix}" for suffix in ("bucket", "sum", "count")}
    asked = [*_expressions(), *(one["query"] for each in DASHBOARDS.values() for one in each["templating"]["list"])]
    names = {name for text in asked for name in re.findall(r"\bciranda_\w+", text)}
    assert names
    assert names <= told


def test_promtool_understands_each_question(tmp_path: Path) -> None:
    rules = [
        {"record": f"question:{number}", "expr": text.replace("$__rate_interval", "5m")}
        for number, text in enumerate(_expressions())
    ]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.text({"groups": [{"name": "questions", "rules": rules}]}))
    done = subprocess.run(
        [needed("promtool"), "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_lie_beside_one_another() -> None:
    for one in DASHBOARDS.values():
        taken: set[tuple[int, int]] = set()
        for panel in one["panels"]:
            at = panel["gridPos"]
            mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not mine & taken
            assert max(x for x, _ in mine) < 24
            taken |= mine
        assert len({panel["id"] for panel in one["panels"]}) == len(one["panels"])


def test_the_files_are_the_dashboards() -> None:
    assert {name: json.loads(one.text) for name, one in exporting.grafana().items()} == DASHBOARDS
