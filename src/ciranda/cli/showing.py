"""One version, one release or one request, with all that made it: gathered, then told as lines or as JSON."""

import argparse
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from ciranda.app import home as homes
from ciranda.app import local, looking, matching
from ciranda.app.views import lineage as views
from ciranda.app.views import predictions
from ciranda.cli import predicted, tables, tracing, words
from ciranda.kernel import errors
from ciranda.kernel.store import Store
from ciranda.monitor.predictions.segments import Place
from ciranda.pipeline import lineage, profile, references, runs
from ciranda.pipeline.records import Version

_FILES = 20  # of a folder or source that are shown
_LISTED = ("files", "folder", "reference")  # codecs of what is a list of files


def version(given: argparse.Namespace, found: views.Found, here: local.Local) -> None:
    """A version: what it holds, what made it, what uses it."""
    asset = found.asset
    step, held = asset.result, asset.result.version
    if held is None:
        if given.json:
            told(document(asset))
        else:
            words.out(f"{step.step} has no version in {asset.run.name}: {step.state}")
            words.out(step.error or "")
        return
    project, private = here.project.name, here.project.private
    inside = looking.inside(here.store, held, max(given.rows, 0))
    counted = profile.of(here.database, here.store, held, private) if inside.schema else None
    above = lineage.upstream(here.database, project, held, asset.run)
    below = views.uses(ground(here), project, held)
    if given.json:
        rows = [[_plain(value) for value in row] for row in inside.rows]
        told(
            document(asset)
            | {"inside": asdict(inside) | {"rows": rows}, "profile": counted}
            | {"release": found.release.name if found.release else None}
            | {"revision": found.revision.name if found.revision else None}
            | {"made": _maker(above.top), "inputs": _nodes(above), "uses": _uses(below)}
        )
        return
    root = above.top
    commit = views.commit(ground(here), project, (root.run or asset.run).commit)
    words.out(f"{step.step}  {held.kind}  {words.contents(held, len(inside.files) or None)}")
    words.out(tracing.fact("version", held.digest))
    words.out(tracing.fact("stored", f"{words.size(held.size)} as {held.codec}"))
    words.out(tracing.fact("in", _where(found)))
    _lines(tracing.made(root, commit, asset.run))
    _lines(tracing.figures(held))
    for outcome in asset.outcomes:
        said = words.finding(outcome)
        words.out(
            f"  {words.mark(runs.verdict(outcome))} {outcome.check}{': ' + words.clip(said, 100) if said else ''}"
        )
    if len(above.nodes) > 1:
        words.out("made of")
        _lines(tracing.tree(above, _pinned(above, here.store)))
    words.out("used by")
    _lines(tracing.used(below))
    if counted is not None:
        words.out("columns")
        _lines(tracing.columns(counted))
    _contents(inside, private)


def rows(given: argparse.Namespace, found: views.Found, here: local.Local) -> None:
    """The rows of a version that `--where` names, and those of its sources that agree with them."""
    held = found.asset.result.version
    if held is None:
        raise errors.NotFound(
            f"{found.asset.result.step} has no version in {found.asset.run.name}", hint="ciranda show"
        )
    private = here.project.private
    matched, keys = matching.where(here.store, held, given.where, max(given.rows, 0))
    above = lineage.upstream(here.database, here.project.name, held, found.asset.run)
    sources = matching.sources(here.store, above, keys, max(given.rows, 0))
    matched = matching.hidden(matched, private)
    if given.json:
        told(
            {"asset": held.asset, "version": held.digest, "where": given.where, **_matched(matched)}
            | {"sources": [_source(source, private) for source in sources]}
        )
        return
    words.out(f"{held.asset}  {held.digest[:9]}  {words.count(matched.count, 'row')} where {given.where}")
    _lines([f"  {line}" for line in tables.lay(matched.columns, matched.rows)])
    for source in sources:
        _origin(source, private)


def _origin(source: matching.Source, private: Sequence[str]) -> None:
    name = f"{source.asset}  {source.digest[:9]}  {source.file}".rstrip()
    if source.found is None:
        words.out(f"{name}: {source.told}")
        return
    shared = ", ".join(source.shared)
    words.out(f"{name}: {words.count(source.found.count, 'row')} with the same {shared}")
    shown = matching.hidden(source.found, private)
    numbered = [(number, *row) for number, row in zip(source.numbers, shown.rows, strict=True)]
    _lines([f"  {line}" for line in tables.lay(["row", *shown.columns], numbered)])


def release(given: argparse.Namespace, story: views.Story, here: local.Local) -> None:
    """A release, where it is meant as one or as what an environment runs: every asset with what it is made of."""
    place = story.revision
    if given.json:
        told(_story(story, here) | {"environment": place.environment if place else None})
        return
    words.out(f"{story.content.project} · {story.release.name if place is None else place.name}")
    _lines(tracing.story(story))
    for name, service in sorted(story.content.services.items()):
        words.out(tracing.fact("service", f"{name}{'  with ' + ', '.join(service.uses) if service.uses else ''}"))
    _lines(assets(story, ground(here), list(story.content.assets)))


def request(given: argparse.Namespace) -> int:
    """The release that answered a request, by its id; no project's folder is needed."""
    home = homes.locate(given.home)
    with homes.opened(home) as (database, store):
        read = views.Ground(database, store, home.repositories)
        found = views.answered(read, given.what, given.environment)
        story = found.story
        uses = story.content.services[found.service].uses
        above = {
            name: lineage.upstream(database, story.content.project, story.versions[name], story.run) for name in uses
        }
        where = Place(story.content.project, found.environment, found.service)
        known = predictions.of_request(database, store, where, found.identity.text, found.identity.at_us)
        if given.json:
            told(
                {"request": asdict(found.identity), "predictions": [predicted.document(row) for row in known.rows]}
                | {
                    "feedback": [predicted.document(row) for row in known.said],
                    "project": story.content.project,
                    "environment": found.environment,
                }
                | {"service": found.service, "release": story.release.name, "commit": story.release.commit_sha}
                | {"change": story.change.number if story.change else None, "checks": list(story.verdicts)}
                | {"revision": asdict(story.revision) if story.revision else None}
                | {"author": story.commit.author if story.commit else None}
                | {"assets": {name: _nodes(one, root=True) for name, one in above.items()}}
            )
            return 0
        words.out(f"request {found.identity.text}")
        words.out(tracing.fact("answered", tracing.moment(found.identity.at_us)))
        _lines(predicted.lines(known))
        words.out(tracing.fact("by", f"{found.service} in {found.environment} of {story.content.project}"))
        _lines(tracing.story(story))
        _lines(assets(story, read, list(uses)))
    return 0


def assets(story: views.Story, read: views.Ground, names: Sequence[str]) -> list[str]:
    """Versions of a release, each with what it is made of; those that are in another one's tree are not told again."""
    project = story.content.project
    trees = {
        name: lineage.upstream(read.database, project, story.versions[name], story.run)
        for name in names
        if name in story.versions
    }
    inner = {node.id for above in trees.values() for node in above.above()}
    lines = []
    for above in trees.values():
        if above.root in inner:
            continue
        held, run = above.top.version, above.top.run
        by = "" if run is None else f"  {run.name}"
        lines.append(f"{held.asset}  {held.digest[:9]}  {held.kind}  {words.contents(held)}{by}")
        if mark := tracing.dirty(run, story.run):
            lines.append(f"  {mark}")
        lines += tracing.tree(above, _pinned(above, read.store))
    return lines


def ground(here: local.Local) -> views.Ground:
    """What lineage reads of an opened home."""
    return views.Ground(here.database, here.store, here.home.repositories)


def document(asset: looking.Asset) -> dict[str, Any]:
    """An asset as one run had it, as JSON values."""
    return {
        "run": asset.run.name,
        **asdict(asset.result),
        "checks": [asdict(outcome) for outcome in asset.outcomes],
    } | {"dirty": asset.run.dirty}


def told(value: Any) -> None:
    """JSON on the standard output."""
    words.out(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def files(store: Store, held: Version) -> int | None:
    """How many files a version has; None for one that is none, or that the store lost."""
    try:
        return len(pinned(store, held)) if held.codec in _LISTED else None
    except (errors.NotFound, errors.Corrupt):
        return None


def pinned(store: Store, held: Version) -> list[tracing.Pinned]:
    """The files of a version. Raises errors.NotFound, errors.Corrupt."""
    if held.codec == "reference":
        return [tracing.Pinned(one.place, one.size, one.pin) for one in references.entries(store, held.digest)]
    if held.codec not in _LISTED:
        return []
    return [tracing.Pinned(path, store.size(name), name) for path, name, _ in store.listing(held.digest)]


def _contents(inside: looking.Inside, private: Sequence[str]) -> None:
    """What a version holds: rows, files, or text."""
    if inside.rows:
        words.out("rows")
        held = matching.Rows(tuple(name for name, _ in inside.schema), inside.rows, len(inside.rows))
        shown = matching.hidden(held, private)
        _lines([f"  {line}" for line in tables.lay(shown.columns, shown.rows)])
    if inside.files:
        words.out("files")
    for path, size in inside.files[:_FILES]:
        words.out(f"  {path}  {words.size(size)}")
    if len(inside.files) > _FILES:
        words.out(f"  … and {words.count(len(inside.files) - _FILES, 'file')} more")
    if inside.text:
        words.out("")
        _lines([f"  {words.clip(line, 200)}" for line in inside.text.splitlines()[:40]])


def _where(found: views.Found) -> str:
    """In which revision, release and run a version was found."""
    asset = found.asset
    placed = [] if found.revision is None else [found.revision.name]
    placed += [] if found.release is None else [found.release.name]
    mark = tracing.dirty(asset.run)
    return f"{', '.join([*placed, f'{asset.run.name} ({asset.result.state})'])}{'  ' + mark if mark else ''}"


def _pinned(above: lineage.Upstream, store: Store) -> dict[str, list[tracing.Pinned]]:
    """The files of each source upstream, by the digest of its version; nothing of those that the store lost."""
    found = {}
    for node in above.above():
        if node.made is None:
            with suppress(errors.NotFound, errors.Corrupt):
                found[node.version.digest] = pinned(store, node.version)
    return found


def _lines(lines: Sequence[str]) -> None:
    for line in lines:
        words.out(line)


def _nodes(above: lineage.Upstream, *, root: bool = False) -> list[dict[str, Any]]:
    """Everything upstream, flat: each names the versions that it was made of."""
    chosen = above.nodes.values() if root else above.above()
    return [{**asdict(node.version), "made": _maker(node), "inputs": list(node.inputs)} for node in chosen]


def _maker(node: lineage.Node) -> dict[str, Any] | None:
    run = node.run
    by = {} if run is None else {"run": run.name, "commit": run.commit, "dirty": run.dirty, "actor": run.actor}
    if node.made is None:
        return by or None
    how = node.made
    return {**by, "at_us": how.at_us, "seconds": how.seconds, "trust": how.trust, "parts": dict(how.parts)}


def _uses(below: views.Uses) -> dict[str, Any]:
    return {
        "made": [
            {"asset": use.version.asset, "digest": use.version.digest, "direct": use.direct} for use in below.made
        ],
        "releases": list(below.releases),
        "live": [
            {"environment": place.environment, "revision": place.revision, "release": place.release}
            | {"services": [{"service": service, "through": name} for service, name in place.services]}
            for place in below.places
        ],
    }


def _story(story: views.Story, here: local.Local) -> dict[str, Any]:
    trees = {
        name: lineage.upstream(here.database, story.content.project, held, story.run)
        for name, held in story.versions.items()
    }
    return {
        "release": asdict(story.release),
        "revision": asdict(story.revision) if story.revision else None,
        "commit": asdict(story.commit) if story.commit else None,
        "change": story.change.number if story.change else None,
        "actor": story.change.actor if story.change else None,
        "run": story.run.name if story.run else None,
        "services": {name: list(service.uses) for name, service in story.content.services.items()},
        "checks": list(story.verdicts),
        "statements": [asdict(statement) for statement in story.statements],
        "assets": {name: _nodes(above, root=True) for name, above in trees.items()},
    }


def _matched(found: matching.Rows) -> dict[str, Any]:
    return {"count": found.count, "columns": list(found.columns), "rows": [list(row) for row in found.rows]}


def _source(source: matching.Source, private: Sequence[str]) -> dict[str, Any]:
    named = {"asset": source.asset, "version": source.digest, "file": source.file}
    if source.found is None:
        return {**named, "told": source.told}
    shown = matching.hidden(source.found, private)
    return {**named, "shared": list(source.shared), "numbers": list(source.numbers), **_matched(shown)}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
