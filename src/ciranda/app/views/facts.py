"""What is known of the versions of assets: rows, columns, figures, and what was made of what; from the ledger, for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ciranda.environment.plan import Sign
from ciranda.kernel import statements
from ciranda.kernel.database import Database
from ciranda.loop import changes
from ciranda.pipeline import cache, records
from ciranda.release import releases
from ciranda.release.manifest import Asset, Manifest

sql = statements.load("ciranda.pipeline")
FIGURES = 3  # shown of a version
ROUND = 100_000  # figures from here on are shown without decimals
_WHOLE = 1000  # and from here on with the thousands told apart

Versions = Mapping[str, records.Version]


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns that one version of a table has and the other has not."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def of_release(database: Database, release: releases.Release, content: Manifest) -> dict[str, records.Version]:
    """What the run that made a release recorded of its assets; what it did not record is left out."""
    change = None if release.change is None else changes.get(database, release.change)
    told: Mapping[str, Any] = {} if change is None else change.outcome.get("assets", {})
    known: cache.Known | None = None
    found = {}
    for name, asset in content.assets.items():
        version = records.Version(**told[name]) if name in told else None
        if version is None or version.digest != asset.digest:
            known = known or cache.Known(database, content.project, None)
            result = known.result(asset.key)
            version = None if result is None else result.version
        if version is not None and version.digest == asset.digest:
            found[name] = version
    return found


def inputs(database: Database, assets: Mapping[str, Asset]) -> dict[str, tuple[str, ...]]:
    """The assets that each asset was made of, as far as the ledger knows."""
    found: dict[str, tuple[str, ...]] = {}
    for name, asset in assets.items():
        row = next(iter(database.query(sql.parts_of_key, key=asset.key)), None) if asset.kind != "source" else None
        given: Mapping[str, Any] = {} if row is None else json.loads(row["parts"]).get("inputs", {})
        found[name] = tuple(
            other
            for other, told in given.items()
            if other in assets and isinstance(told, list) and told and told[0] == assets[other].digest
        )
    return found


def downstream(name: str, made_of: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The assets that are made of an asset, and of these, and so on, in the order in which they are met. Pure."""
    users: dict[str, list[str]] = {}
    for user, given in made_of.items():
        for one in given:
            users.setdefault(one, []).append(user)
    found: dict[str, None] = {}
    ahead = [name]
    while ahead:
        for user in users.get(ahead.pop(0), ()):
            if user not in found and user != name:
                found[user] = None
                ahead.append(user)
    return tuple(found)


def told(version: records.Version | None) -> str:
    """`336,776 rows × 24, auc 0.742`; empty where nothing is known."""
    if version is None:
        return ""
    found = [] if version.rows is None else [table(version.rows, version.columns)]
    found += [f"{name} {figure(value)}" for name, value in _figures(version)]
    return ", ".join(found)


def compared(
    before: records.Version | None, after: records.Version | None, *, there: str, columns: Columns | None = None
) -> str:
    """`336,776 → 340,001 rows × 24, auc 0.742, prod 0.731`; `there` is where the version before is."""
    if before is None or after is None:
        return told(after) or "another version"
    found = []
    if after.rows is not None:
        rows = table(after.rows, after.columns)
        found.append(rows if before.rows in (None, after.rows) else f"{before.rows:,} → {rows}")
    if columns is not None:
        found += [f"+ {', '.join(columns.added)}"] * bool(columns.added)
        found += [f"- {', '.join(columns.removed)}"] * bool(columns.removed)
    elif before.columns != after.columns and before.columns and after.columns:
        found.append(f"{before.columns:,} → {plural(after.columns, 'column')}")
    for name, value in _figures(after):
        old = before.figures.get(name)
        found.append(f"{name} {figure(value)}" + (f", {there} {figure(old)}" if _shown(old) and old != value else ""))
    return ", ".join(found) or "another version"


def of_part(
    sign: Sign,
    before: records.Version | None,
    after: records.Version | None,
    *,
    there: str,
    columns: Columns | None = None,
) -> str:
    """What is known of an asset of a difference; of one that goes, what it was."""
    if sign == "change":
        return compared(before, after, there=there, columns=columns)
    return told(before if sign == "remove" else after)


def unreplayable(names: Sequence[str]) -> str:
    """What is said of a release with sources that no store keeps."""
    return f"traceable, not replayable: {', '.join(names)} {'is' if len(names) == 1 else 'are'} not kept (keep = true)"


def table(rows: int, columns: int | None) -> str:
    """`336,776 rows × 24`."""
    return plural(rows, "row") + (f" × {columns:,}" if columns else "")


def figure(value: Any) -> str:
    """A figure with four digits that count, or whole where it is large."""
    if isinstance(value, int) or abs(value) >= _WHOLE:
        return f"{value:,.0f}" if abs(value) >= ROUND else f"{value:,}"
    return f"{value:.4g}"


def plural(count: int, noun: str) -> str:
    """`1 row`, `336,776 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _figures(version: records.Version) -> list[tuple[str, Any]]:
    shown = [(name, value) for name, value in version.figures.items() if _shown(value)]
    return sorted(shown, key=lambda one: isinstance(one[1], int))[:FIGURES]  # scores before counts


def _shown(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
