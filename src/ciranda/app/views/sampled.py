"""What control samples by the clock of instances and of the disk, as it is told to a scrape: as it was at the last look."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ciranda.app import metrics
from ciranda.app.metrics import Family
from ciranda.monitor.series.samples import Sample

WHERE = ("project", "environment", "service", "release")
INSTANCE = "instance_id"  # `instance` is the name that Prometheus gives to who is scraped


@dataclass(frozen=True, slots=True)
class _Told:
    sampled: str
    name: str
    kind: Literal["counter", "gauge"]
    help: str


_TOLD = (
    _Told("in_flight", "ciranda_requests_in_flight", "gauge", "Requests that an instance is answering."),
    _Told("cpu_seconds", "ciranda_instance_cpu_seconds_total", "counter", "Time of the processor that an instance has used."),
    _Told("memory_bytes", "ciranda_instance_memory_bytes", "gauge", "Memory of an instance with all of its processes."),
    _Told("restarts_total", "ciranda_instance_exits_total", "counter", "Instances that ended though nobody had asked them to."),
    _Told("disk", "ciranda_disk_used_ratio", "gauge", "Share of the disk of the home that is used."),
)  # fmt: skip


def families(samples: Iterable[Sample]) -> list[Family]:
    """The families of what was sampled at one look."""
    by_name: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for one in samples:
        by_name.setdefault(one.metric, []).append((_labels(one.labels), one.value))
    ended = by_name.setdefault("restarts_total", [])
    known = [labels for labels, _ in ended]
    # none so far is more than nothing being known: else the first exit of a release would be no growth
    ended += [(labels, 0) for labels, _ in by_name.get("instances_wanted", ()) if labels not in known]
    return [
        metrics.family(told.name, told.kind, told.help, _sorted(by_name[told.sampled]))
        for told in _TOLD
        if by_name.get(told.sampled)
    ]


def _labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    found = {name: labels[name] for name in WHERE if name in labels}
    return found | ({INSTANCE: labels["instance"]} if "instance" in labels else {})


def _sorted(values: Sequence[tuple[Mapping[str, str], float]]) -> list[tuple[Mapping[str, str], float]]:
    return sorted(values, key=lambda one: tuple(one[0].values()))
