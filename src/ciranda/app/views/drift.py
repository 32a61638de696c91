"""Drift of an environment: which column, how, since when, compared with what; each window beside its reference, as counts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.environment import revisions
from ciranda.kernel import digest, errors, statements
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.monitor.drift import profile as profiles
from ciranda.monitor.drift import words
from ciranda.monitor.drift.profile import Column, Profile
from ciranda.monitor.predictions import batches
from ciranda.monitor.predictions.segments import Place
from ciranda.monitor.windows import episodes, references, spans
from ciranda.monitor.windows.episodes import Episode
from ciranda.project import names

sql = statements.load("ciranda.monitor.windows")
BARS = 10  # of a picture


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin of a number, or one value: its label, and its shares of the reference and of the window."""

    label: str
    reference: float
    window: float


@dataclass(frozen=True, slots=True)
class Seen:
    """One column of a window beside its reference. `state`: same, drifted, faulty, unsure or uncompared."""

    name: str
    state: str
    measure: str
    value: float | None
    floor: float | None
    texts: tuple[str, ...]
    note: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """One look: what it is compared with, and every column. `inconclusive`: why no distribution could be judged."""

    span: str
    said: str  # "the last hour"
    release: str
    reference: str
    from_us: int
    until_us: int
    rows: int
    reference_rows: int
    at_us: int
    inconclusive: str | None
    columns: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A service, or an asset that a job makes. `waits`: why nothing is compared yet."""

    name: str
    kind: str  # "service", "asset"
    open: tuple[Episode, ...]
    over: tuple[Episode, ...]
    windows: tuple[Window, ...]
    waits: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def gather(
    database: Database, store: Store, project: str, environment: str, subject: str = "", column: str = ""
) -> list[Subject]:
    """What drifts in an environment; of one subject, and one of its columns, where they are named. Raises errors.NotFound."""
    revisions.environment(database, project, environment)
    services = [
        one.service for one in batches.places(database, 0) if (one.project, one.environment) == (project, environment)
    ]
    rows = database.query(sql.looks, project=project, environment=environment, subject="")
    known = list(dict.fromkeys([*services, *(str(row["subject"]) for row in rows)]))
    wanted = [name for name in known if subject in ("", name.removeprefix(episodes.ASSET))]
    if subject and not wanted:
        there = sorted({name.removeprefix(episodes.ASSET) for name in known})
        hint = names.suggestion(subject, there) or (f"what there is: {', '.join(there)}" if there else _HOW)
        raise errors.NotFound(f"nothing of {subject} in {environment} is compared with anything", hint=hint)
    found = []
    for name in wanted:
        told = episodes.listed(database, project, environment, name)
        looks = [row for row in rows if row["subject"] == name]
        order = (spans.ROWS, spans.HOUR, spans.DAY)
        looks.sort(
            key=lambda row: (order.index(row["span"]) if row["span"] in order else 3, row["part"]), reverse=False
        )
        windows = tuple(one for row in looks if (one := _window(store, row, column)).columns)
        if column and not windows:
            there = sorted({each.name for row in looks for each in _window(store, row, "").columns})
            hint = names.suggestion(column, there) or f"what there is: {', '.join(there) or 'nothing yet'}"
            raise errors.NotFound(f"{name} has no column {column} that is compared", hint=hint)
        waits = "" if windows else _waits(database, Place(project, environment, name))
        found.append(
            Subject(
                name.removeprefix(episodes.ASSET), "asset" if name.startswith(episodes.ASSET) else "service",
                tuple(one for one in told if one.over_us is None and column in ("", one.column_name)),
                tuple(one for one in told if one.over_us is not None and column in ("", one.column_name))[:5], windows, waits,
            )
        )  # fmt: skip
    return found


_HOW = "keep what a service predicts: predictions = {} in its section of ciranda.toml"


def _waits(database: Database, place: Place) -> str:
    """Why nothing of a service is compared yet."""
    there = batches.of_service(database, place)
    rows = sum(one.row_count for one in there)
    if not there:
        return "nothing was predicted yet"
    release = there[0].release
    made = references.of(database, place.project, place.environment, place.service, release)
    if not made:
        return "its reference is being made"
    why = "; ".join(one.said() for one in made if one.kind == references.NONE)
    return (
        f"{why + '; ' if why else ''}{rows:,} predictions are kept: the first 1,000 of {release} become the reference"
    )


def _window(store: Store, row: Mapping[str, Any], column: str) -> Window:
    told = json.loads(row["body"])
    window = profiles.read(told["window"])
    try:
        reference = profiles.read(digest.parse(store.get(told["object"])))
    except (errors.NotFound, errors.Corrupt):
        reference = Profile(0, ())
    comparison = told["comparison"]
    columns = tuple(
        _seen(one, reference.column(one["name"]), window.column(one["name"]))
        for one in comparison["columns"]
        if column in ("", one["name"])
    )
    return Window(
        row["span"], spans.said(row["span"], row["row_count"]),
        row["release"], row["reference"], row["from_us"], row["until_us"], row["row_count"],
        comparison["reference_rows"], row["at_us"], comparison["inconclusive"], columns,
    )  # fmt: skip


def _seen(told: Mapping[str, Any], reference: Column | None, window: Column | None) -> Seen:
    measures = told["measures"]
    most = max(measures, key=lambda one: one["value"] / one["least"]) if measures else None
    texts = tuple(one["text"] for one in told["findings"])
    return Seen(
        told["name"], told["state"], most["name"] if most else "", most["value"] if most else None,
        most["floor"] if most else None, texts, told["note"], bars(reference, window),
    )  # fmt: skip


def bars(reference: Column | None, window: Column | None) -> tuple[Bar, ...]:
    """The two distributions as few bars, the same for both. Pure; nothing where they cannot be drawn."""
    if reference is None or window is None or reference.kind != window.kind or reference.private or window.private:
        return ()
    before, now = list(reference.counts), list(window.counts)
    if len(before) != len(now) or not sum(before) or not sum(now):
        return ()
    if reference.kind == "category":
        labels = [*reference.values, "others"]
        order = sorted(range(len(labels) - 1), key=lambda place: -(before[place] / sum(before) + now[place] / sum(now)))
        chosen = order[: BARS - 1]
        groups = [[place] for place in chosen] + [[place for place in range(len(labels)) if place not in set(chosen)]]
        named = [labels[place] for place in chosen] + ["others"]
    else:
        ends = [words.number(edge) for edge in reference.edges]
        few = -(-len(before) // BARS)
        groups = [list(range(at, min(at + few, len(before)))) for at in range(0, len(before), few)]
        named = [
            f"≤ {ends[group[-1]]}" if group[-1] < len(ends) else f"> {ends[-1]}" if ends else "all" for group in groups
        ]
    made = [
        Bar(name, sum(before[each] for each in group) / sum(before), sum(now[each] for each in group) / sum(now))
        for name, group in zip(named, groups, strict=True)
    ]
    return tuple(one for one in made if one.label != "others" or one.reference or one.window)


def worst(subject: Subject) -> Sequence[tuple[Window, Seen]]:
    """The columns that drift now, each in the window that tells most: that of its episode, else the shortest one. Pure."""
    found = []
    for one in subject.open:
        held = [
            (window, seen)
            for window in subject.windows
            for seen in window.columns
            if seen.name == one.column_name and (window.span == one.span or seen.texts)
        ]
        if held:
            found.append(next((each for each in held if each[0].span == one.span), held[0]))
    return found
