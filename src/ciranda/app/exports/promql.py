"""PromQL over what `/metrics` tells: one expression for each question of a rule. Pure.

https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

from ciranda.app.views.metrics import BOUNDS
from ciranda.project.conditions import Condition

BY = "project, environment, service"
WEEK = "7d"
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def selector(**labels: str) -> str:
    """`{project="flights",environment="prod"}`; labels without a value are left out."""
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items() if value)
    return f"{{{told}}}" if told else ""


def window(seconds: float) -> str:
    """A length of time as PromQL has it: `5m`, `90s`, `6h`, `3d`."""
    whole = max(round(seconds), 1)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def rate(where: str, over: str, by: str = BY) -> str:
    """Answers a second."""
    return f"sum by ({by}) (rate(ciranda_requests_total{where}[{over}]))"


def errors(where: str, over: str, by: str = BY) -> str:
    """The share of answers that are 5xx; nothing where nobody asked."""
    failed = _with(where, code="5xx")
    return f"{rate(failed, over, by)} / ({rate(where, over, by)} > 0)"


def quantile(share: float, where: str, over: str, by: str = BY) -> str:
    """The time, in seconds, that a share of the answers stays below."""
    return f"histogram_quantile({share:g}, sum by ({by}, le) (rate(ciranda_request_duration_seconds_bucket{where}[{over}])))"


def slow(bound: float, where: str, over: str, by: str = BY) -> str:
    """The share of answers that take longer than a bound of the histogram."""
    le = _with(where, le=_number(bound))
    every = f"sum by ({by}) (rate(ciranda_request_duration_seconds_count{where}[{over}]))"
    return f"1 - sum by ({by}) (rate(ciranda_request_duration_seconds_bucket{le}[{over}])) / ({every} > 0)"


def nearest_bound(seconds: float) -> float:
    """The bound of the histogram that is nearest to a time, by ratio."""
    return min(BOUNDS, key=lambda bound: max(bound / seconds, seconds / bound))


def value(metric: str, where: str, over: str) -> str | None:
    """What a condition's metric is; None: Prometheus is not told of it."""
    match metric:
        case "rate":
            return rate(where, over)
        case "errors":
            return errors(where, over)
        case "p50" | "p90" | "p95" | "p99":
            return quantile(_QUANTILES[metric], where, over)
        case "healthy":
            wanted = f"sum by ({BY}) (ciranda_instances_wanted{where}) > 0"
            return f"sum by ({BY}) (ciranda_instances{_with(where, state='healthy')}) and {wanted}"
        case "failed_jobs":
            ended = "ciranda_job_last_end_timestamp_seconds"
            failed, passed = (f"{ended}{_with(where, state=state)}" for state in ("failed", "passed"))
            on = "on (project, environment, job, exported_job)"  # as the scrape keeps our label `job`, or gives it a new name
            return f"count by (project, environment) (({failed} > {on} {passed}) or ({failed} unless {on} {passed}))"
        case "late_jobs":
            return f"sum by (project, environment) (ciranda_job_late{where})"
        case "restarts":
            return f"sum by ({BY}) (increase(ciranda_instance_exits_total{where}[{over}]))"
        case "in_flight":
            return f"sum by ({BY}) (avg_over_time(ciranda_requests_in_flight{where}[{over}]))"
        case "cpu":
            return f"max by ({BY}) (rate(ciranda_instance_cpu_seconds_total{where}[{over}]))"
        case "memory":
            return f"max by ({BY}) (avg_over_time(ciranda_instance_memory_bytes{where}[{over}]))"
        case "disk":
            return "max (ciranda_disk_used_ratio)"
        case _:
            return None


def compared(told: str, condition: Condition, weekly: str = "") -> str:
    """The expression of an alert; `weekly` is the name of the record whose week it is compared with."""
    if condition.week:
        return f"({told}) {condition.how} {_number(condition.value)} * avg_over_time({weekly}[{WEEK}])"
    return f"({told}) {condition.how} {_number(condition.value)}"


def _with(where: str, **labels: str) -> str:
    """A selector that asks for more."""
    more = selector(**labels)
    return f"{where[:-1]},{more[1:]}" if where else more


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
