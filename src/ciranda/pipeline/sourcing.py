"""Declared sources: files of the tree as versions, kept in the store like everything else."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from ciranda.kernel import digest
from ciranda.kernel.store import Store
from ciranda.pipeline import fingerprint, references, snapshot
from ciranda.pipeline.records import Version
from ciranda.pipeline.tree import Survey
from ciranda.project import lockfile, problems
from ciranda.project.declaration import Project, Source

FORMAT = 1


def files(project: Project, paths: Sequence[str], locked: Collection[str] = ()) -> dict[str, list[str]]:
    """The files of each source of the tree. Raises errors.Invalid for a source without any, and for `locked` ones that are away."""
    there = set(paths)
    away = sorted(path for path in locked if path not in there)
    inside = [source for source in project.sources if not source.reference]
    problems.refuse([_away(source, lost) for source in inside if (lost := fingerprint.matching(away, source.files))])
    found = {source.name: fingerprint.matching(paths, source.files) for source in inside}
    problems.refuse([_empty(source) for source in inside if not found[source.name]])
    return found


def outside(sources: Iterable[Source], pins: Mapping[str, Version], looking: references.Outside) -> dict[str, Version]:
    """The version of each reference among sources: what it is pinned to, else what it is now. Raises as references.version does."""
    return {
        source.name: pins.get(source.name) or references.version(source, looking)
        for source in sources
        if source.reference
    }


def count(version: Version, store: Store) -> int:
    """The files of a source's version. Raises errors.NotFound, errors.Corrupt."""
    if version.codec == references.CODEC:
        return len(references.entries(store, version.digest))
    return len(store.listing(version.digest))


def single(project: Project) -> frozenset[str]:
    """The sources whose declaration names one file: a pattern may match another one tomorrow."""
    return frozenset(
        source.name for source in project.sources if source.url or not any(c in source.files for c in "*?[")
    )


def version(name: str, paths: Collection[str], survey: Survey, store: Store) -> Version:
    """A source as a version; files that the store does not have are put there.

    Raises errors.Invalid for a link among them, snapshot.Moved if one changes meanwhile, errors.StorageFull.
    """
    links = sorted(path for path in paths if path in survey.links)
    problems.refuse([problems.Problem(f"the source {name} names a link, not a file", path) for path in links])
    listing = survey.listing(paths)
    with store.batch():
        for path, expected, _ in listing:
            if not store.has(str(expected)) and store.put_file(survey.tree.path / str(path)) != expected:
                raise snapshot.Moved(str(path))
        made = digest.digest("folder", digest.canonical(listing))
        if not store.has(made):
            store.put_listing(listing)
    size = sum(int(survey.marks[path].split()[0]) for path in paths)
    key = digest.of("key", {"format": FORMAT, "source": name, "files": made})
    return Version(name, made, key, "files", size, "source")


def _away(source: Source, paths: Sequence[str]) -> problems.Problem:
    more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
    what = f"the source {source.name} needs {paths[0]}{more}: it is in {lockfile.FILE}, but not here"
    return problems.Problem(what, lockfile.FILE, "fetch it: ciranda data pull")


def _empty(source: Source) -> problems.Problem:
    what = f'sources.{source.name}.files names "{source.files}", which no file of the project matches'
    return problems.Problem(
        what, f"ciranda.toml:{source.line}", "does Git track the files, or does .gitignore hide them?"
    )
