"""Reactions, and the chain from what happened to what came of it."""

from dataclasses import asdict, dataclass
from typing import Any

from ciranda.environment import jobs, revisions
from ciranda.feedback.reactions import rows
from ciranda.kernel import errors, tasks
from ciranda.kernel.database import Database
from ciranda.loop import changes
from ciranda.release import releases


@dataclass(frozen=True, slots=True)
class Link:
    """One thing of the chain: what it is, how it stands, when (µs), and the command that shows more."""

    what: str
    state: str
    at_us: int
    more: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A reaction with its chain, in the order in which it came about."""

    reaction: rows.Reaction
    chain: tuple[Link, ...]

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return self.reaction.document() | {"chain": [asdict(link) for link in self.chain]}


def gather(database: Database, project: str, number: int) -> View:
    """One reaction with its chain. Raises errors.NotFound."""
    one = rows.numbered(database, project, number)
    return View(one, (Link(one.what, "happened", one.at_us), *_answer(one), *_led(database, one)))


def _answer(one: rows.Reaction) -> list[Link]:
    at = one.ended_us or one.at_us
    return [Link(f"{one.rule.do} by reaction {one.rule.name}", f"{one.state}: {one.why}", at)]


def _led(database: Database, one: rows.Reaction) -> list[Link]:
    if one.led is None:
        return []
    kind, identity = one.led
    if kind == "change":
        return _change(database, identity)
    if kind == "run":
        run = jobs.get(database, identity)
        if run is None:
            return []
        more = f"ciranda job show {run.job} -e {run.environment}"
        return [Link(f"job {run.job}", f"{run.state} {run.reason}".strip(), run.ended_us or run.queued_us, more)]
    return [_revision(revisions.by_id(database, identity))]


def _change(database: Database, identity: str) -> list[Link]:
    change = changes.get(database, identity)
    if change is None:
        try:
            task = tasks.get(database, identity)
        except errors.NotFound:
            return []
        said = {"done": "nothing new: the data is what it was", "failed": str((task.result or {}).get("reason", ""))}
        return [Link("look for new data", said.get(task.state, task.state), 0)]
    links = [
        Link(f"change {change.number}: {change.subject}", f"{change.state} {change.reason}".strip(), change.recorded_us)
    ]
    if change.release is not None:
        release = releases.by_id(database, change.release)
        links.append(Link(f"release {release.name}", "made", release.created_us, f"ciranda diff {release.name}"))
        entered = [entry for entry in revisions.where(database, release.id) if entry.created_us >= change.recorded_us]
        links += [_revision(entry) for entry in sorted(entered, key=lambda entry: entry.created_us)]
    return links


def _revision(revision: revisions.Revision) -> Link:
    state = f"{revision.state} {revision.reason}".strip()
    return Link(revision.name, state, revision.ended_us or revision.created_us, f"ciranda show {revision.name}")
