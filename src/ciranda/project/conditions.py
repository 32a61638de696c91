"""What an alert waits for, as a team writes it: `errors over 5 min > 5 %`. Pure.

METRIC [over TIME] COMPARISON NUMBER [UNIT]        p99 > 300 ms      healthy < 1      memory > 2 GB
METRIC [over TIME] > NUMBER x week                 p99 > 2 x week: twice what it was in the seven days before
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ciranda.kernel import errors
from ciranda.project import names

EXAMPLE = '"errors > 5 %"'
_TIME = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "day": 86_400.0, "days": 86_400.0}
_SHARE, _PLAIN = {"%": 0.01}, {"": 1.0}
_LATENCY = {"ms": 1e-3, "s": 1.0, "us": 1e-6, "µs": 1e-6}
_BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1024.0, "MiB": 1048576.0, "GiB": 1073741824.0}
# What can be asked: the units that its value may have, each with what it is in the base unit (share, seconds, bytes, a second).
METRICS: dict[str, Mapping[str, float]] = {
    "rate": {"/s": 1.0, "/min": 1 / 60},
    "errors": _SHARE,
    "p50": _LATENCY,
    "p90": _LATENCY,
    "p95": _LATENCY,
    "p99": _LATENCY,
    "in_flight": _PLAIN,
    "cpu": {"cores": 1.0, "": 1.0},
    "memory": _BYTES,
    "healthy": _PLAIN,
    "restarts": _PLAIN,
    "failed_jobs": _PLAIN,
    "late_jobs": _PLAIN,
    "drift": _PLAIN,
    "disk": _SHARE,
}
MODEL = "model."  # and the name of a figure that steps log: model.auc
_WEEKLY = ("rate", "errors", "p50", "p90", "p95", "p99", "cpu", "memory", "in_flight")
_COMPARED = (">=", "<=", ">", "<")
_FORM = re.compile(
    r"\s*(?P<metric>[a-z][\w.]*)\s*(?:over\s+(?P<over>[\d.]+\s*[a-z]+)\s*)?(?P<how>>=|<=|>|<)\s*"
    r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>x\s+week|[^\s\d]*)\s*\Z"
)
OVER = 300.0  # seconds, where a condition does not say


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison. `value` is in the metric's base unit, or times its own week where `week`; `over` is in seconds."""

    metric: str
    how: str  # > >= < <=
    value: float
    over: float = OVER
    week: bool = False

    def met(self, value: float, week: float | None = None) -> bool | None:
        """Whether it holds of a value; None: its week is needed and not known."""
        bound = self.value
        if self.week:
            if week is None:
                return None
            bound *= week
        match self.how:
            case ">":
                return value > bound
            case ">=":
                return value >= bound
            case "<":
                return value < bound
            case _:
                return value <= bound


def parse(text: str) -> Condition:
    """The condition that a text says. Raises errors.Invalid with what is wrong."""
    found = _FORM.match(text)
    if found is None:
        raise errors.Invalid(
            f'"{text}" is not a condition', hint=f"write a metric, a comparison and a value: {EXAMPLE}"
        )
    metric, unit = found["metric"], " ".join(found["unit"].split())
    units = _PLAIN if metric.startswith(MODEL) and len(metric) > len(MODEL) else METRICS.get(metric)
    if units is None:
        hint = names.suggestion(metric, METRICS) or f"known: {', '.join(METRICS)}, {MODEL}FIGURE"
        raise errors.Invalid(f'"{metric}" is not a metric', hint=hint)
    over = seconds(found["over"]) if found["over"] else OVER
    value = float(found["value"])
    if unit == "x week":
        if metric not in _WEEKLY:
            raise errors.Invalid(f"{metric} has no week to compare with", hint=f"these have: {', '.join(_WEEKLY)}")
        return Condition(metric, found["how"], value, over, week=True)
    if unit not in units:
        known = ", ".join(unit or "none" for unit in units)
        raise errors.Invalid(
            f'"{unit}" is not a unit of {metric}' if unit else f"{metric} needs a unit", hint=f"known: {known}"
        )
    return Condition(metric, found["how"], value * units[unit], over)


def seconds(text: str) -> float:
    """A length of time: `90 s`, `5 min`, `2 h`, `30 days`. Raises errors.Invalid."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", text)
    if found is None or found[2] not in _TIME or not float(found[1]):
        raise errors.Invalid(
            f'"{text}" is not a length of time', hint='write it like "90 s", "5 min", "2 h", "30 days"'
        )
    return float(found[1]) * _TIME[found[2]]


def latency(text: str) -> float:
    """A time that an answer may take, in seconds: `300 ms`. Raises errors.Invalid."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(\S+)\s*", text)
    if found is None or found[2] not in _LATENCY or not float(found[1]):
        raise errors.Invalid(f'"{text}" is not a time that an answer takes', hint='write it like "300 ms" or "1.5 s"')
    return float(found[1]) * _LATENCY[found[2]]
