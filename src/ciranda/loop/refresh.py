"""New data without a commit: the task `refresh` looks at a project's references, and what is new becomes a change like any other.

The task and its change have one identity, so that whoever asked follows one file of lines from the look to production.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ciranda.access import reaching
from ciranda.kernel import clock, errors, log, statements, tasks
from ciranda.kernel.database import Transaction
from ciranda.loop import changes, pins, receive, tell, wording
from ciranda.loop.pins import Pin
from ciranda.loop.places import Workshop
from ciranda.pipeline import references, sourcing
from ciranda.project import cron, declaration
from ciranda.versions import repositories

sql = statements.load("ciranda.loop")
KIND = "refresh"
SCHEDULE = "schedule"  # the actor of what nobody asked for by hand


def ask(workshop: Workshop, project: str, *, actor: str, sources: Sequence[str] = ()) -> str:
    """Have a project's references looked at (`sources`: only these); returns the identity whose lines tell what comes of it.

    Raises errors.NotFound for a project that was never pushed, errors.Refused for one without references.
    """
    known = changes.project(workshop.database, project)
    if known is None:
        raise errors.NotFound(f"{project} was never pushed", hint="push it: git push ciranda main")
    declared = _declared(known, workshop)
    if not any(source.reference for source in declared.sources):
        raise errors.Refused(
            f"{project} has no source that lies outside of it: its data changes with its commits",
            where="ciranda.toml",
            hint="push the new data: git push ciranda " + known.branch,
        )
    body = {"actor": actor, "sources": list(sources)}
    task = workshop.database.write(lambda tx: tasks.put(tx, kind=KIND, subject=project, body=body))
    tell.Teller(workshop.lines, task).say(f"{project}  looking for new data")
    return task


def perform(task: tasks.Task, workshop: Workshop) -> None:
    """Look at the references and end the task: with a change where there is something new."""
    known = changes.project(workshop.database, task.subject)
    assert known is not None
    teller = tell.Teller(workshop.lines, task.id)
    head = (
        repositories.read_ref(repositories.path(workshop.repositories, known.repository), known.ref) or changes.NOTHING
    )
    asked = task.body["sources"]
    sources = [s for s in _declared(known, workshop).sources if s.reference and (not asked or s.name in asked)]
    looking = references.Outside(
        workshop.store, references.Marks(workshop.database), reaching.of_home(workshop.home), workshop.home
    )
    found = {source.name: Pin(source.place, references.version(source, looking)) for source in sources}
    before = pins.current(workshop.database, known.name)
    news = {name: pin for name, pin in found.items() if not _same(before.get(name), pin)}
    files = {name: sourcing.count(pin.version, workshop.store) for name, pin in found.items()}
    if not news:
        looked = ", ".join(f"{name} ({wording.plural(files[name], 'file')})" for name in found)
        _end(task, workshop, f"nothing new: {looked or 'nothing is declared to lie outside any more'}")
        return
    if task.body["actor"] == SCHEDULE and _refused_before(workshop, known, head, news):
        _end(task, workshop, "nothing new since what was refused: see  ciranda status")
        return
    subject = f"New data: {', '.join(sorted(news))}"

    def work(tx: Transaction) -> changes.Change | None:
        change = changes.record_data(
            tx, known, id=task.id, head=head, subject=subject, actor=task.body["actor"], pins=pins.told(news)
        )
        tasks.finish(tx, task, state="done", result={"change": change.number if change else None})
        return change

    lines = [
        wording.line(name, "", f"{wording.plural(files[name], 'file')}, {_size(pin.version.size)}", width=8)
        for name, pin in sorted(news.items())
    ]
    teller.once("headline", wording.headline(known.name, head[:7], subject), *lines)
    if workshop.database.write(work) is None:
        other = changes.open_data(workshop.database, known.name)
        number = "another change" if other is None else f"change {other.number}"
        teller.end(
            f"{number} takes in new data already: look again when its gate has ended", "see it with: ciranda status"
        )


def give_up(task: tasks.Task, workshop: Workshop, reason: str) -> None:
    """References that cannot be looked at leave the data as it was."""
    workshop.database.write(lambda tx: tasks.finish(tx, task, state="failed", result={"reason": reason}))
    tell.Teller(workshop.lines, task.id).settle(
        "ng", [f"the data stays as it was: {wording.clean(reason)}"], reason=reason
    )


@dataclass
class Sweep:
    """Looks for the sources whose schedule is due; of several times that were missed, one look makes up for all."""

    places: Workshop
    _known: dict[str, tuple[str, Mapping[str, cron.Cron]]] = field(default_factory=dict)  # project → commit, schedules

    def look(self) -> None:
        """Put a task for each project that has a source that is due."""
        for known in changes.projects(self.places.database):
            try:
                self._look(known)
            except (errors.CirandaError, OSError) as error:
                log.say(f"sources of {known.name}: {error}")

    def _look(self, known: changes.Project) -> None:
        database = self.places.database
        schedules = self._schedules(known)
        if not schedules:
            return
        looked = {row["source"]: int(row["looked_us"]) for row in database.query(sql.source_looks, project=known.name)}
        now = clock.now_us()
        due = [
            name for name, when in schedules.items() if name in looked and when.latest(looked[name], now) is not None
        ]
        new = [name for name in schedules if name not in looked]
        if not (new or due) or (due and changes.open_data(database, known.name) is not None):
            return

        def work(tx: Transaction) -> None:
            for name in (*new, *due):
                tx.execute(sql.keep_source_look, project=known.name, source=name, looked_us=now)
            if due:
                tasks.put(tx, kind=KIND, subject=known.name, body={"actor": SCHEDULE, "sources": due})

        database.write(work)

    def _schedules(self, known: changes.Project) -> Mapping[str, cron.Cron]:
        head = repositories.read_ref(repositories.path(self.places.repositories, known.repository), known.ref)
        if head is None:
            return {}
        if self._known.get(known.name, ("", {}))[0] != head:
            sources = _declared(known, self.places).sources
            self._known[known.name] = (head, {s.name: cron.parse(s.schedule) for s in sources if s.schedule})
        return self._known[known.name][1]


def _declared(known: changes.Project, workshop: Workshop) -> declaration.Project:
    repository = repositories.path(workshop.repositories, known.repository)
    head = repositories.read_ref(repository, known.ref)
    if head is None:
        raise errors.NotFound(
            f"{known.name} has no {known.branch} yet", hint=f"push it: git push ciranda {known.branch}"
        )
    return receive.declared(repository, head)


def _refused_before(workshop: Workshop, known: changes.Project, head: str, news: Mapping[str, Pin]) -> bool:
    last = changes.last_data(workshop.database, known.name)
    return last is not None and last.state == "refused" and last.head == head and pins.parse(last.pins) == news


def _same(before: Pin | None, now: Pin) -> bool:
    return before is not None and (before.place, before.version.digest) == (now.place, now.version.digest)


def _end(task: tasks.Task, workshop: Workshop, text: str) -> None:
    workshop.database.write(lambda tx: tasks.finish(tx, task, state="done", result={"change": None}))
    tell.Teller(workshop.lines, task.id).end(text)


def _size(size: int) -> str:
    if size < 1000:
        return wording.plural(size, "byte")
    left, unit = size / 1e3, "kB"
    for larger in ("MB", "GB", "TB"):
        if left < 1000:
            break
        left, unit = left / 1e3, larger
    return f"{left:,.1f} {unit}"
