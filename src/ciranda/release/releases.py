"""Releases in the ledger: immutable, numbered in their project, equal content is the same release."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ciranda.kernel import clock, digest, errors, events, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.release.manifest import Manifest, read

sql = statements.load("ciranda.release")
_AGAIN = "a server that is up makes it anew within a minute: ciranda up"


@dataclass(frozen=True, slots=True)
class Release:
    """A manifest that has a number. `digest` is its identity, `manifest` the object that holds its bytes."""

    id: str
    project: str
    number: int
    digest: str
    manifest: str
    commit_sha: str
    change: str | None
    created_us: int
    author: str = ""  # who pushed the change; of releases made before that was kept, nobody

    @property
    def name(self) -> str:
        """What people call it: `r42`."""
        return f"r{self.number}"


@dataclass(frozen=True, slots=True)
class Statement:
    """Something said of a release after it was made: a verdict, an approval, where it came from."""

    id: str
    release: str
    kind: str
    body: Mapping[str, Any]
    actor: str
    at_us: int


def keep(store: Store, manifest: Manifest) -> str:
    """Put the manifest's bytes in the store, before the transaction that names them; returns the object's digest."""
    with store.batch():
        return store.put(manifest.data)


def make(tx: Transaction, *, manifest: Manifest, kept: str, change: str | None, actor: str) -> Release:
    """The release of this content, with its event when it is new. `kept` is what `keep` returned."""
    identity = manifest.digest
    found = tx.one(sql.release_by_digest, project=manifest.project, digest=identity)
    if found is not None:
        return Release(**found)
    last = tx.one(sql.last_number, project=manifest.project)
    assert last is not None
    made = Release(
        id=clock.uuid7(),
        project=manifest.project,
        number=int(last["number"]) + 1,
        digest=identity,
        manifest=kept,
        commit_sha=manifest.commit,
        change=change,
        created_us=clock.now_us(),
        author=actor,
    )
    tx.execute(
        sql.insert_release, id=made.id, project=made.project, number=made.number, digest=made.digest,
        manifest=made.manifest, commit_sha=made.commit_sha, change=made.change, created_us=made.created_us,
        author=made.author,
    )  # fmt: skip
    body = {"number": made.number, "digest": made.digest, "commit": made.commit_sha, "change": change}
    events.append(tx, chain=made.project, kind="release.made", subject=made.id, actor=actor, body=body)
    return made


def get(database: Database | Transaction, project: str, name: str | int) -> Release:
    """A release by `r42`, its number, its identity, its digest or the beginning of it. Raises errors.NotFound."""
    row: dict[str, Any] | None = None
    text = str(name)
    number = text.removeprefix("r")
    if number.isdecimal() and len(number) <= 18:  # what a row can hold
        row = database.one(sql.release_by_number, project=project, number=int(number))
    elif text.startswith("b3:"):
        rows = database.query(sql.release_by_prefix, project=project, prefix=f"{text}%") if text[3:].isalnum() else []
        row = rows[0] if len(rows) == 1 else None
    else:
        row = database.one(sql.release_by_id, id=text)
    if row is None or row["project"] != project:
        raise errors.NotFound(f"{project} has no release {text}", hint="what there is: ciranda status")
    return Release(**row)


def by_id(database: Database | Transaction, release: str) -> Release:
    """A release by its identity in the ledger. Raises errors.NotFound."""
    row = database.one(sql.release_by_id, id=release)
    if row is None:
        raise errors.NotFound(f"there is no release {release}", hint="what there is: ciranda status")
    return Release(**row)


def history(database: Database | Transaction, project: str, most: int = 20) -> list[Release]:
    """The newest releases of a project, newest first."""
    return [Release(**row) for row in database.query(sql.latest_releases, project=project, most=most)]


def page(database: Database, project: str, before: int, most: int) -> list[Release]:
    """The releases of a project whose number is below `before`, newest first."""
    return [Release(**row) for row in database.query(sql.releases_before, project=project, before=before, most=most)]


def latest(database: Database | Transaction, project: str) -> Release | None:
    """The newest release of a project."""
    return next(iter(history(database, project, 1)), None)


def manifest(store: Store, release: Release) -> Manifest:
    """The content of a release. Raises errors.Corrupt or errors.NotFound when the store no longer has what the ledger names."""
    try:
        found = read(store.get(release.manifest))
    except errors.NotFound:
        raise errors.NotFound(f"the manifest of {release.name} is not in the store any more", hint=_AGAIN) from None
    except errors.Corrupt:
        raise errors.Corrupt(f"the manifest of {release.name} is not what was stored", hint=_AGAIN) from None
    if found.digest != release.digest:
        raise errors.Corrupt(f"the manifest of {release.name} is not {release.digest}", hint=_AGAIN)
    return found


def state(tx: Transaction, release: Release, *, kind: str, body: Mapping[str, Any], actor: str) -> None:
    """Say something of a release."""
    text = digest.canonical(dict(body)).decode()
    tx.execute(
        sql.insert_statement, id=clock.uuid7(), release=release.digest, kind=kind, body=text, actor=actor,
        at_us=clock.now_us(),
    )  # fmt: skip


def stated(database: Database | Transaction, release: Release) -> list[Statement]:
    """What was said of a release, oldest first."""
    rows = database.query(sql.statements_of, release=release.digest)
    return [Statement(**row | {"body": json.loads(row["body"])}) for row in rows]
