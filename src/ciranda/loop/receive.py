"""Receiving a push: what may be written at once is written, what is proposed for a protected branch becomes a change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.access.roles import Role
from ciranda.kernel import errors, events
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes, wording
from ciranda.loop.changes import NOTHING
from ciranda.project import declaration, lockfile, read
from ciranda.versions import completing, refs, repositories, trees

DECLARED = "ciranda.toml"
ACCEPT, DETACH = "accept-policy", "detach"
May = Callable[[str, Role, str], bool]  # whether a user may do what a role may in a project
NOT_YET = {"merge": "the merge queue is not built yet: push when the gate of the change ahead has ended"}


@dataclass(frozen=True, slots=True)
class Push:
    """One push as the window tells it: who, where, with which options, and what it wants to move."""

    repository: str
    user: str
    options: tuple[str, ...]
    updates: tuple["Update", ...]


@dataclass(frozen=True, slots=True)
class Update:
    """A ref that a client wants to move from `old` to `new` (40 zeros: nothing)."""

    ref: str
    old: str
    new: str


def parse(request: Mapping[str, Any]) -> Push:
    """The push that the window sent."""
    updates = tuple(Update(str(update["ref"]), str(update["old"]), str(update["new"])) for update in request["updates"])
    return Push(str(request["repository"]), str(request["user"]), tuple(map(str, request["options"])), updates)


def receive(
    push: Push,
    *,
    database: Database,
    store: Store,
    repositories_folder: Path,
    lines: Path,
    may: May,
) -> list[dict[str, Any]]:
    """What becomes of each update: done, refused with a reason, or recorded as a change with the file of its lines."""
    repository = repositories.path(repositories_folder, push.repository)
    unusable = _options_refused(push)
    project = changes.project_of(database, push.repository)
    branch = project.ref if project else _first_branch(push.updates)
    answers: list[dict[str, Any]] = []
    for update in push.updates:
        reason = unusable or refs.refusal(update.ref)
        if reason is None and update.ref == branch:
            answers.append(_propose(update, push, database, store, repository, lines, may, known=project))
        elif reason is None:
            answers.append(_write(update, push, repository, database, project.name if project else push.repository))
        else:
            answers.append(_refused(update, reason))
    return answers


def declared(repository: Path, commit: str) -> declaration.Project:
    """The declaration of a commit. Raises errors.Invalid naming file, line and what is wrong."""
    text = trees.read_file(repository, commit, DECLARED)
    if text is None:
        raise errors.Invalid(f"there is no {DECLARED} at the root of the repository", hint="write one: ciranda init")
    try:
        return read.read_text(text.decode("utf-8"), DECLARED)
    except UnicodeDecodeError:
        raise errors.Invalid("it is not UTF-8", where=DECLARED) from None


def _check_lock(repository: Path, commit: str, store: Store) -> None:
    """Whether the store has what the lock of a commit names. Raises errors.NotFound, errors.Invalid."""
    data = trees.read_file(repository, commit, lockfile.FILE)
    if data is not None and (missing := completing.lacking(lockfile.parse(data), store)):
        raise completing.refusal(missing)


def _options_refused(push: Push) -> str | None:
    for option in push.options:
        if option in NOT_YET:
            return NOT_YET[option]
        if option not in (ACCEPT, DETACH):
            return f"there is no push option {refs.plain(option)}; there are {ACCEPT} and {DETACH}"
    return None


def _first_branch(updates: Sequence[Update]) -> str | None:
    """The branch that the first push protects: `main`, else the first branch that it names."""
    branches = [update.ref for update in updates if update.ref.startswith("refs/heads/") and update.new != NOTHING]
    return "refs/heads/main" if "refs/heads/main" in branches else next(iter(branches), None)


def _propose(
    update: Update,
    push: Push,
    database: Database,
    store: Store,
    repository: Path,
    lines: Path,
    may: May,
    *,
    known: changes.Project | None,
) -> dict[str, Any]:
    name = update.ref.removeprefix("refs/heads/")
    if update.new == NOTHING:
        return _refused(update, f"{name} is protected: it cannot be deleted")
    at = repositories.read_ref(repository, update.ref) or NOTHING
    if at == update.new:  # pushed again while it landed
        return {"ref": update.ref, "state": "done"}
    if at != update.old:
        return _refused(update, "fetch first")
    if repositories.object_kind(repository, update.new) != "commit":
        return _refused(update, "a branch points to a commit")
    if at != NOTHING and not repositories.is_ancestor(repository, at, update.new):
        return _refused(update, f"{name} is protected: it only moves forward; fetch, rebase and push again")
    try:
        project = declared(repository, update.new)
        _check_lock(repository, update.new, store)
    except errors.Refused as error:
        reason = " ".join(part for part in (error.where, str(error)) if part)
        return _refused(update, reason) | {"lines": list(wording.refusal(error))}
    if known is not None and project.name != known.name:
        return _refused(update, f"the project {known.name} cannot be renamed to {project.name}")
    if not may(push.user, "developer", project.name):
        return _refused(
            update, f"{push.user} may not push to the project {project.name}: ask somebody who is admin of it"
        )
    if ACCEPT in push.options and not may(push.user, "admin", project.name):
        return _refused(update, f"only an admin of {project.name} may push with -o {ACCEPT}")
    if known is None:
        owner = database.write(lambda tx: changes.claim_project(tx, project.name, push.repository, update.ref))
        if owner.repository != push.repository:
            return _refused(
                update,
                f"the project {project.name} lives in the repository {owner.repository} already: another one needs another name",
            )
        repositories.set_head(repository, update.ref)
    change = changes.find_same(database, repository=push.repository, ref=update.ref, base=update.old, head=update.new)
    waiting = changes.waiting(database, repository=push.repository, ref=update.ref, actor=push.user)
    if change is None and waiting is not None:
        return _refused(
            update,
            f"change {waiting.number} of yours still waits for its gate; amending it is not built yet: push again when it has ended",
        )
    if change is None:
        number = database.write(lambda tx: changes.take_number(tx, push.repository))
        repositories.write_change_ref(repository, number, update.new)
        subject = repositories.commit(repository, update.new).subject
        change = database.write(
            lambda tx: changes.record(
                tx, number=number, repository=push.repository, project=project.name, ref=update.ref, base=update.old,
                head=update.new, subject=subject, actor=push.user, accepts=ACCEPT in push.options,
            )
        )  # fmt: skip
    file = str(lines / f"{change.id}.jsonl")
    return {"ref": update.ref, "state": "change", "change": {"id": change.id, "number": change.number, "lines": file}}


def _write(update: Update, push: Push, repository: Path, database: Database, project: str) -> dict[str, Any]:
    """Branches that are not protected and new tags are Git's own business: written at once, judged by nobody."""
    if update.ref.startswith("refs/tags/") and update.old != NOTHING:
        return _refused(update, "a tag stays: it neither moves nor goes away")
    other = refs.clash(update.ref, repositories.list_refs(repository, "refs/heads", "refs/tags"))
    if update.old == NOTHING and other is not None:
        return _refused(
            update, f"there is {refs.plain(other.split('/', 2)[2])} already: one of the names is a folder of the other"
        )
    if not repositories.update_ref(repository, update.ref, update.new, update.old):
        return _refused(update, "fetch first")
    body = {"ref": update.ref, "old": update.old, "new": update.new}
    database.write(
        lambda tx: events.append(
            tx, chain=project, kind="ref.written", subject=f"{push.repository}:{update.ref}", actor=push.user, body=body
        )
    )
    return {"ref": update.ref, "state": "done"}


def _refused(update: Update, reason: str) -> dict[str, Any]:
    return {"ref": update.ref, "state": "refused", "reason": reason}
