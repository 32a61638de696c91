"""Declared sources: files of the tree as versions, kept in the store like everything else."""

from collections.abc import Collection, Sequence

from ciranda.kernel import digest
from ciranda.kernel.store import Store
from ciranda.pipeline import fingerprint, snapshot
from ciranda.pipeline.records import Version
from ciranda.pipeline.tree import Survey
from ciranda.project import problems
from ciranda.project.declaration import Project, Source

FORMAT = 1


def files(project: Project, paths: Sequence[str]) -> dict[str, list[str]]:
    """The files of each source. Raises errors.Invalid for a source without any."""
    found = {source.name: fingerprint.matching(paths, source.files) for source in project.sources}
    problems.refuse([_empty(source) for source in project.sources if not found[source.name]])
    return found


def single(project: Project) -> frozenset[str]:
    """The sources whose declaration names one file."""
    return frozenset(source.name for source in project.sources if not any(c in source.files for c in "*?["))


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


def _empty(source: Source) -> problems.Problem:
    what = f'sources.{source.name}.files names "{source.files}", which no file of the project matches'
    return problems.Problem(
        what, f"ciranda.toml:{source.line}", "does Git track the files, or does .gitignore hide them?"
    )
