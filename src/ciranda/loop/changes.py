"""Changes in the ledger: recorded once for each push, moved one state at a time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ciranda.kernel import clock, digest, errors, events, failpoints, statements
from ciranda.kernel.database import Database, Transaction

sql = statements.load("ciranda.loop")

State = Literal[
    "recorded", "judging", "asking", "passed", "failed", "merging", "merged", "delivering", "settled", "refused"
]
ENDS = ("settled", "refused")
NOTHING = "0" * 40  # Git's name for a ref that does not exist


@dataclass(frozen=True, slots=True)
class Change:
    """Commits proposed for a protected branch, from `base` (its commit when it was pushed; 40 zeros: none) to `head`.

    One of the kind "data" proposes new data for the commit that the branch stands at: `base` and `head` are that commit.
    """

    id: str
    number: int
    repository: str
    project: str
    ref: str
    base: str
    head: str
    subject: str
    actor: str
    accepts: bool  # the pusher accepts loosened rules and may
    state: State
    reason: str
    run: str | None
    outcome: Mapping[str, Any]  # what the judge hands to the release: tree, interpreter, assets, policy
    release: str | None
    recorded_us: int
    ended_us: int | None
    kind: Literal["push", "data"] = "push"
    pins: Mapping[str, Any] = field(default_factory=dict)  # of kind "data": what it takes in, as loop.pins writes it

    @property
    def short(self) -> str:
        """The commit's short name."""
        return self.head[:7]

    @property
    def width(self) -> int:
        """The columns of the names that its lines begin with."""
        return int(self.outcome.get("width", 8))


@dataclass(frozen=True, slots=True)
class Project:
    """A project that this home knows: its repository and the branch that only the gate moves."""

    name: str
    repository: str
    ref: str  # "refs/heads/main"

    @property
    def branch(self) -> str:
        """What people call it: `main`."""
        return self.ref.removeprefix("refs/heads/")


def take_number(tx: Transaction, repository: str) -> int:
    """The next number of a repository's changes; a number that is never used leaves a gap."""
    row = tx.one(sql.next_number, repository=repository)
    assert row is not None
    return int(row["number"])


def find_same(database: Database | Transaction, *, repository: str, ref: str, base: str, head: str) -> Change | None:
    """The unsettled change of the very same push, so that a push that is repeated follows it."""
    row = database.one(sql.same_change, repository=repository, ref=ref, base=base, head=head)
    return None if row is None else _change(row)


def waiting(database: Database, *, repository: str, ref: str, actor: str) -> Change | None:
    """Somebody's change of a branch that has not passed or failed its gate yet."""
    row = database.one(sql.waiting_change, repository=repository, ref=ref, actor=actor)
    return None if row is None else _change(row)


def record(
    tx: Transaction,
    *,
    number: int,
    repository: str,
    project: str,
    ref: str,
    base: str,
    head: str,
    subject: str,
    actor: str,
    accepts: bool,
) -> Change:
    """Write the change and its event; if the same push is already recorded, that change is the answer."""
    failpoints.failpoint("change.recording")
    change = clock.uuid7()
    tx.execute(
        sql.insert_change, id=change, number=number, repository=repository, project=project, ref=ref, base=base, head=head,
        subject=subject, actor=actor, accepts=int(accepts), recorded_us=clock.now_us(), kind="push", pins="{}",
    )  # fmt: skip
    found = find_same(tx, repository=repository, ref=ref, base=base, head=head)
    assert found is not None
    if found.id == change:
        body = {"number": number, "ref": ref, "base": base, "head": head}
        events.append(tx, chain=project, kind="change.recorded", subject=change, actor=actor, body=body)
    return found


def record_data(
    tx: Transaction, known: "Project", *, id: str, head: str, subject: str, actor: str, pins: Mapping[str, Any]
) -> Change | None:
    """Write a change of new data and its event; None while the gate of another one is open."""
    number = take_number(tx, known.repository)
    made = tx.execute(
        sql.insert_change, id=id, number=number, repository=known.repository, project=known.name, ref=known.ref, base=head,
        head=head, subject=subject, actor=actor, accepts=0, recorded_us=clock.now_us(), kind="data",
        pins=digest.canonical(pins).decode(),
    )  # fmt: skip
    if not made:
        return None
    body = {"number": number, "ref": known.ref, "base": head, "head": head, "data": sorted(pins)}
    events.append(tx, chain=known.name, kind="change.recorded", subject=id, actor=actor, body=body)
    return get(tx, id)


def judge_again(tx: Transaction, change: Change, at: str) -> bool:
    """Send a change back to its beginning, since what it was judged on has moved on; new data is then judged at `at`."""
    base, head = (at, at) if change.kind == "data" else (change.base, change.head)
    return bool(tx.execute(sql.judge_again, id=change.id, seen=change.state, base=base, head=head))


def open_data(database: Database | Transaction, project: str) -> Change | None:
    """The change of new data whose gate is still open."""
    row = database.one(sql.open_data_change, project=project)
    return None if row is None else _change(row)


def last_data(database: Database, project: str) -> Change | None:
    """The newest change of new data."""
    row = database.one(sql.last_data_change, project=project)
    return None if row is None else _change(row)


def move(
    tx: Transaction,
    change: Change,
    state: State,
    *,
    reason: str = "",
    run: str | None = None,
    outcome: Mapping[str, Any] | None = None,
    release: str | None = None,
    event: str | None = None,
    actor: str | None = None,
) -> bool:
    """Move a change on, with its event in the same transaction; False when somebody else has moved it meanwhile."""
    moved = tx.execute(
        sql.move_change, id=change.id, seen=change.state, state=state, reason=reason, run=run, release=release,
        outcome=None if outcome is None else digest.canonical(outcome).decode(),
        ended_us=clock.now_us() if state in ENDS else None,
    )  # fmt: skip
    if moved and event:
        body = (
            {"number": change.number, "head": change.head}
            | ({"reason": reason} if reason else {})
            | ({"release": release} if release else {})
        )
        events.append(tx, chain=change.project, kind=event, subject=change.id, actor=actor or change.actor, body=body)
    return bool(moved)


def get(database: Database | Transaction, change: str) -> Change | None:
    """One change by its identity."""
    row = database.one(sql.change_by_id, id=change)
    return None if row is None else _change(row)


def of_run(database: Database, run: str) -> Change | None:
    """The change that a run judged; None: it was no change's."""
    row = database.one(sql.change_of_run, run=run)
    return None if row is None else _change(row)


def unsettled(database: Database) -> list[Change]:
    """Every change that is not at its end, oldest first."""
    return [_change(row) for row in database.query(sql.open_changes)]


def latest(database: Database, project: str, most: int = 10) -> list[Change]:
    """The newest changes of a project, newest first."""
    return [_change(row) for row in database.query(sql.latest_changes, project=project, most=most)]


def page(database: Database, project: str, before: int, most: int) -> list[Change]:
    """The changes of a project whose number is below `before`, newest first."""
    return [_change(row) for row in database.query(sql.changes_before, project=project, before=before, most=most)]


def numbered(database: Database | Transaction, project: str, number: int) -> Change:
    """A change by its number. Raises errors.NotFound."""
    row = database.one(sql.change_by_number, project=project, number=number)
    if row is None:
        raise errors.NotFound(f"{project} has no change {number}", hint="what there is: ciranda status")
    return _change(row)


def last_merged(database: Database, project: str, head: str) -> Change | None:
    """The change that brought a protected branch to `head`."""
    row = database.one(sql.last_merged, project=project, head=head)
    return None if row is None else _change(row)


def claim_project(tx: Transaction, name: str, repository: str, ref: str) -> Project:
    """Give a project's name to a repository, with its protected branch; whoever was first keeps it."""
    tx.execute(sql.claim_project, name=name, repository=repository, branch=ref, at_us=clock.now_us())
    row = tx.one(sql.project_by_name, name=name)
    assert row is not None
    return _project(row)


def project_of(database: Database, repository: str) -> Project | None:
    """The project that a repository holds; None before its first push."""
    row = database.one(sql.project_of_repository, repository=repository)
    return None if row is None else _project(row)


def project(database: Database, name: str) -> Project | None:
    """A project by its name."""
    row = database.one(sql.project_by_name, name=name)
    return None if row is None else _project(row)


def projects(database: Database) -> list[Project]:
    """Every project of the home, by name."""
    return [_project(row) for row in database.query(sql.projects)]


def _project(row: Mapping[str, Any]) -> Project:
    return Project(row["name"], row["repository"], row["branch"])


def _change(row: Mapping[str, Any]) -> Change:
    fields = dict(row)
    fields["accepts"] = bool(fields["accepts"])
    fields["outcome"] = json.loads(fields["outcome"])
    fields["pins"] = json.loads(fields["pins"])
    return Change(**fields)


def counts(database: Database) -> dict[tuple[str, str], int]:
    """How many changes there are, by project and state."""
    return {(row["project"], row["state"]): int(row["changes"]) for row in database.query(sql.change_counts)}
