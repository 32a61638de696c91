"""Items: pieces of planned work with an owner, closed by hand or by the commit that names them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ciranda.feedback import incidents
from ciranda.kernel import clock, errors, events, statements
from ciranda.kernel.database import Database, Transaction

sql = statements.load("ciranda.feedback")
# "closes item/7", "fixes item/7 and item/9", "Fecha item/7": a verb, then one or more items.
_NAMES = re.compile(
    r"\b(?:clos(?:e|es|ed)|fix(?:es|ed)?|resolv(?:e|es|ed)|fecha|resolve|conclui)\s*:?\s+((?:item/\d{1,9}(?:\s*(?:,|and|e)\s*)?)+)",
    re.IGNORECASE,
)
_ITEM = re.compile(r"item/(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of planned work. `incident` is the identity of the one that it was born from."""

    id: str
    project: str
    number: int
    title: str
    owner: str
    incident: str | None
    state: Literal["open", "closed"]
    created_by: str
    created_us: int
    closed_by: str
    closed_us: int | None
    commit_sha: str | None

    @property
    def name(self) -> str:
        """What people and commits call it: `item/7`."""
        return f"item/{self.number}"


def named(message: str) -> list[int]:
    """The items that a commit's message closes, each once. Pure."""
    found = [int(number) for listed in _NAMES.findall(message) for number in _ITEM.findall(listed)]
    return list(dict.fromkeys(found))


def add(tx: Transaction, project: str, title: str, *, actor: str, owner: str = "", incident: str | None = None) -> Item:
    """Plan a piece of work. Raises errors.Invalid."""
    last = tx.one(sql.last_item, project=project)
    number = int(last["number"]) + 1 if last else 1
    tx.execute(
        sql.insert_item, id=clock.uuid7(), project=project, number=number, title=incidents.checked(title, "title"),
        owner=owner, incident=incident, created_by=actor, created_us=clock.now_us(),
    )  # fmt: skip
    made = get(tx, project, number)
    _event(tx, made, "item.added", actor)
    return made


def close(tx: Transaction, project: str, number: int, *, actor: str, commit: str | None = None) -> Item:
    """It is done. Raises errors.NotFound, errors.Refused when it was before."""
    found = get(tx, project, number)
    if not tx.execute(sql.close_item, project=project, number=number, actor=actor, at_us=clock.now_us(), commit=commit):
        raise errors.Refused(f"{found.name} was closed by {found.closed_by}", hint="what is open: ciranda item list")
    made = get(tx, project, number)
    _event(tx, made, "item.closed", actor)
    return made


def get(database: Database | Transaction, project: str, number: int) -> Item:
    """One item. Raises errors.NotFound."""
    row = database.one(sql.item_by_number, project=project, number=number) if number < incidents.NEWEST else None
    if row is None:
        raise errors.NotFound(f"{project} has no item {number}", hint="what there is: ciranda item list")
    return Item(**row)


def listing(
    database: Database, project: str, *, unclosed: bool = False, before: int = incidents.NEWEST, most: int = 50
) -> list[Item]:
    """The newest first."""
    rows = database.query(sql.items, project=project, open=int(unclosed), before=before, most=most)
    return [Item(**row) for row in rows]


def of_incident(database: Database | Transaction, incident: str) -> list[Item]:
    """What was planned because of an incident."""
    return [Item(**row) for row in database.query(sql.items_of_incident, incident=incident)]


def closed_by_commits(tx: Transaction, project: str, commits: Iterable[tuple[str, str, str]]) -> list[Item]:
    """Close what commits (sha, message, who) name; what is not there, or closed, is left as it is."""
    closed = []
    for commit, message, actor in commits:
        for number in named(message):
            row = tx.one(sql.item_by_number, project=project, number=number)
            if row is not None and row["state"] == "open":
                closed.append(close(tx, project, number, actor=actor, commit=commit))
    return closed


def _event(tx: Transaction, one: Item, kind: str, actor: str) -> None:
    body = {"number": one.number, "title": one.title, "owner": one.owner}
    body |= {"commit": one.commit_sha} if one.commit_sha else {}
    events.append(tx, chain=one.project, kind=kind, subject=one.name, actor=actor, body=body)
