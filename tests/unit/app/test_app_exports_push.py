"""What is pushed, as those who read it take it: opentelemetry-proto decodes it, Datadog's client writes the same bytes."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from datadog.dogstatsd import DogStatsd
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from ciranda.app import metrics
from ciranda.app.exports import dogstatsd, otlp, points, protobuf
from ciranda.app.metrics import Family

WHERE = {"project": "flights", "environment": "prod", "service": "delays", "release": "r42"}
LABELS = tuple(WHERE.items())


def _families(requests: int = 3, counts: tuple[int, int, int] = (2, 1, 0)) -> list[Family]:
    return [
        metrics.family("ciranda_requests_total", "counter", "Requests.", [({**WHERE, "code": "2xx"}, requests)]),
        metrics.family("ciranda_instances", "gauge", "Instances.", [({**WHERE, "state": "healthy"}, 2)]),
        metrics.family("ciranda_process_resident_memory_bytes", "gauge", "Memory.", [({"process": "control"}, 9.5e7)]),
        Family(
            "ciranda_request_duration_seconds",
            "histogram",
            "Time.",
            tuple(metrics.histogram(WHERE, (0.001, 0.002), counts, 0.004)),
        ),
        metrics.family("ciranda_tasks", "gauge", "Nothing yet.", []),
    ]


def test_names_units_and_histograms() -> None:
    found = {one.name: one for one in points.of(_families())}
    assert list(found) == [
        "ciranda.requests", "ciranda.instances", "ciranda.process_resident_memory", "ciranda.request_duration",
    ]  # fmt: skip
    assert [one.unit for one in found.values()] == ["1", "", "By", "s"]
    (point,) = found["ciranda.request_duration"].points
    assert point == points.Point(LABELS, points.Histogram((0.001, 0.002), (2, 1, 0), 0.004))


def test_a_request_is_what_a_collector_decodes() -> None:
    told = points.of(_families())
    starts = otlp.Starts()
    first, second = 1_764_000_000_000_000, 1_764_000_015_000_000
    starts.of(told, first)
    data = otlp.request(
        told, starts.of(told, second), second, resource={"service.name": "ciranda", "host.name": "h"}, version="1"
    )
    decoded = ExportMetricsServiceRequest.FromString(data)
    assert decoded.SerializeToString(deterministic=True) == data  # nothing unknown, nothing out of order
    (resource,) = decoded.resource_metrics
    assert {one.key: one.value.string_value for one in resource.resource.attributes} == {
        "service.name": "ciranda", "host.name": "h",
    }  # fmt: skip
    (scope,) = resource.scope_metrics
    assert (scope.scope.name, scope.scope.version) == ("ciranda", "1")
    requests, instances, memory, duration = scope.metrics
    assert (requests.name, requests.description, requests.unit) == ("ciranda.requests", "Requests.", "1")
    assert requests.sum.is_monotonic
    assert requests.sum.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    (point,) = requests.sum.data_points
    assert (point.as_double, point.start_time_unix_nano, point.time_unix_nano) == (3.0, first * 1000, second * 1000)
    assert {one.key: one.value.string_value for one in point.attributes} == {**WHERE, "code": "2xx"}
    assert [one.as_double for one in instances.gauge.data_points] == [2.0]
    assert memory.unit == "By"
    (times,) = duration.histogram.data_points
    assert (times.count, times.sum, list(times.bucket_counts)) == (3, 0.004, [2, 1, 0])
    assert list(times.explicit_bounds) == [0.001, 0.002]
    assert duration.histogram.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


def test_a_series_starts_where_it_was_first_seen_or_at_the_look_before() -> None:
    starts = otlp.Starts()
    one, two = points.of(_families()), points.of([])
    assert set(starts.of(two, 10).values()) == set()
    known = starts.of(one, 20)
    assert known[("ciranda.request_duration", LABELS)] == 10  # it was not there at 10
    assert ("ciranda.instances", LABELS) not in known
    assert starts.of(one, 30) == known
    starts.of(two, 40)
    assert set(starts.of(one, 50).values()) == {40}  # it went, and began again
    assert set(otlp.Starts().of(one, 60).values()) == {60}  # what was before is not known


def test_what_a_collector_did_not_take_is_read() -> None:
    partial = ExportMetricsServiceResponse()
    assert otlp.rejected(partial.SerializeToString()) == (0, "")
    partial.partial_success.rejected_data_points = 300
    partial.partial_success.error_message = "too many labels"
    assert otlp.rejected(partial.SerializeToString()) == (300, "too many labels")
    assert otlp.rejected(b"<html>ok</html>") == (0, "")


@given(st.binary())
def test_no_answer_breaks_it(body: bytes) -> None:
    otlp.rejected(body)


@given(st.integers(0, (1 << 64) - 1))
def test_numbers_of_any_size(value: int) -> None:
    assert list(protobuf.fields(protobuf.number(7, value))) == [(7, value)]


@contextmanager
def _vendor(sent: list[str]) -> Iterator[DogStatsd]:
    """Datadog's own client, and what arrives of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        agent.settimeout(20)
        client = DogStatsd("127.0.0.1", agent.getsockname()[1], disable_telemetry=True, disable_buffering=True)
        yield client
        client.gauge("the.end", 0)
        while not (data := agent.recv(1 << 16)).startswith(b"the.end"):
            sent += data.decode().rstrip("\n").split("\n")
        client.close_socket()


def test_lines_are_those_of_the_vendors_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datadog.dogstatsd.base.random", lambda: 0.0)  # it tells each of what it samples
    tags = [f"{key}:{value}" for key, value in WHERE.items()]
    told = points.of(_families(10, (5, 1, 4)))
    before = dogstatsd.seen(points.of(_families(3, (3, 0, 3))))
    expected: list[str] = []
    with _vendor(expected) as client:
        client.increment("ciranda.requests", 7, tags=[*tags, "code:2xx", "team:data"])
        client.gauge("ciranda.instances", 2, tags=[*tags, "state:healthy", "team:data"])
        client.gauge("ciranda.process_resident_memory", 95_000_000, tags=["process:control", "team:data"])
        client.distribution("ciranda.request_duration", 0.001, sample_rate=1 / 2, tags=[*tags, "team:data"])
        client.distribution("ciranda.request_duration", 0.002, tags=[*tags, "team:data"])
        client.distribution("ciranda.request_duration", 0.002, tags=[*tags, "team:data"])
    assert list(dogstatsd.lines(told, before, ["team:data"])) == expected


def test_of_counters_only_what_they_grew_is_told() -> None:
    told = points.of(_families())
    assert [line.split("|")[1] for line in dogstatsd.lines(told, None)] == ["g", "g"]  # nothing is known of before
    assert not [line for line in dogstatsd.lines(told, dogstatsd.seen(told)) if "|g" not in line]
    again = dogstatsd.lines(told, dogstatsd.seen(points.of(_families(9, (9, 9, 9)))))
    assert "ciranda.requests:3|c" in "".join(again)  # it began again
    new = "\n".join(dogstatsd.lines(told, {}))
    assert "ciranda.requests:3|c|#project:flights" in new
    assert "ciranda.request_duration:0.001|d|@0.5|#" in new


def test_what_no_tag_may_hold_is_replaced() -> None:
    family = metrics.family("ciranda_service_info", "gauge", "", [({"owner": "a,b|c#d\n@data", "form": "über"}, 1)])
    assert list(dogstatsd.lines(points.of([family]), None)) == [
        "ciranda.service_info:1|g|#owner:a_b_c_d_@data,form:_ber"
    ]


@given(st.lists(st.text("abc", min_size=1, max_size=40), max_size=60), st.integers(40, 200))
def test_datagrams_hold_whole_lines(lines: list[str], size: int) -> None:
    found = list(dogstatsd.datagrams(lines, size))
    assert [line for data in found for line in data.decode().split("\n")] == lines
    assert all(len(data) <= size for data in found)
