"""Everything that is known before a step runs: files, sources, graph, and the code of each step, without importing anything twice."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ciranda.kernel import clock, digest, errors, statements
from ciranda.kernel.database import Transaction
from ciranda.kernel.store import Store
from ciranda.pipeline import codec, fingerprint, graph, interpreters, modules, references, sourcing, tree
from ciranda.pipeline.key import Surroundings
from ciranda.pipeline.records import Description, Version
from ciranda.pipeline.request import Parts, Request
from ciranda.project import against, lockfile, problems, programs
from ciranda.project.declaration import Project, Source

sql = statements.load("ciranda.pipeline")
_FORMAT = 1


class Problem(Exception):
    """Why there is no graph: the user's traceback, a cycle, two steps making one asset."""


@dataclass(frozen=True)
class Found:
    """What a tree holds, before its pipeline is known."""

    survey: tree.Survey
    interpreter: interpreters.Interpreter
    sources: Mapping[str, Sequence[str]]  # source of the tree → its files
    outside: Mapping[str, Version]  # references
    declared: Mapping[str, Source]
    looking: references.Outside
    readable: Sequence[str]
    python: Sequence[str]

    @property
    def left_out(self) -> frozenset[str]:
        """What workers do not see: the declared sources."""
        return frozenset(path for paths in self.sources.values() for path in paths)


@dataclass(frozen=True)
class Prepared:
    """A pipeline that is ready to run. `objects` are listings by digest, kept with the results that they explain."""

    found: Found
    description: Description
    graph: graph.Graph
    versions: Mapping[str, Version]  # of the sources
    fingerprints: fingerprint.Fingerprints
    around: Surroundings
    objects: dict[str, bytes] = field(default_factory=dict)

    def source(self, name: str, store: Store) -> Version:
        """A source's version once more: files that the store lacks are put there.

        Raises as sourcing.version and references.version do; references.Moved for a reference that is another by now.
        """
        before = self.found.outside.get(name)
        if before is not None:
            again = references.version(self.found.declared[name], self.found.looking)
            if again.digest != before.digest:
                raise references.Moved(name, "its listing", before.digest, f"is {references.short(again.digest)}")
            return again
        return sourcing.version(name, self.found.sources[name], self.found.survey, store)

    def files(self, name: str, store: Store) -> int:
        """How many files a source has; 0 for a listing that the store lost."""
        if name in self.found.sources:
            return len(self.found.sources[name])
        try:
            return sourcing.count(self.versions[name], store)
        except (errors.NotFound, errors.Corrupt):
            return 0

    def keep(self, listing: Any) -> str:
        """The digest of a listing, which is kept with the results that name it."""
        data = digest.canonical(listing)
        name = digest.digest("object", data)
        self.objects[name] = data
        return name


def find(request: Request, parts: Parts, interpreter: interpreters.Interpreter) -> Found:
    """Look at the tree, and at references that nothing pins. Raises errors.Invalid for a source without files."""
    survey = tree.survey(request.tree, parts.database)
    paths = survey.paths
    sources = sourcing.files(request.project, paths, lockfile.read(request.tree.path))
    left_out = {path for found in sources.values() for path in found}
    readable, python = fingerprint.split(paths, left_out, interpreter.lock)
    looking = references.Outside(parts.store, references.Marks(parts.database), request.reach, parts.home)
    declared = {source.name: source for source in request.project.sources}
    found = Found(survey, interpreter, sources, {}, declared, looking, readable, python)
    return replace(found, outside=sourcing.outside(_needed(request, parts, found), request.pins, looking))


def prepare(request: Request, parts: Parts, found: Found, describe: Callable[[], Mapping[str, Any]] | None) -> Prepared:
    """Everything before the first step. `describe` asks a worker what the pipeline declares; it is called only if unknown.

    Raises Problem, errors.Invalid, snapshot.Moved, errors.StorageFull.
    """
    survey, project = found.survey, request.project
    versions = {
        source.name: found.outside.get(source.name)
        or sourcing.version(source.name, found.sources[source.name], survey, parts.store)
        for source in project.sources
        if source.name in found.outside or not source.reference
    }
    description = _description(request, parts, found, describe)
    built = graph.build(description, list(found.declared), project.pipeline or "")
    problems.refuse(against.against(project, built.order, list(built.checks)))
    prepared_modules = _modules(description, parts, found)
    prepared: Prepared

    def listing(paths: Sequence[str]) -> str:
        return prepared.keep(survey.listing(paths))

    prints = fingerprint.Fingerprints(description, prepared_modules, found.readable, found.python, listing)
    around = Surroundings(description.distributions, description.python, description.platform)
    prepared = Prepared(found, description, built, versions, prints, around)
    survey.keep(parts.database)
    return prepared


def _needed(request: Request, parts: Parts, found: Found) -> list[Source]:
    """The sources that a run needs; all of them while nobody has described its pipeline yet."""
    sources = list(found.declared.values())
    if not request.only:
        return sources
    try:
        built = graph.build(_description(request, parts, found, None), list(found.declared), "")
        _, needed = graph.part(built, request.only, list(found.declared))
    except (Problem, errors.Invalid):  # the run says what is wrong when it gets there
        return sources
    return [source for source in sources if source.name in needed]


def hold_programs(request: Request, found: Found) -> None:
    """Refuse services that name what neither the tree nor the interpreter has. Raises errors.Invalid.

    Only for what is to run: a base that passed before its services were looked at must not keep the mending change out.
    """
    project, interpreter = request.project, found.interpreter
    declared = project.path.read_text() if project.path is not None and project.path.exists() else ""
    problems.refuse(
        programs.missing(
            project,
            found.survey.paths,
            lambda path: (request.tree.path / path).read_text(),
            lambda name: interpreters.importable(interpreter, name),
            declared,
        )
    )


def _description(
    request: Request, parts: Parts, found: Found, describe: Callable[[], Mapping[str, Any]] | None
) -> Description:
    pipeline = request.project.pipeline
    if pipeline is None:
        return Description((), (), {}, {}, {}, f"{sys.version_info[0]}.{sys.version_info[1]}", sys.platform)
    if pipeline not in found.survey.marks:
        what = f'project.pipeline names "{pipeline}", which is not a file of the project'
        raise errors.Invalid(what, where=_line(request.project), hint="does Git track it?")
    key = _key(pipeline, found)
    for row in parts.database.query(sql.descriptions, key=key):
        kept = digest.parse(row["modules"].encode())
        if all(path in found.survey.marks and found.survey.digest(path) == name for path, name in kept.items()):
            return codec.description(digest.parse(row["body"].encode()))
    if describe is None:
        raise Problem("the pipeline was not described")
    told = dict(describe())
    try:
        description = codec.description(told)
        read = {path: found.survey.digest(path) for path in description.modules}
    except (KeyError, TypeError, AttributeError) as error:
        raise Problem(f"the worker described the pipeline in a way that makes no sense: {error!r}") from error
    body = codec.text(told)

    def keep(tx: Transaction) -> None:
        read_text = digest.canonical(read).decode()
        tx.execute(sql.keep_description, key=key, modules=read_text, body=body, made_us=clock.now_us())

    parts.database.submit(keep)
    return description


def _key(pipeline: str, found: Found) -> str:
    """What a description depends on beside the modules that it loads."""
    readable = digest.of("object", found.survey.listing(found.readable))
    told = [_FORMAT, pipeline, found.interpreter.digest, readable, list(found.python)]
    return digest.of("code", ["description", *told])


def _modules(description: Description, parts: Parts, found: Found) -> dict[str, fingerprint.Module]:
    files = [(path, found.survey.digest(path)) for path in description.modules]
    return modules.read(parts.database, found.interpreter.python, description.python, found.survey.tree.path, files)


def _line(project: Project) -> str:
    text = project.path.read_text() if project.path and project.path.exists() else ""
    number = next((n for n, line in enumerate(text.splitlines(), 1) if line.strip().startswith("pipeline")), 0)
    return f"ciranda.toml:{number}" if number else "ciranda.toml"
