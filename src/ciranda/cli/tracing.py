"""Where a version comes from and what uses it, as lines for people: at most 80 columns where names allow it. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ciranda.app.views import lineage as views
from ciranda.cli import words
from ciranda.pipeline import lineage, records, runs
from ciranda.versions import repositories

WIDE = 80
_NODES = 40  # of a tree
_SHORT = 9  # characters of a digest
_LABEL = 12  # columns of what stands before a fact


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file or URL of a source: where it is, its bytes (None: not known), and the digest or validator that pins it."""

    place: str
    size: int | None
    pin: str


def fact(label: str, text: str) -> str:
    """`  commit    3f2a1c9  Add weather features`."""
    return f"  {label:<{_LABEL - 1}} {text}".rstrip()


def moment(at_us: int) -> str:
    """`2026-11-22 21:14:03 UTC`."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def dirty(run: runs.Run | None, again: runs.Run | None = None) -> str:
    """What is said of a version that a run on a dirty tree made; empty for any other.

    `again`: the run in which it was found. Where that one is clean, its commit would make the same.
    """
    if run is None or run.clean:
        return ""
    text = f"! on a working tree with {words.count(run.dirty, 'file')} that no commit has"
    if not run.dirty:
        text = "! in a folder that is in no commit"
    return f"{text}; same key as {again.commit[:7]}" if again is not None and again.clean and again.commit else text


def made(node: lineage.Node, commit: repositories.Commit | None, around: runs.Run) -> list[str]:
    """By which run, commit and person a version was made, and what its key was made of."""
    run = node.run
    how = node.made
    if how is None:
        seen = run or around
        return [fact("seen", f"{moment(seen.started_us)} in {seen.name}"), *_at(seen, commit, around)]
    by = "a run that is not in the ledger any more" if run is None else f"{run.name}, by {run.actor}"
    lines = [fact("made", f"{moment(how.at_us)} in {words.seconds(how.seconds)}, {by}")]
    lines += [] if run is None else _at(run, commit, around)
    parts = how.parts
    function = f"{parts['function'][:_SHORT]} " if parts.get("function") else ""
    parameters = ", ".join(f"{name}={json.dumps(value)}" for name, value in parts.get("parameters", {}).items())
    told = [f"code {function}".strip(), parameters, f"Python {parts.get('python')} on {parts.get('platform')}"]
    lines.append(fact("key", f"{node.version.key[:_SHORT]}  {' · '.join(part for part in told if part)}"))
    return lines


def _at(run: runs.Run, commit: repositories.Commit | None, around: runs.Run) -> list[str]:
    lines = []
    if run.commit is not None:
        known = commit is not None and commit.id == run.commit
        said = f"  {commit.subject}, by {commit.author}" if known and commit is not None else ""
        lines.append(fact("commit", words.clip(f"{run.commit[:7]}{said}", WIDE - _LABEL - 2)))
    mark = dirty(run, around)
    return [*lines, *([fact("", mark)] if mark else [])]


def tree(found: lineage.Upstream, listed: Mapping[str, Sequence[Pinned]]) -> list[str]:
    """What a version is made of, one line each, indented by how far away it is; of sources also the first files."""
    nodes = found.tree(_NODES)
    lines = []
    wide = max([0, *(2 * depth + len(node.version.asset) for depth, node, _ in nodes)])
    for depth, node, again in nodes:
        name = f"{'  ' * depth}{node.version.asset}"
        if again:
            lines.append(f"{name:<{wide}}  (above)")
            continue
        files = listed.get(node.version.digest, ())
        holds = words.contents(node.version, len(files) or None) if node.version.key else ""
        text = f"{name:<{wide}}  {node.version.digest[:_SHORT]}  {node.version.kind:<7}  {holds:<24}  {_from(node)}"
        lines.append(text.rstrip())
        lines += sources(files, "  " * (depth + 1))
    left = len(found.nodes) - 1 - len({node.id for _, node, _ in nodes})
    return [*lines, *([f"  … and {left:,} more: --json"] if left > 0 else [])]


def _from(node: lineage.Node) -> str:
    """The run that made a version; of a source, the commit that has it."""
    run = node.run
    if run is None:
        return ""
    if node.made is None and node.version.codec != "reference" and run.clean and run.commit is not None:
        return f"tracked at {run.commit[:7]}"
    return run.name if run.clean else f"{run.name} !"


def sources(files: Sequence[Pinned], indent: str, most: int = 3) -> list[str]:
    """The first files of a source, each with its bytes and what pins it."""
    lines = []
    for one in files[:most]:
        told = "" if one.size is None else words.size(one.size)
        lines.append(f"{indent}{words.clip(one.place, 40):<40}  {told:>9}  {words.clip(one.pin, 16)}".rstrip())
    more = len(files) - most
    return [*lines, *([f"{indent}… and {words.count(more, 'file')} more"] if more > 0 else [])]


def used(found: views.Uses, most: int = 12) -> list[str]:
    """What uses a version: live services first, then steps and releases."""
    lines = []
    for place in found.places:
        services: dict[str, list[str]] = {}
        for service, through in place.services:
            services.setdefault(service, []).append(through)
        for service, assets in services.items():
            lines.append(fact("live", f"{service} in {place.revision} ({place.release}), with {', '.join(assets)}"))
        if not services:
            lines.append(fact("live", f"{place.revision} ({place.release}); none of its services uses it"))
    for use in found.made[:most]:
        far = "" if use.direct else "  (by way of others)"
        lines.append(fact("made of it", f"{use.version.asset}  {use.version.digest[:_SHORT]}{far}"))
    if len(found.made) > most:
        lines.append(fact("", f"… and {len(found.made) - most:,} more: --json"))
    if found.releases:
        shown = ", ".join(found.releases[:most])
        more = f" and {len(found.releases) - most:,} more" if len(found.releases) > most else ""
        lines.append(fact("releases", f"{shown}{more}"))
    return lines or [fact("", "nothing yet")]


def columns(profile: Mapping[str, Any]) -> list[str]:
    """The profile of a table: a line a column."""
    told = profile["columns"]
    if not told:
        return []
    wide = min(22, max(6, *(len(column["name"]) for column in told)))
    kinds = min(10, max(4, *(len(column["type"]) for column in told)))
    lines = [f"  {'column':<{wide}}  {'type':<{kinds}}  {'nulls':>6}  {'distinct':>9}  holds"]
    for column in told:
        name, kind = words.clip(column["name"], wide), words.clip(column["type"], kinds)
        left = (
            f"  {name:<{wide}}  {kind:<{kinds}}  {_share(column['nulls'], profile['rows']):>6}  {_distinct(column):>9}"
        )
        line = f"{left}  {_holds(column, profile['rows'])}".strip()
        lines.append(f"  {words.clip(line, max(WIDE, len(left)) - 2)}")
    return lines


def _distinct(column: Mapping[str, Any]) -> str:
    if column["distinct"] is None:
        return ""
    return f"{'~' if column['approximate'] else ''}{column['distinct']:,}"


def _holds(column: Mapping[str, Any], rows: int) -> str:
    """What the values are: private ones are not told."""
    if column.get("private"):
        return "(private)"
    if column.get("mean") is not None:
        return f"{_short(column['min'])} … {_short(column['max'])}, mean {_short(column['mean'])}"
    if column.get("top") and column["distinct"] < rows:
        return ", ".join(f"{_short(value)} {_share(times, rows)}" for value, times in column["top"][:3])
    if column.get("min") is not None:
        return f"{_short(column['min'])} … {_short(column['max'])}"
    return ""


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else words.clip(str(value), 14)


def _share(part: int, whole: int) -> str:
    """A part as a percentage that is never rounded to none or all."""
    if not part or not whole:
        return "0"
    share = 100 * part / whole
    if share < 0.1:
        return "<0.1 %"
    return f"{share:.0f} %" if share >= 9.95 or share == int(share) else f"{share:.1f} %"


def story(told: views.Story) -> list[str]:
    """A release: its commit, change, run, who let it in, the checks that passed."""
    release, change, revision = told.release, told.change, told.revision
    lines = [fact("release", f"{release.name}  {release.digest[:19]}…  made {moment(release.created_us)}")]
    if revision is not None:
        since = revision.routed_us or revision.ended_us
        when = f" since {moment(since)}" if since else ""
        lines.append(fact("entered", f"{revision.name} by {revision.actor}, {revision.cause}{when}"))
        lines += [] if revision.state == "reached" else [fact("", f"! {revision.name} is {revision.state}")]
    subject = told.commit.subject if told.commit else change.subject if change else ""
    author = f", by {told.commit.author}" if told.commit else ""
    lines.append(fact("commit", words.clip(f"{release.commit_sha[:7]}  {subject}{author}", WIDE - _LABEL - 2)))
    if change is not None:
        ran = "" if told.run is None else f", judged by {told.run.name}"
        lines.append(fact("change", f"{change.number}, pushed by {change.actor}{ran}"))
    lines += _checks(told)
    return lines


def _checks(told: views.Story) -> list[str]:
    lines: list[str] = []
    for verdict in told.verdicts:
        state = {"pass": "passed", "warn": "warned", "fail": "failed"}.get(str(verdict["judgement"]), "unsure")
        subject = f" of {verdict['subject']}" if verdict["subject"] not in ("", "code", verdict["check"]) else ""
        text = words.clip(f"{words.mark(state)} {verdict['check']}{subject}", WIDE - _LABEL - 2)
        lines.append(fact("" if lines else "checks", text))
    for statement in told.statements:
        if statement.kind == "verification" and (
            told.revision is None or statement.body.get("revision") == told.revision.id
        ):
            sign = words.mark("passed" if statement.body.get("passed") else "failed")
            number = statement.body.get("tests") or statement.body.get("commands") or 0
            lines.append(fact("verified", f"{sign} {words.count(int(number), 'smoke check')}"))
    return lines


def figures(version: records.Version) -> list[str]:
    """What log(...) kept with a version."""
    return [
        fact(name, words.number(value) if isinstance(value, int | float) else json.dumps(value, ensure_ascii=False))
        for name, value in version.figures.items()
    ]
