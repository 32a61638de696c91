"""The sections `[alerts.NAME]` and `[objectives.NAME]`: what somebody is told of, and what a service promises."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from ciranda.kernel import errors
from ciranda.project import conditions, names
from ciranda.project.declaration import Alert, Environment, Objective, Service
from ciranda.project.reading import Table

T = TypeVar("T")
SEVERITIES = ("page", "ticket", "info")
DAY = 86_400.0
# What is watched though nobody declared it; a section of the same name changes it, or switches it off.
DEFAULTS = {
    one.name: one
    for one in (
        Alert("errors", "errors over 5 min > 5 %", 120.0, "page"),
        Alert("latency", "p99 over 15 min > 2 x week", 600.0, "ticket"),
        Alert("down", "healthy < 1", 60.0, "page"),
        Alert("restarts", "restarts over 10 min >= 3", 0.0, "ticket"),
        Alert("job-failed", "failed_jobs > 0", 0.0, "ticket"),
        Alert("job-late", "late_jobs > 0", 0.0, "ticket"),
        Alert("drift", "drift over 24 h > 0", 0.0, "ticket"),
        Alert("disk", "disk > 90 %", 300.0, "ticket"),
    )
}


def read(name: str, table: Table, services: Sequence[Service], environments: Sequence[Environment]) -> Alert:
    """One rule; what is wrong is noted in the table."""
    _name(name, table)
    known = DEFAULTS.get(name, Alert(name, ""))
    when = table.text("when", known.when)
    if "when" in table:
        _told(table, "when", lambda: conditions.parse(when), None)
    elif not when:
        table.wrong("", "has no when", f"write when = {conditions.EXAMPLE}")
    service = table.text("service")
    _known(table, "service", service and [service], [one.name for one in services], "service")
    places = table.texts("environments")
    _known(table, "environments", places, [place.name for place in environments], "environment")
    return Alert(
        name=name,
        when=when,
        hold=_time(table, "for", known.hold),
        severity=_severity(table, known.severity),
        service=service,
        environments=places,
        owner=table.text("owner"),
        runbook=_runbook(table),
        off=table.flag("off"),
        line=table.line,
    )


def objective(name: str, table: Table, services: Sequence[Service], environments: Sequence[Environment]) -> Objective:
    """One objective; what is wrong is noted in the table."""
    _name(name, table)
    service = table.text("service")
    _known(table, "service", service and [service], [one.name for one in services], "service")
    availability = _share(table, "availability", table.scalar("availability")) if "availability" in table else None
    share, below = None, None
    if "latency" in table:
        told = table.table("latency")
        if set(told) != {"p", "below"}:
            table.wrong("latency", "does not say p and below", 'write latency = { p = 0.99, below = "300 ms" }')
        else:
            share = _share(table, "latency", told["p"])
            below = _told(table, "latency", lambda: conditions.latency(str(told["below"])), None)
    if "availability" not in table and "latency" not in table:
        table.wrong("", "promises nothing", 'write availability = 0.999 or latency = { p = 0.99, below = "300 ms" }')
    window = _time(table, "window", 30 * DAY)
    if not DAY <= window <= 90 * DAY:
        table.wrong("window", "is not between a day and 90 days", 'write window = "30 days"')
    places = table.texts("environments")
    _known(table, "environments", places, [place.name for place in environments], "environment")
    return Objective(
        name=name,
        service=service,
        availability=availability,
        latency=share,
        below=below,
        window=window,
        environments=places,
        owner=table.text("owner"),
        runbook=_runbook(table),
        line=table.line,
    )


def _name(name: str, table: Table) -> None:
    if problem := names.problem(name):
        table.wrong("", f"has a wrong name: {problem}")


def _known(table: Table, key: str, said: Sequence[str], known: Sequence[str], what: str) -> None:
    for one in said:
        if one not in known:
            hint = names.suggestion(one, known) or f"known: {', '.join(known) or 'none'}"
            article = "an" if what[0] in "aeiou" else "a"
            table.wrong(key, f'names "{one}", which is not {article} {what}', hint, value=one)


def _severity(table: Table, known: str) -> str:
    found = table.text("severity", known)
    if found not in SEVERITIES:
        hint = names.suggestion(found, SEVERITIES) or f"known: {', '.join(SEVERITIES)}"
        table.wrong("severity", f'is "{found}", which is not a severity', hint)
        return known
    return found


def _runbook(table: Table) -> str:
    """An address of the web, or a path in the repository."""
    found = table.text("runbook")
    if re.search(r"[\s\x00-\x1f]", found) or (":" in found and not found.startswith(("https://", "http://"))):
        table.wrong("runbook", "is neither an address nor a path", 'write runbook = "docs/runbooks/errors.md"')
    return found


def _share(table: Table, key: str, value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1:
        return float(value)
    table.wrong(key, "is not a share between 0 and 1", "write 0.999 for 99.9 %")
    return None


def _time(table: Table, key: str, default: float) -> float:
    """Seconds: a number of them, or a text such as "5 min"."""
    if key not in table:
        return default
    value = table.scalar(key)
    if isinstance(value, str):
        return _told(table, key, lambda: conditions.seconds(value), default) or default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e8:
        table.wrong(key, "is not a length of time", 'write it like "5 min"')
        return default
    return float(value)


def _told(table: Table, key: str, understand: Callable[[], T], default: T | None) -> T | None:
    try:
        return understand()
    except errors.Invalid as error:
        table.wrong(key, f"is wrong: {error}", error.hint)
        return default
