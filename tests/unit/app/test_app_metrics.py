"""What Prometheus is told, read by Prometheus' own parser."""

import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import parser

from ciranda.app import metrics
from ciranda.app.views import metrics as views
from ciranda.app.views import sampled
from ciranda.environment import jobs
from ciranda.monitor.series.samples import Sample
from ciranda.release import manifest
from ciranda.service import counters

KEY = ("flights", "prod", "delays", "r42")
LABELS = dict(zip(("project", "environment", "service", "release"), KEY, strict=True))


def parsed(families: list[metrics.Family]) -> dict[str, list[Any]]:
    """Samples by name."""
    found: dict[str, list[Any]] = {}
    for family in parser.text_string_to_metric_families(metrics.render(families).decode()):
        assert family.documentation
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def counted(times: list[int], *, status: int = 200, missed: int = 0) -> counters.Counted:
    """What the gateway counts for answers that took so many microseconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counters"
        writing = counters.Counters(path)
        slot = writing.slot("/flights/prod/delays", "r42", ())
        for microseconds in times:
            writing.count(slot, status, microseconds)
        for _ in range(missed):
            writing.missed(slot)
        writing.close()
        return counters.read(path)["/flights/prod/delays", "r42"]


@given(st.lists(st.integers(0, 60_000_000)))
def test_buckets_are_exact_and_end_in_the_count(times: list[int]) -> None:
    told = parsed(views.traffic({KEY: counted(times)}))
    buckets = told["ciranda_request_duration_seconds_bucket"]
    for sample in buckets:
        bound = float(sample.labels["le"])
        assert sample.value == sum(1 for time in times if time < bound * 1e6)
        assert {name: value for name, value in sample.labels.items() if name != "le"} == LABELS
    assert [float(sample.labels["le"]) for sample in buckets] == [*views.BOUNDS, math.inf]
    assert told["ciranda_request_duration_seconds_count"][0].value == len(times)
    assert told["ciranda_request_duration_seconds_sum"][0].value == pytest.approx(sum(times) / 1e6)


def test_requests_are_told_by_their_class_and_what_was_not_answered_apart() -> None:
    told = parsed(views.traffic({KEY: counted([1000, 2000], status=503, missed=3)}))
    codes = {sample.labels["code"]: sample.value for sample in told["ciranda_requests_total"]}
    assert codes == {"1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 2}
    assert told["ciranda_unanswered_total"][0].value == 3


def test_the_bounds_are_the_gateway_s() -> None:
    assert set(views.BOUNDS_US) <= set(counters.BOUNDS_US)
    assert len(views.BOUNDS_US) == 17


@given(
    st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,7}", fullmatch=True), st.text(), min_size=1, max_size=3), st.text()
)
def test_labels_and_help_come_back_as_they_are(labels: dict[str, str], help: str) -> None:
    readable = {name: value.encode("utf-8", "replace").decode() for name, value in labels.items()}
    help = " ".join(help.encode("ascii", "ignore").decode().split()) or "x"
    page = metrics.render([metrics.family("a_gauge", "gauge", help, [(labels, 1.5)])]).decode()
    assert page.count("\n") == 3
    (family,) = list(parser.text_string_to_metric_families(page))
    assert family.samples[0].labels == readable
    assert family.samples[0].value == 1.5


def test_instances_environments_and_what_is_delivered() -> None:
    service = manifest.Service("app", "shop:app", (), 2, "/", 30.0, 60.0, owner="@data")
    place = views.Environment(
        "flights", "prod", True, "r42", {"delays": 2}, {"delays": service}, frozenset(), {"reached": 3, "target": 1}
    )
    told = parsed(
        [
            *views.running([place], {KEY: {"healthy": 1, "starting": 1}}),
            *views.delivered(
                [place],
                {
                    ("flights", "settled"): 2,
                    ("flights", "delivering"): 1,
                    ("flights", "refused"): 4,
                    ("flights", "judging"): 1,
                },
                {("judge", "claimed"): 1},
            ),
            *views.jobs([{**LABELS, "job": "nightly", "state": "passed", "runs": 2, "ended_us": 1_500_000}]),
            *views.processes({"control": 1 << 30}),
        ]
    )
    states = {sample.labels["state"]: sample.value for sample in told["ciranda_instances"]}
    assert states == {"starting": 1, "healthy": 1, "unhealthy": 0, "draining": 0}
    assert told["ciranda_instances_wanted"][0].value == 2
    assert told["ciranda_service_info"][0].labels == LABELS | {"form": "app", "owner": "@data"}
    assert told["ciranda_environment_held"][0].value == 1
    outcomes = {sample.labels["outcome"]: sample.value for sample in told["ciranda_changes_total"]}
    assert outcomes == {"merged": 3, "refused": 4}
    assert told["ciranda_changes_waiting"][0].value == 1
    assert [(one.labels["state"], one.value) for one in told["ciranda_revisions_total"]] == [("reached", 3)]
    assert told["ciranda_tasks"][0].labels == {"kind": "judge", "state": "claimed"}
    assert told["ciranda_job_last_end_timestamp_seconds"][0].value == 1.5
    assert told["ciranda_build_info"][0].value == 1
    assert "ciranda_process_resident_memory_bytes" not in told  # a process that has gone is no process of 0 bytes


def test_nothing_is_told_of_nothing() -> None:
    assert metrics.render([*views.traffic({}), *views.running([], {}), *views.jobs([])]) == b""


def test_what_was_sampled_of_instances_is_told_with_a_label_of_its_own() -> None:
    one = {**LABELS, "instance": "prod-delays-r42-ab"}
    told = parsed(
        sampled.families(
            [
                Sample("in_flight", one, 1, 3),
                Sample("cpu_seconds", one, 1, 1.5),
                Sample("memory_bytes", one, 1, 9e7),
                Sample("instances_wanted", LABELS, 1, 2),
                Sample("instances_wanted", {**LABELS, "service": "web"}, 1, 1),
                Sample("restarts_total", LABELS, 1, 4),
                Sample("disk", {}, 1, 0.25),
                Sample("requests", LABELS, 1, 10),
            ]
        )
    )
    assert set(told) == {
        "ciranda_requests_in_flight", "ciranda_instance_cpu_seconds_total", "ciranda_instance_memory_bytes",
        "ciranda_instance_exits_total", "ciranda_disk_used_ratio",
    }  # fmt: skip
    (memory,) = told["ciranda_instance_memory_bytes"]
    assert (memory.value, memory.labels) == (9e7, {**LABELS, "instance_id": "prod-delays-r42-ab"})
    exits = {sample.labels["service"]: sample.value for sample in told["ciranda_instance_exits_total"]}
    assert exits == {"delays": 4, "web": 0}
    assert sampled.families([]) == []


def test_jobs_that_are_late_are_told_beside_those_that_are_not() -> None:
    listed = [job("nightly", "07:00", 5), job("weekly", "07:00", None), job("whenever", None, None)]
    told = parsed(views.late([("flights", listed)]))
    assert {sample.labels["job"]: sample.value for sample in told["ciranda_job_late"]} == {"nightly": 1, "weekly": 0}


def job(name: str, ready_by: str | None, late_us: int | None) -> jobs.Listed:
    return jobs.Listed("prod", name, (), "", "0 5 * * *", ready_by, None, "", "", None, None, 0, late_us)
