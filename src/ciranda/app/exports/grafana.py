"""Dashboards for Grafana over what `/metrics` tells: services by release, and the loop itself. Pure.

The schema is that of Grafana 10 (dashboard schema version 36); the data source is asked for when a dashboard is imported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ciranda.app.exports import promql

SCHEMA = 36
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WHERE = '{project=~"$project",environment=~"$environment",service=~"$service"}'
_PLACE = '{project=~"$project",environment=~"$environment"}'
_BY_RELEASE = "project, environment, service, release"
_NAMED = "{{service}} {{release}} {{environment}}"
_OVER = "$__rate_interval"
_WIDE = 24  # columns of Grafana's grid


@dataclass(frozen=True, slots=True)
class _Query:
    """A question, and what its lines are called; `instant`: of now alone."""

    expr: str
    legend: str
    instant: bool = False


@dataclass(frozen=True, slots=True)
class _Panel:
    """A picture. `kind`: stat, timeseries, table; `steps`: from which value on it is yellow, and red."""

    kind: str
    title: str
    says: str
    queries: Sequence[_Query]
    unit: str
    width: int
    steps: tuple[float, float] | None = None
    stacked: bool = False


def dashboards() -> dict[str, dict[str, Any]]:
    """File name → dashboard."""
    return {
        "ciranda-services.json": _dashboard(
            "ciranda-services", "Ciranda: services", _services(), ("project", "environment", "service")
        ),
        "ciranda-loop.json": _dashboard("ciranda-loop", "Ciranda: the loop", _loop(), ("project", "environment")),
    }


def _services() -> list[_Panel]:
    rate = promql.rate(_WHERE, _OVER, _BY_RELEASE)
    failed = promql.errors(_WHERE, _OVER, _BY_RELEASE)
    healthy = f'sum(ciranda_instances{_WHERE[:-1]},state="healthy"}})'
    every = f"sum(rate(ciranda_requests_total{_WHERE}[{_OVER}]))"
    bad = f'sum(rate(ciranda_requests_total{_WHERE[:-1]},code="5xx"}}[{_OVER}]))'
    buckets = f"sum by (le) (rate(ciranda_request_duration_seconds_bucket{_WHERE}[{_OVER}]))"
    unanswered = f"sum by ({_BY_RELEASE}) (rate(ciranda_unanswered_total{_WHERE}[{_OVER}]))"
    return [
        _Panel("stat", "Requests", "Answers a second.", [_Query(every, "")], "reqps", 6),
        _Panel("stat", "Errors", "Share of answers that are 5xx.", [_Query(f"{bad} / ({every} > 0)", "")], "percentunit", 6, (0.01, 0.05)),
        _Panel("stat", "p99", "99 of 100 answers take less.", [_Query(f"histogram_quantile(0.99, {buckets})", "")], "s", 6),
        _Panel(
            "stat", "Healthy instances", "Those that answer, beside those that should.",
            [_Query(healthy, "healthy"), _Query(f"sum(ciranda_instances_wanted{_WHERE})", "wanted")], "none", 6,
        ),
        _Panel("timeseries", "Requests by release", "Answers a second.", [_Query(rate, _NAMED)], "reqps", 12),
        _Panel("timeseries", "Errors by release", "Share of answers that are 5xx.", [_Query(failed, _NAMED)], "percentunit", 12),
        _Panel(
            "timeseries", "Time to answer by release", "As the gateway measures it, to the end of the answer.",
            [_Query(promql.quantile(share, _WHERE, _OVER, _BY_RELEASE), f"p{share * 100:g} {_NAMED}") for share in (0.5, 0.99)],
            "s", 12,
        ),
        _Panel(
            "timeseries", "Answers by class", "2xx, 4xx, 5xx …",
            [_Query(f"sum by (code) (rate(ciranda_requests_total{_WHERE}[{_OVER}]))", "{{code}}")], "reqps", 12, None, True,
        ),
        _Panel(
            "timeseries", "Instances by state", "",
            [_Query(f"sum by (service, release, state) (ciranda_instances{_WHERE})", "{{service}} {{release}} {{state}}")],
            "none", 12,
        ),
        _Panel("timeseries", "Unanswered", "Refused and lost connections, time-outs.", [_Query(unanswered, _NAMED)], "reqps", 12),
        _Panel(
            "table", "What is live", "Each service with its release, its form and whom to call.",
            [_Query(f"ciranda_service_info{_WHERE}", "", instant=True)], "none", _WIDE,
        ),
    ]  # fmt: skip


def _loop() -> list[_Panel]:
    changed = 'sum(increase(ciranda_changes_total{project=~"$project",outcome="%s"}[1d]))'
    ended = f'ciranda_job_last_end_timestamp_seconds{_PLACE[:-1]},state="passed"}}'
    revised = f"sum by (environment, state) (increase(ciranda_revisions_total{_PLACE}[1h]))"
    tasks = 'sum by (kind, state) (ciranda_tasks{state=~"waiting|claimed"})'
    waiting = 'sum(ciranda_changes_waiting{project=~"$project"})'
    held = f"sum(ciranda_environment_held{_PLACE})"
    memory = "ciranda_process_resident_memory_bytes"
    return [
        _Panel("stat", "Merged in a day", "Changes whose gate passed.", [_Query(changed % "merged", "")], "none", 6),
        _Panel("stat", "Refused in a day", "Changes whose gate did not.", [_Query(changed % "refused", "")], "none", 6),
        _Panel("stat", "Waiting", "Changes whose gate has not decided.", [_Query(waiting, "")], "none", 6),
        _Panel("stat", "Held", "Environments that no new release enters.", [_Query(held, "")], "none", 6, (1, 100)),
        _Panel(
            "timeseries", "Revisions", "How releases ended in their environments, by hour.",
            [_Query(revised, "{{environment}} {{state}}")], "none", 12,
        ),
        _Panel("timeseries", "Tasks", "What the runner has to do.", [_Query(tasks, "{{kind}} {{state}}")], "none", 12),
        _Panel("timeseries", "Since a job passed", "", [_Query(f"time() - {ended}", "{{job}} {{environment}}")], "s", 12),
        _Panel("timeseries", "Memory of Ciranda", "", [_Query(memory, "{{process}}")], "bytes", 12),
    ]  # fmt: skip


def _dashboard(uid: str, title: str, panels: Sequence[_Panel], variables: Sequence[str]) -> dict[str, Any]:
    changed = (
        'changes(ciranda_revisions_total{project=~"$project",environment=~"$environment",state="reached"}[1m]) > 0'
    )
    return {
        "uid": uid,
        "title": title,
        "tags": ["ciranda"],
        "style": "dark",
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": SCHEMA,
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [_source(), *(_variable(name, variables[:place]) for place, name in enumerate(variables))]
        },
        "annotations": {
            "list": [
                {
                    "name": "Releases",
                    "datasource": _SOURCE,
                    "enable": True,
                    "iconColor": "blue",
                    "expr": changed,
                }
            ]
        },
        "panels": _placed(panels),
    }


def _source() -> dict[str, Any]:
    return {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "hide": 0}


def _variable(name: str, before: Sequence[str]) -> dict[str, Any]:
    """A choice of the values of a label, among what was chosen before."""
    where = ",".join(f'{label}=~"${label}"' for label in before)
    metric = "ciranda_service_info" if name == "service" else "ciranda_environment_held"
    return {
        "type": "query",
        "name": name,
        "label": name.capitalize(),
        "datasource": _SOURCE,
        "query": f"label_values({metric}{{{where}}}, {name})" if where else f"label_values({metric}, {name})",
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
    }


def _placed(panels: Sequence[_Panel]) -> list[dict[str, Any]]:
    """The panels in rows, from left to right."""
    found = []
    x = y = tallest = 0
    for number, panel in enumerate(panels, 1):
        height = 4 if panel.kind == "stat" else 8
        if x + panel.width > _WIDE:
            x, y, tallest = 0, y + tallest, 0
        found.append(_drawn(panel, number, {"h": height, "w": panel.width, "x": x, "y": y}))
        x, tallest = x + panel.width, max(tallest, height)
    return found


def _drawn(panel: _Panel, number: int, place: Mapping[str, int]) -> dict[str, Any]:
    targets = []
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        target = {
            "refId": letter,
            "datasource": _SOURCE,
            "expr": query.expr,
            "instant": query.instant,
            "range": not query.instant,
        }
        if query.legend:
            target["legendFormat"] = query.legend
        targets.append(target | ({"format": "table"} if panel.kind == "table" else {}))  # fmt: skip
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": dict(place),
        "targets": targets,
        "transformations": _TABLE if panel.kind == "table" else [],
        "options": _OPTIONS[panel.kind],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
    }


def _field(panel: _Panel) -> dict[str, Any]:
    found: dict[str, Any] = {"unit": panel.unit, "noValue": "no data"}
    if panel.kind == "timeseries":
        found["min"] = 0
        found["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 20 if panel.stacked else 5,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        }
    if panel.steps is not None:
        yellow, red = panel.steps
        colours = ((None, "green"), (yellow, "yellow"), (red, "red"))
        found["thresholds"] = {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in colours],
        }
        found["color"] = {"mode": "thresholds"}
    return found


_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "stat": {
        "graphMode": "area",
        "colorMode": "value",
        "justifyMode": "auto",
        "textMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
    },
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "table": {"showHeader": True, "frameIndex": 0},
}
_HIDDEN = dict.fromkeys(("Time", "Value", "__name__", "instance", "job"), True)
_TABLE: list[Mapping[str, Any]] = [{"id": "organize", "options": {"excludeByName": _HIDDEN}}]
