"""When a column begins to drift and when that is over: decided from looks, then recorded with an event each, once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from ciranda.kernel import clock, events, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.monitor.drift.found import DISTRIBUTION, Comparison, Finding
from ciranda.monitor.drift.profile import Profile

sql = statements.load("ciranda.monitor.windows")


@dataclass(frozen=True, slots=True)
class Look:
    """One window beside one reference. `reference`: in words what it is compared with."""

    span: str
    part: str
    release: str
    reference: str
    from_us: int
    until_us: int
    comparison: Comparison
    window: Profile
    object: str  # the digest of the reference's profile


@dataclass(frozen=True, slots=True)
class Episode:
    """A column that differs; over where `over_us` says when."""

    id: str
    project: str
    environment: str
    subject: str
    column_name: str
    release: str
    span: str
    part: str
    check_name: str
    measure: str
    value: float
    floor: float
    row_count: int
    reference: str
    text: str
    since_us: int
    found_us: int
    seen_us: int
    over_us: int | None = None


ASSET = "asset:"  # what the subject begins with where it is an asset: a service may have the same name


def of_asset(name: str) -> str:
    """The subject that an asset is."""
    return f"{ASSET}{name}"


@dataclass(frozen=True, slots=True)
class Decided:
    """What looks make of the episodes that are open."""

    begin: tuple[tuple[Look, Finding], ...]
    see: tuple[tuple[Episode, Look, Finding], ...]
    end: tuple[Episode, ...]


def decide(
    open_now: Sequence[Episode], looks: Sequence[Look], ended: Mapping[str, int] = MappingProxyType({})
) -> Decided:
    """What begins, goes on and is over. The looks are in the order of their spans, the shortest first. Pure.

    An episode is over when the window that it was found in says that the column is the same: one that is inconclusive, or has not the
    column, ends nothing. `ended` says when the last episode of a column was over (µs): a window that reaches back before that begins none,
    since what it has is what is over.
    """
    # of a column how its values are distributed tells more than one that is too large
    told = [
        (look, finding)
        for look in looks
        for finding in sorted(look.comparison.findings, key=lambda one: one.check != DISTRIBUTION)
    ]
    found = _first(told)
    begin = _first([each for each in told if each[0].from_us >= ended.get(each[1].column, 0)])
    known = {one.column_name: one for one in open_now}
    same = {
        (look.span, column.name)
        for look in looks
        for column in look.comparison.columns
        if column.state == "same" and (column.measures or not look.comparison.inconclusive)
    }
    spans = {look.span for look in looks}
    over = {
        column
        for column, one in known.items()
        if (one.span, column) in same
        or (one.span not in spans and column not in found and any(name == column for _, name in same))
    }
    return Decided(
        begin=tuple(each for column, each in begin.items() if column not in known),
        see=tuple((one, *found[column]) for column, one in known.items() if column in found and column not in over),
        end=tuple(one for column, one in known.items() if column in over),
    )


def _first(told: Sequence[tuple[Look, Finding]]) -> dict[str, tuple[Look, Finding]]:
    """The first finding of each column."""
    return {finding.column: (look, finding) for look, finding in reversed(told)}


def opened(database: Database | Transaction, project: str, environment: str, subject: str) -> list[Episode]:
    """The episodes of a subject that are not over."""
    rows = database.query(sql.open_episodes, project=project, environment=environment, subject=subject)
    return [Episode(**row) for row in rows]


def listed(
    database: Database, project: str, environment: str = "", subject: str = "", most: int = 100
) -> list[Episode]:
    """The episodes of a project, an environment or a subject, the newest first."""
    named = {"project": project, "environment": environment, "subject": subject, "most": most}
    return [Episode(**row) for row in database.query(sql.episodes, **named)]


def record(tx: Transaction, project: str, environment: str, subject: str, looks: Sequence[Look]) -> None:
    """Record looks at a service, or at an asset (`of_asset`), and what they make of the episodes."""
    now_us = clock.now_us()
    rows = tx.query(sql.ended, project=project, environment=environment, subject=subject)
    ended = {str(row["column_name"]): int(row["over_us"]) for row in rows}
    decided = decide(opened(tx, project, environment, subject), looks, ended)
    for look in looks:
        tx.execute(
            sql.keep_look, project=project, environment=environment, subject=subject, span=look.span, part=look.part,
            release=look.release, reference=look.reference, from_us=look.from_us, until_us=look.until_us,
            row_count=look.window.rows, at_us=now_us, body=_body(look),
        )  # fmt: skip
    if looks:
        tx.execute(sql.drop_looks, project=project, environment=environment, subject=subject, release=looks[0].release)
    for look, finding in decided.begin:
        one = _episode(Episode(clock.uuid7(), project, environment, subject, finding.column, "", "", "", "", "", 0.0, 0.0, 0, "", "",
            look.from_us, now_us, now_us), look, finding)  # fmt: skip
        if tx.execute(sql.insert_episode, **asdict(one)):
            body = {"column": one.column_name, "measure": one.measure, "value": one.value, "floor": one.floor}
            body |= {"rows": one.row_count, "window": [look.from_us, look.until_us], "reference": one.reference}
            _tell(tx, one, "drift.found", body | {"text": one.text})
    for one, look, finding in decided.see:
        seen = replace(_episode(one, look, finding), seen_us=now_us)
        wanted = (
            "id",
            "release",
            "span",
            "part",
            "check_name",
            "measure",
            "value",
            "floor",
            "row_count",
            "reference",
            "text",
            "seen_us",
        )
        tx.execute(sql.see_episode, **{name: getattr(seen, name) for name in wanted})
    for one in decided.end:
        if tx.execute(sql.end_episode, id=one.id, over_us=now_us):
            body = {"column": one.column_name, "since_us": one.found_us, "reference": one.reference}
            body |= {"text": f"{one.column_name} is as it was in {one.reference}"}
            _tell(tx, one, "drift.over", body)


def _episode(one: Episode, look: Look, finding: Finding) -> Episode:
    return replace(
        one, release=look.release, span=look.span, part=look.part, check_name=finding.check, measure=finding.measure,
        value=finding.value, floor=finding.floor, row_count=finding.rows, reference=look.reference, text=finding.text,
    )  # fmt: skip


def _tell(tx: Transaction, one: Episode, kind: str, body: Mapping[str, Any]) -> None:
    place = f"{one.project}/{one.environment}"
    kind_of = "asset" if one.subject.startswith(ASSET) else "service"
    what = {kind_of: one.subject.removeprefix(ASSET), "release": one.release}
    events.append(tx, chain=one.project, kind=kind, subject=place, actor="ciranda", body={**what, **body})


def _body(look: Look) -> str:
    told = {"comparison": look.comparison.document(), "window": look.window.document(), "object": look.object}
    return json.dumps(told, ensure_ascii=False)
