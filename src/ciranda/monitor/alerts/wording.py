"""Values as people read them. Pure."""

from ciranda.project.conditions import Condition

_COMPARED = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}
NAMES = {
    "rate": "requests",
    "in_flight": "requests in hand",
    "cpu": "processors in use by an instance",
    "memory": "memory of an instance",
    "healthy": "healthy instances",
    "restarts": "crashes",
    "failed_jobs": "failed jobs",
    "late_jobs": "late jobs",
    "drift": "columns that drifted",
    "disk": "disk in use",
}


def said(metric: str, value: float) -> str:
    """A value with its unit."""
    if metric in ("errors", "disk"):
        return share(value)
    if metric.startswith("p") and metric[1:].isdigit():
        return took(value)
    if metric == "rate":
        return f"{value:.3g} /s"
    if metric == "cpu":
        return f"{value:.2g} cores"
    if metric == "memory":
        return f"{value / 1e6:,.0f} MB"
    return f"{value:.4g}"


def share(value: float) -> str:
    """A share in percent, with as many figures as it needs."""
    percent = value * 100
    return f"{percent:,.0f} %" if percent >= 100 else f"{percent:.3g} %"


def took(seconds: float) -> str:
    """How long something took: `8.1 ms`, `1.2 s`."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def span(seconds: float) -> str:
    """A length of time: `5 min`."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {'day' if unit == 'days' and seconds == size else unit}"
    return f"{seconds:g} s"


def sentence(condition: Condition, of: str, value: float, week: float | None) -> str:
    """What is so, and what was not to be: `errors of delays are 7.2 % (over 5 min), more than 5 %`."""
    name = NAMES.get(condition.metric, condition.metric)
    what = f"{name} of {of}" if of else name
    bound = said(condition.metric, condition.value)
    if condition.week and week is not None:
        bound = f"{condition.value:g} times its week, {said(condition.metric, week)}"
    return f"{what}: {said(condition.metric, value)} over {span(condition.over)}, {_COMPARED[condition.how]} {bound}"


def lasting(seconds: float) -> str:
    """How long something is ago, in its largest unit: `40 s`, `12 min`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
