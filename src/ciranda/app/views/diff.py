"""What is different between two releases, environments, revisions or runs: by name, from ledger and store."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ciranda.app import looking
from ciranda.app.views import difference, facts
from ciranda.environment import plan, resolve, revisions
from ciranda.kernel import errors, statements
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.pipeline import records, runs
from ciranda.release import releases

sql = statements.load("ciranda.pipeline")
_RELEASE = re.compile(r"r[1-9][0-9]{0,17}\Z|b3:[0-9a-f]{4,64}\Z")
_RUN = re.compile(r"(?:run[- ])?([1-9][0-9]{0,17})\Z")
_REVISION = re.compile(r"([a-z][a-z0-9-]*)#([1-9][0-9]{0,17})\Z")
_TABLE = "parquet"


@dataclass(frozen=True, slots=True)
class One:
    """One side: how it is called, what it is, and what is known of its assets."""

    name: str
    side: plan.Side
    versions: facts.Versions
    run: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """The difference of two sides."""

    before: str
    after: str
    parts: tuple[plan.Part, ...]
    texts: Mapping[str, str]  # of assets, by name

    def document(self) -> dict[str, Any]:
        """The same as JSON values."""
        parts = [part.document() | {"text": difference.said(part, self.texts)} for part in self.parts]
        return {"before": self.before, "after": self.after, "parts": parts, "counts": difference.counts(self.parts)}


def gather(database: Database, store: Store, project: str, before: str | None, after: str | None) -> View:
    """The difference between two names (`r41`, `prod`, `prod#16`, `run-117`); without any, of the last run and the one before it.

    Raises errors.NotFound for a name that is nobody's.
    """
    if before is None or after is None:
        ended = [one for one in runs.history(database, project) if one.state in ("finished", "failed")]
        last = [one for one in ended if not one.cause.startswith("job ")][:2]  # a job makes a part of the assets alone
        if len(last) < 2:
            raise errors.NotFound(f"{project} has not run twice yet", hint="run it: ciranda run")
        after, before = (one.name for one in last)
    old, new = find(database, store, project, before), find(database, store, project, after)
    if old.run or new.run:  # a run knows nothing of services and configuration
        old, new = _made(old), _made(new)
    return between(old, new, store)


def between(old: One, new: One, store: Store | None = None) -> View:
    """The difference of two sides. With a store the columns of tables that changed are told by name: slow the first time."""
    parts = plan.difference(old.side, new.side)
    return View(old.name, new.name, parts, {part.name: _text(store, part, old, new) for part in parts})


def of_release(database: Database, store: Store, release: releases.Release) -> One:
    """A release alone, with its own configuration. Raises errors.NotFound, errors.Corrupt for a lost manifest."""
    content = releases.manifest(store, release)
    alone = resolve.Resolved(resolve.configuration(content, "", {}), {}, resolve.scale_of(content, None))
    return One(release.name, plan.of_release(content, alone), facts.of_release(database, release, content))


def find(database: Database, store: Store, project: str, name: str) -> One:
    """What a name means. Raises errors.NotFound."""
    if (run := _RUN.match(name)) is not None:
        return _run(database, runs.get(database, project, int(run[1])))
    if _RELEASE.match(name):
        return of_release(database, store, releases.get(database, project, name))
    if (numbered := _REVISION.match(name)) is not None:
        return _revision(database, store, revisions.get(database, project, numbered[1], int(numbered[2])))
    known = [place.name for place in revisions.environments(database, project)]
    if name not in known:
        there = f"environments: {', '.join(known)}; " if known else ""
        raise errors.NotFound(
            f"{name} is no release, environment or run of {project}", hint=f"{there}r42; run-117; prod#16"
        )
    now = revisions.current(database, project, name)
    return One(f"{name} (nothing)", plan.Side(), {}) if now is None else _revision(database, store, now)


def lines(view: View) -> list[str]:
    """The difference as people read it, at most 80 columns where names allow it."""
    if all(part.sign == "same" for part in view.parts):
        return [f"{view.before} → {view.after}: no difference"]
    counted = difference.counts(view.parts)
    rows = difference.rows(view.parts, view.texts, touches={})
    told = f"{counted['add']} added, {counted['change']} changed, {counted['remove']} removed"
    return [f"{view.before} → {view.after}", *rows, told]


def _run(database: Database, found: runs.Run) -> One:
    versions = {step.step: step.version for step in runs.steps(database, found) if step.version is not None}
    parameters = {
        row["step"]: json.loads(row["parts"]).get("parameters", {})
        for row in database.query(sql.parts_of_run, run=found.steps_of or found.id)
    }
    return One(found.name, plan.of_run(found.commit or "", parameters, versions), versions, run=True)


def _revision(database: Database, store: Store, found: revisions.Revision) -> One:
    name = f"{found.environment} #{found.number}"
    if found.gone:
        return One(f"{name} (nothing)", plan.Side(), {})
    release = releases.by_id(database, found.release)
    content = releases.manifest(store, release)
    side = plan.of_release(content, resolve.of_revision(found))
    return One(f"{name} ({release.name})", side, facts.of_release(database, release, content))


def _made(one: One) -> One:
    side = plan.Side(commit=one.side.commit, parameters=one.side.parameters, assets=one.side.assets)
    return replace(one, side=side)


def _text(store: Store | None, part: plan.Part, old: One, new: One) -> str:
    if part.kind not in difference.ASSETS:
        return ""
    before, after = old.versions.get(part.name), new.versions.get(part.name)
    columns = None if store is None or part.sign != "change" else _columns(store, before, after)
    return facts.of_part(part.sign, before, after, there="was", columns=columns)


def _columns(store: Store, before: records.Version | None, after: records.Version | None) -> facts.Columns | None:
    """The columns that one table has and the other has not; None where that cannot be told."""
    if before is None or after is None or {before.codec, after.codec} != {_TABLE}:
        return None
    try:
        old, new = ([name for name, _ in looking.inside(store, version, 0).schema] for version in (before, after))
    except errors.CirandaError:
        return None
    return facts.Columns(tuple(name for name in new if name not in old), tuple(name for name in old if name not in new))
