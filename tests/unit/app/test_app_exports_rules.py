"""Rules for Prometheus: promtool checks them, and lets them see traffic."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml as reader
from hypothesis import given
from hypothesis import strategies as st

from ciranda.app import home as homes
from ciranda.app.exports import exporting, promql, rules, scraping, yaml
from ciranda.app.views import metrics as views
from ciranda.app.views import sampled
from ciranda.kernel import errors
from support import declared
from support.docs import ROOT
from support.prometheus import needed

LABELS = 'project="flights",environment="prod",service="delays",release="r42"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `ciranda export prometheus --out` has written."""
    made = tmp_path_factory.mktemp("exported")
    (made / "ciranda.toml").write_text(declared.TOML)
    home = homes.Home(made / "home")
    found = exporting.prometheus(
        home, made, project=None, server=None, alertmanager="127.0.0.1:9093", token_file="", folder=made
    )
    for name, one in found.items():
        (made / name).write_text(one.text)
    return made


def _said(*argv: str | Path) -> str:
    done = subprocess.run([str(one) for one in argv], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_finds_nothing_wrong(folder: Path) -> None:
    promtool = needed("promtool")
    assert "SUCCESS" in _said(promtool, "check", "rules", "--lint=all", "--lint-fatal", folder / exporting.RULES)
    assert "SUCCESS" in _said(promtool, "check", "config", folder / exporting.SCRAPE)


def test_amtool_takes_the_configuration_of_the_alertmanager(folder: Path) -> None:
    assert "1 receivers" in _said(needed("amtool"), "check-config", folder / exporting.CALLS)


def test_what_prometheus_is_not_told_of_is_named(folder: Path) -> None:
    text = (folder / exporting.RULES).read_text()
    assert "# Ciranda alone watches flights: drift (drift over 24 h > 0)" in text
    assert "Drift" not in str(reader.safe_load(text))


def _alerts(folder: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for group in reader.safe_load((folder / exporting.RULES).read_text())["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                found.setdefault(rule["alert"], []).append(rule)
    return found


def test_each_alert_has_what_a_person_needs(folder: Path) -> None:
    found = _alerts(folder)
    assert "FlightsDown" not in found  # switched off
    on, web = found["FlightsErrors"]
    place = {"project": "flights", "environment": "prod", "service": "delays"}
    assert on["labels"] == {"rule": "errors", "severity": "page", "owner": "@ops", **place}
    assert web["labels"]["owner"] == "@data"  # a service without one is the project's
    assert on["annotations"]["runbook_url"] == "https://runbooks.example/errors"
    assert on["for"] == "2m"
    assert [one["labels"]["owner"] for one in found["FlightsBusy"]] == ["@night", "@night"]
    assert len(found["FlightsSlow"]) == 2  # in two environments
    assert {name for name in found if name.startswith("FlightsDelays")} == {
        f"FlightsDelays{kind}{window}" for kind in ("Errors", "Slow") for window in ("1h", "6h", "3d")
    }
    for name, alerts in found.items():
        for one in alerts:
            assert {"summary", "description"} <= one["annotations"].keys(), name
            assert one["labels"]["severity"] in ("page", "ticket", "info"), name


def test_every_metric_that_is_asked_for_is_told_or_recorded(folder: Path) -> None:
    """A rule over a name that nobody writes would never fire, and nobody would notice."""
    groups = reader.safe_load((folder / exporting.RULES).read_text())["groups"]
    every = [rule for group in groups for rule in group["rules"]]
    sources = (Path(module.__file__).read_text() for module in (views, sampled))
    told = {name for text in sources for name in re.findall(r'"(ciranda_\w+)"', text)} | {"up"}
    told |= {f"ciranda_request_duration_seconds_{suffix}" for suffix in ("bucket", "sum", "count")}
    told |= {rule["record"] for rule in every if "record" in rule}
    for rule in every:
        names = set(re.findall(r"\bciranda[_:][\w:]*", re.sub(r'"[^"]*"', "", rule["expr"])))
        assert names <= told, rule


@pytest.mark.parametrize(
    ("what", "series", "at", "alert", "labels"),
    [
        (
            "one in twenty answers is an error",
            {f'ciranda_requests_total{{{LABELS},code="2xx"}}': "0+95x60", f'ciranda_requests_total{{{LABELS},code="5xx"}}': "0+5x60"},
            "10m", "FlightsErrors", {"rule": "errors", "severity": "page", "owner": "@ops"},
        ),
        (
            "one in a hundred is not one in fifty",
            {f'ciranda_requests_total{{{LABELS},code="2xx"}}': "0+99x60", f'ciranda_requests_total{{{LABELS},code="5xx"}}': "0+1x60"},
            "10m", "FlightsErrors", None,
        ),
        (
            "nobody asks: no share of nothing",
            {f'ciranda_requests_total{{{LABELS},code="2xx"}}': "7+0x60", f'ciranda_requests_total{{{LABELS},code="5xx"}}': "1+0x60"},
            "10m", "FlightsErrors", None,
        ),
        (
            "three in a hundred for an hour use up an objective of 99.9 %",
            {f'ciranda_requests_total{{{LABELS},code="2xx"}}': "0+97x120", f'ciranda_requests_total{{{LABELS},code="5xx"}}': "0+3x120"},
            "1h30m", "FlightsDelaysErrors1h", {"rule": "delays", "severity": "page", "owner": "@ops"},
        ),
        (
            "one in twenty was slow for an hour, at 99 % an objective holds another day",
            {
                f'ciranda_request_duration_seconds_bucket{{{LABELS},le="0.262144"}}': "0+95x120",
                f"ciranda_request_duration_seconds_count{{{LABELS}}}": "0+100x120",
            },
            "1h30m", "FlightsDelaysSlow1h", None,
        ),
        (
            "one in five was slow",
            {
                f'ciranda_request_duration_seconds_bucket{{{LABELS},le="0.262144"}}': "0+80x120",
                f"ciranda_request_duration_seconds_count{{{LABELS}}}": "0+100x120",
            },
            "1h30m", "FlightsDelaysSlow1h", {"rule": "delays", "severity": "page", "owner": "@ops"},
        ),
        (
            "a job failed after it had passed",
            {
                'ciranda_job_last_end_timestamp_seconds{project="flights",environment="prod",job="nightly",state="failed"}': "200x10",
                'ciranda_job_last_end_timestamp_seconds{project="flights",environment="prod",job="nightly",state="passed"}': "100x10",
            },
            "5m", "FlightsJobFailed", {"rule": "job-failed", "severity": "ticket", "owner": "@data"},
        ),
        (
            "it passed since",
            {
                'ciranda_job_last_end_timestamp_seconds{project="flights",environment="prod",job="nightly",state="failed"}': "200x10",
                'ciranda_job_last_end_timestamp_seconds{project="flights",environment="prod",job="nightly",state="passed"}': "300x10",
            },
            "5m", "FlightsJobFailed", None,
        ),
        (
            "three exits within ten minutes",
            {f"ciranda_instance_exits_total{{{LABELS}}}": "0x5 1 2 3 3x10"},
            "10m", "FlightsRestarts", {"rule": "restarts", "severity": "ticket", "owner": "@ops"},
        ),
        (
            "one exit",
            {f"ciranda_instance_exits_total{{{LABELS}}}": "0x5 1x20"},
            "10m", "FlightsRestarts", None,
        ),
        (
            "one of two jobs is late",
            {
                'ciranda_job_late{project="flights",environment="prod",job="nightly"}': "0x10",
                'ciranda_job_late{project="flights",environment="prod",job="weekly"}': "1x10",
            },
            "5m", "FlightsJobLate", {"rule": "job-late", "severity": "ticket", "owner": "@data"},
        ),
        (
            "a disk that fills",
            {"ciranda_disk_used_ratio": "0.95x20"},
            "10m", "FlightsDisk", {"rule": "disk", "severity": "ticket", "owner": "@data"},
        ),
        (
            "a job failed, told by a scrape that gives our label another name, beside one that passed",
            {
                'ciranda_job_last_end_timestamp_seconds{project="flights",environment="prod",job="c",exported_job="a",state="failed"}':
                    "200x10",
                'ciranda_job_last_end_timestamp_seconds{project="flights",environment="prod",job="c",exported_job="a",state="passed"}':
                    "100x10",
                'ciranda_job_last_end_timestamp_seconds{project="flights",environment="prod",job="c",exported_job="b",state="passed"}':
                    "300x10",
            },
            "5m", "FlightsJobFailed", {"rule": "job-failed", "severity": "ticket", "owner": "@data"},
        ),
        (
            "the server is away", {'up{job="ciranda",instance="a"}': "0x10"},
            "5m", "CirandaDown", {"severity": "page", "instance": "a", "job": "ciranda"},
        ),
        ("nobody scrapes it", {}, "5m", "CirandaDown", {"severity": "page", "job": "ciranda"}),
    ],
)  # fmt: skip
def test_rules_see_what_happens(
    folder: Path, tmp_path: Path, what: str, series: dict[str, str], at: str, alert: str, labels: dict[str, str] | None
) -> None:
    """promtool's own tests of rules: what must fire does, with its labels, and what must not does not."""
    place = {"project": "flights", "environment": "prod"}
    if labels is not None and alert.startswith("Flights"):
        labels = {**labels, **place} | ({} if "Job" in alert or "Disk" in alert else {"service": "delays"})
    expected = []
    if labels is not None:
        (rule,) = [one for one in _alerts(folder)[alert] if one["labels"].get("owner") == labels.get("owner")]
        expected = [{"exp_labels": labels, "exp_annotations": _told(folder, rule, what)}]
    test = {
        "rule_files": [str(folder / exporting.RULES)],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": expected}],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.text(test))
    assert "SUCCESS" in _said(needed("promtool"), "test", "rules", tmp_path / "test.yml")


def _told(_folder: Path, rule: dict[str, Any], what: str) -> dict[str, str]:
    """The annotations with their values in place of the templates."""
    shown = {
        "one in twenty answers is an error": "5%",
        "three in a hundred for an hour use up an objective of 99.9 %": "3%",
        "one in five was slow": "20%",
        "a job failed after it had passed": "1",
        "one of two jobs is late": "1",
        "a disk that fills": "95%",
        "three exits within ten minutes": "3",
        "a job failed, told by a scrape that gives our label another name, beside one that passed": "1",
    }.get(what, "")
    return {name: re.sub(r"\{\{ \$value.*?\}\}", shown, text) for name, text in rule["annotations"].items()}


def test_a_project_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    home = homes.Home(tmp_path / "home")
    with pytest.raises(errors.NotFound, match="there is no project flights"):
        exporting.declared(home, tmp_path, "flights")
    assert exporting.declared(home, tmp_path, None) == []
    assert exporting.address(home) == exporting.SERVER


@pytest.mark.parametrize(
    ("seconds", "expected"), [(300, "5m"), (90, "90s"), (3600, "1h"), (259_200, "3d"), (5_400, "90m"), (0.2, "1s")]
)
def test_windows(seconds: float, expected: str) -> None:
    assert promql.window(seconds) == expected


@given(st.text())
def test_any_name_is_one_string_of_a_selector(name: str) -> None:
    found = promql.selector(project=name)
    told = re.fullmatch(r'\{project="((?:[^"\\\n]|\\.)*)"\}', found)
    assert (told is None) == (name == "")
    if told is not None:
        assert re.sub(r"\\(.)", lambda one: {"n": "\n"}.get(one[1], one[1]), told[1]) == name


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True),
        st.recursive(
            st.text() | st.integers(-1000, 1000) | st.booleans(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.from_regex(r"k[a-z]{1,8}", fullmatch=True), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_yaml_is_read_as_it_was_meant(value: dict[str, Any]) -> None:
    assert reader.safe_load(yaml.text(_plain(value))) == _plain(value)


def _plain(value: Any) -> Any:
    """Without the characters that no YAML file may hold as they are."""
    if isinstance(value, str):
        return "".join(c for c in value if c.isprintable())
    if isinstance(value, dict):
        return {f"k-{key}": _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def test_the_targets_are_those_of_http_service_discovery() -> None:
    assert scraping.targets("127.0.0.1:7700") == [
        {"targets": ["127.0.0.1:7700"], "labels": {"__metrics_path__": "/metrics"}}
    ]


def test_ci_installs_what_these_tests_need() -> None:
    assert "prometheus-alertmanager" in (ROOT / ".ci" / "run").read_text()
    assert rules.JOB == "ciranda"
