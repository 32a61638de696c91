"""DORA's four figures of an environment, of what the ledger knows of it. Pure. docs/delivery.md says what is counted.

After Forsgren, Humble and Kim, "Accelerate" (2018): deployment frequency, lead time, change failure rate, time to restore. A change here
is a release that enters, and also data that should have entered: bad data and worse models count as failed changes.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

DAY = 86_400_000_000  # µs


@dataclass(frozen=True, slots=True)
class Entry:
    """A revision of the environment. `recorded_us`: when the change that its release came of reached the server."""

    number: int
    release: str
    cause: str
    state: str  # target, reached, failed, superseded
    created_us: int
    routed_us: int | None
    ended_us: int | None
    recorded_us: int | None
    services: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An incident in the environment."""

    number: int
    started_us: int
    resolved_us: int | None
    service: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Data or a model that was on its way in and was kept out. `restored_us`: when what was missing came after all."""

    kind: Literal["data", "job", "worse"]  # a change of new data; a run of a job; a release worse than what is live
    name: str
    at_us: int
    reason: str = ""
    restored_us: int | None = None


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of an environment: every revision in the order of its number, incidents, what was kept out."""

    entries: Sequence[Entry] = ()
    troubles: Sequence[Trouble] = ()
    refused: Sequence[Refused] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """Of several times (µs): the median, what nine of ten do not exceed, and how many there are."""

    median_us: int
    p90_us: int
    count: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A change that failed: how (`failed`, `rolled back`, `incident`, `data`, `job`, `worse`), what, when (µs UTC)."""

    how: str
    what: str
    at_us: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """The four figures of a window. None: nothing is known, which is not zero."""

    since_us: int
    until_us: int
    deployments: int | None
    per_week: float | None
    lead: Spread | None
    changes: int
    failures: tuple[Failure, ...]
    rate: float | None  # failures of changes
    restore: Spread | None
    open: int  # what is wrong and not restored yet


@dataclass(frozen=True, slots=True)
class _Live:
    """A deployment and the time in which it was what the environment ran; `left`: by which revision."""

    entry: Entry
    since_us: int
    until_us: float
    left: Entry | None
    first: bool  # of its release


def measure(history: History, since_us: int, until_us: int, service: str = "") -> Figures:
    """The figures of one window, from `since_us` until before `until_us`; of one service's releases and incidents if named."""
    entries = [one for one in history.entries if not service or service in one.services]
    troubles = [one for one in history.troubles if not service or one.service in ("", service)]
    refused = [one for one in history.refused if not service]
    lives = _lives(entries)
    own = [live for live in lives if since_us <= live.since_us < until_us]
    begun_us = min((one.created_us for one in entries), default=None)
    deployments = len(own) if begun_us is not None and begun_us < until_us else None
    known_us = until_us - max(since_us, begun_us or 0)
    failures = (
        *_failed(entries, since_us, until_us),
        *(found for live in own if (found := _went_wrong(live, troubles)) is not None),
        *(Failure(one.kind, one.name, one.at_us, one.reason) for one in refused if since_us <= one.at_us < until_us),
    )
    attempts = sum(1 for one in failures if one.how == "failed") + sum(1 for one in failures if one.how in _REFUSED)
    changes = len(own) + attempts
    leads = [
        live.since_us - live.entry.recorded_us
        for live in own
        if live.first and live.entry.recorded_us is not None and live.since_us >= live.entry.recorded_us
    ]
    times = _restores(entries, lives, troubles, refused)
    return Figures(
        since_us=since_us,
        until_us=until_us,
        deployments=deployments,
        per_week=None if deployments is None else deployments * 7 * DAY / max(known_us, 7 * DAY),
        lead=spread(leads),
        changes=changes,
        failures=tuple(sorted(failures, key=lambda one: (one.at_us, one.what))),
        rate=len(failures) / changes if changes else None,
        restore=spread([end - begin for begin, end in times if end is not None and since_us <= end < until_us]),
        open=sum(1 for begin, end in times if begin < until_us and (end is None or end >= until_us)),
    )


_REFUSED = ("data", "job", "worse")


def spread(values: Iterable[int]) -> Spread | None:
    """Median (the mean of the two in the middle) and ninetieth percentile (nearest rank); None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    half, rest = divmod(len(ordered), 2)
    median = ordered[half] if rest else (ordered[half - 1] + ordered[half]) // 2
    return Spread(median, ordered[math.ceil(0.9 * len(ordered)) - 1], len(ordered))


@dataclass(frozen=True, slots=True)
class Trend:
    """How each figure moved against the window before: `better`, `worse`, `same`, or "" where one of both is not known."""

    frequency: str = ""
    lead: str = ""
    rate: str = ""
    restore: str = ""


def trend(now: Figures, before: Figures) -> Trend:
    """A tenth more or less is the same."""
    return Trend(
        frequency=_moved(before.per_week, now.per_week, more_is_better=True),
        lead=_moved(_median(before.lead), _median(now.lead)),
        rate=_moved(before.rate, now.rate),
        restore=_moved(_median(before.restore), _median(now.restore)),
    )


def _moved(before: float | None, now: float | None, *, more_is_better: bool = False) -> str:
    if before is None or now is None:
        return ""
    if abs(now - before) <= 0.1 * max(abs(now), abs(before)):
        return "same"
    return "better" if (now > before) == more_is_better else "worse"


def _median(found: Spread | None) -> float | None:
    return None if found is None else float(found.median_us)


def _lives(entries: Sequence[Entry]) -> list[_Live]:
    """Every deployment: a release that was reached by promotion where another one, or nothing, ran."""
    reached = [one for one in entries if one.state == "reached" and one.ended_us is not None]
    left: list[Entry | None] = [None] * len(reached)  # by which revision each one was left
    for place in range(len(reached) - 2, -1, -1):
        after = reached[place + 1]
        left[place] = after if _leaves(after, reached[place]) else left[place + 1]
    found: list[_Live] = []
    seen: set[str] = set()
    running: str | None = None
    for one, after_it in zip(reached, left, strict=True):
        if one.cause == "promotion" and one.release != running:
            until_us = math.inf if after_it is None or after_it.ended_us is None else after_it.ended_us
            found.append(_Live(one, one.ended_us or 0, until_us, after_it, one.release not in seen))
        seen.add(one.release)
        running = None if one.cause == "destroy" else one.release
    return found


def _leaves(later: Entry, one: Entry) -> bool:
    return later.release != one.release or later.cause == "destroy"


def _failed(entries: Sequence[Entry], since_us: int, until_us: int) -> list[Failure]:
    """Releases that did not become live: also those that a canary turned back."""
    return [
        Failure("failed", one.release, one.ended_us, one.reason)
        for one in entries
        if one.state == "failed"
        and one.cause == "promotion"
        and one.ended_us is not None
        and since_us <= one.ended_us < until_us
    ]


def _went_wrong(live: _Live, troubles: Sequence[Trouble]) -> Failure | None:
    """What went wrong with a deployment while it was live, if anything: a change fails once."""
    if live.left is not None and live.left.cause == "rollback":
        return Failure("rolled back", live.entry.release, live.left.ended_us or live.left.created_us, live.left.reason)
    found = next((one for one in troubles if _within(one, live)), None)
    return (
        None if found is None else Failure("incident", live.entry.release, found.started_us, f"incident/{found.number}")
    )


def _within(one: Trouble, live: _Live) -> bool:
    begun_us = live.entry.routed_us or live.since_us
    return min(begun_us, live.since_us) <= one.started_us < live.until_us


def _restores(
    entries: Sequence[Entry], lives: Sequence[_Live], troubles: Sequence[Trouble], refused: Sequence[Refused]
) -> list[tuple[int, int | None]]:
    """Times in which something was wrong: (since, until; None: still). What a rollback ended is not counted twice."""
    times: list[tuple[int, int | None]] = [
        (one.routed_us, one.ended_us)
        for one in entries
        if one.state == "failed" and one.cause == "promotion" and one.routed_us is not None
    ]
    told: set[int] = set()
    for live in lives:
        if live.left is not None and live.left.cause == "rollback":
            own = [one for one in troubles if _within(one, live)]
            told |= {one.number for one in own}
            times.append((min([one.started_us for one in own], default=live.since_us), live.left.ended_us))
    times += [(one.started_us, one.resolved_us) for one in troubles if one.number not in told]
    times += [(one.at_us, one.restored_us) for one in refused if one.kind == "job"]
    return times


def of_jobs(runs: Iterable[Mapping[str, object]]) -> list[Refused]:
    """Runs of jobs whose checks kept out what they made (`refused` of them), with when the job passed next. In order of their ends."""
    found: list[Refused] = []
    waiting: dict[str, list[Refused]] = {}
    for run in runs:
        job, at_us = str(run["job"]), int(str(run["ended_us"]))
        if run["state"] == "passed":
            found += [_restored(one, at_us) for one in waiting.pop(job, [])]
        elif int(str(run["refused"])) > 0:
            waiting.setdefault(job, []).append(Refused("job", job, at_us, str(run["reason"])))
    return sorted([*found, *(one for left in waiting.values() for one in left)], key=lambda one: one.at_us)


def of_rechecks(stated: Iterable[Mapping[str, object]], environment: str) -> list[Refused]:
    """Releases that were kept out since their checks fail against what is live, each once (body: of a statement `recheck`)."""
    found: dict[str, Refused] = {}
    for row in stated:
        body = json.loads(str(row["body"]))
        name = f"r{row['number']}"
        if not body.get("passed") and body.get("environment") == environment:
            found.setdefault(name, Refused("worse", name, int(str(row["at_us"])), str(body.get("reason", ""))))
    return list(found.values())


def _restored(one: Refused, at_us: int) -> Refused:
    return Refused(one.kind, one.name, one.at_us, one.reason, at_us)
