"""The task `profile`: what drift needs and takes longer than a look: references of a release, and tables that jobs made.

It is put by whoever finds it missing (app/predictions.py), so that it need not be asked for when a release is made, and a release that
was made before there were references has them too.
"""

from collections.abc import Collection

from ciranda.environment import outputs, revisions
from ciranda.kernel import errors, tasks
from ciranda.kernel.database import Transaction
from ciranda.loop import changes, receive
from ciranda.loop.places import Workshop
from ciranda.monitor.drift import compare, count
from ciranda.monitor.windows import episodes, references, spans
from ciranda.monitor.windows.episodes import Look
from ciranda.monitor.windows.references import Reference
from ciranda.pipeline import profile, records
from ciranda.release import manifest, releases
from ciranda.versions import repositories

KIND = "profile"


def ask(tx: Transaction, project: str, release: str, service: str) -> None:
    """Have the references of a service of a release made."""
    body = {"project": project, "release": release, "service": service}
    tasks.put(tx, kind=KIND, subject=f"{project}/{release}/{service}", body=body)


def ask_output(tx: Transaction, project: str, environment: str, asset: str) -> None:
    """Have what a job made looked at."""
    body = {"project": project, "environment": environment, "asset": asset}
    tasks.put(tx, kind=KIND, subject=f"{project}/{environment}/{asset}", body=body)


def perform(task: tasks.Task, workshop: Workshop) -> None:
    """Make the references, or look at the table."""
    if "asset" in task.body:
        _output(task, workshop)
        return
    project, release, service = (str(task.body[name]) for name in ("project", "release", "service"))
    content = releases.manifest(workshop.store, releases.get(workshop.database, project, release))
    with workshop.store.steady():
        try:
            made = references.training(workshop.database, workshop.store, content, service, release)
        except (errors.NotFound, errors.Corrupt, errors.Invalid) as error:
            why = f"the table that it was trained on cannot be read: {error}"
            made = [references.none(project, service, release, why)]
        _end(task, workshop, made)


def give_up(task: tasks.Task, workshop: Workshop, reason: str) -> None:
    """There is no reference, and it is not looked for again; a table is looked at again when it is another one."""
    made = []
    if "service" in task.body:
        named = {name: str(task.body[name]) for name in ("project", "release")}
        made = [references.none(subject=str(task.body["service"]), why=reason, **named)]
    _end(task, workshop, made, state="failed", reason=reason)


def _end(task: tasks.Task, workshop: Workshop, made: list[Reference], state: str = "done", reason: str = "") -> None:
    def work(tx: Transaction) -> None:
        tasks.finish(tx, task, state="failed" if state == "failed" else "done", result={"reason": reason})
        for one in made:
            references.keep(tx, one)

    workshop.database.write(work)


def _output(task: tasks.Task, workshop: Workshop) -> None:
    project, environment, asset = (str(task.body[name]) for name in ("project", "environment", "asset"))
    database, store = workshop.database, workshop.store
    live = revisions.live(database, project, environment)
    output = outputs.current(database, project, environment).get(asset)
    if live is None or output is None:
        _end(task, workshop, [], reason="no job makes it any more")
        return
    release = releases.by_id(database, live.release)
    content = releases.manifest(store, release)
    with store.steady():
        private = _private(workshop, project)
        subject = episodes.of_asset(asset)
        known = next(iter(references.of(database, project, "", subject, release.name)), None)
        if known is None:
            known = _reference(workshop, content, release.name, asset, private)
        if known.kind == references.NONE:
            _end(task, workshop, [known], reason=known.source)
            return
        reference = references.load(store, known)
        window = count.of_frame(profile.frame(store, output.version), private, against=reference)
        found = compare.compare(reference, window)
        look = Look(
            spans.MADE, known.part, release.name, known.said(), output.at_us, output.at_us, found, window, known.object,
        )  # fmt: skip
        kept = known

        def work(tx: Transaction) -> None:
            tasks.finish(tx, task, state="done", result={"digest": output.version.digest})
            references.keep(tx, kept)
            episodes.record(tx, project, environment, subject, [look])

        database.write(work)


def _reference(
    workshop: Workshop, content: manifest.Manifest, release: str, asset: str, private: Collection[str]
) -> Reference:
    """The asset as the release has it: what its gate judged."""
    known, subject = content.assets.get(asset), episodes.of_asset(asset)
    if known is None or known.codec != "parquet":
        return references.none(content.project, subject, release, f"{release} has no table {asset}")
    version = records.Version(asset, known.digest, known.key, known.codec, 0, known.kind)
    named = {"project": content.project, "subject": subject, "release": release, "kind": references.VERSION}
    try:
        return references.of_version(workshop.store, version, private, **named)
    except (errors.NotFound, errors.Corrupt, errors.Invalid) as error:
        why = f"{asset} of {release} cannot be read: {error}"
        return references.none(content.project, subject, release, why)


def _private(workshop: Workshop, project: str) -> tuple[str, ...]:
    """The columns that the protected branch declares private."""
    known = changes.project(workshop.database, project)
    if known is None:
        return ()
    repository = repositories.path(workshop.repositories, known.repository)
    head = repositories.read_ref(repository, f"refs/heads/{known.branch}")
    return () if head is None else tuple(receive.declared(repository, head).private)
